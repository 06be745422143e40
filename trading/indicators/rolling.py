"""Windows of a fixed number of bars, without running sums.

A running sum carries rounding residue out of the window: after a spike it turns a quiet window's zero
into a small number of either sign, and a ratio of two such residues into nonsense. Sums here are built
by doubling (1, 2, 4 ... bars), so a value depends on the bars of its window alone, is exactly zero when
they are, and is the same bit for bit however much history precedes it.

Every function takes flat arrays of shape (rows,) with ``position`` (rows of the same run before each
row), and answers NaN where the window is incomplete or holds a NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from trading.indicators.columns import FloatArray, IntArray


def window_sum(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Sum over the last ``length`` rows."""
    total: FloatArray | None = None
    block, width, taken = values, 1, 0
    remaining = length
    while True:
        if remaining & 1:
            part = _shift(block, taken)
            total = part if total is None else total + part
            taken += width
        remaining >>= 1
        if not remaining:
            break
        block = block + _shift(block, width)
        width *= 2
    assert total is not None  # noqa: S101 - length >= 1 has a lowest set bit
    return _complete(total, length, position)


def window_mean(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Mean over the last ``length`` rows."""
    return window_sum(values, length, position) / length


def window_maximum(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Largest of the last ``length`` rows."""
    return _window_extreme(values, length, position, np.maximum)


def window_minimum(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Smallest of the last ``length`` rows."""
    return _window_extreme(values, length, position, np.minimum)


def weighted_mean(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Mean with weights 1 (oldest) to ``length`` (newest)."""
    total = np.zeros_like(values)
    for age in range(length):
        total += (length - age) * _shift(values, age)
    return _complete(total / (length * (length + 1) / 2), length, position)


def mean_absolute_deviation(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Mean distance of the last ``length`` rows from their own mean."""
    centre = window_mean(values, length, position)
    total = np.zeros_like(values)
    for age in range(length):
        total += np.abs(_shift(values, age) - centre)
    return total / length


def running_sum(values: FloatArray, position: IntArray) -> FloatArray:
    """Sum from the first row of the run (``position`` 0) to each row."""
    total = values
    width = 1
    longest = int(position.max(initial=0))
    while width <= longest:
        total = total + np.where(position >= width, _shift(total, width), 0.0)
        width *= 2
    return total


def ratio(numerator: FloatArray, denominator: FloatArray, smallest: float = 0.0) -> FloatArray:
    """Quotient; NaN where the denominator is not above ``smallest``: an undefined value is missing."""
    out = np.full_like(numerator, np.nan)
    np.divide(numerator, denominator, out=out, where=denominator > smallest)
    return out


def _window_extreme(
    values: FloatArray,
    length: int,
    position: IntArray,
    pick: Callable[[FloatArray, FloatArray], FloatArray],
) -> FloatArray:
    block, width = values, 1
    while width * 2 <= length:
        block = pick(block, _shift(block, width))
        width *= 2
    return _complete(pick(block, _shift(block, length - width)), length, position)


def _shift(values: FloatArray, rows: int) -> FloatArray:
    """Values ``rows`` earlier, across runs: whoever uses it masks incomplete windows afterwards."""
    if rows == 0:
        return values
    shifted = np.full_like(values, np.nan)
    if rows < values.size:
        shifted[rows:] = values[: values.size - rows]
    return shifted


def _complete(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    return np.where(position >= length - 1, values, np.nan)
