"""Windows of a fixed number of bars, without running sums.

A running sum carries rounding residue out of the window: after a spike it turns a quiet window's zero
into a small number of either sign, and a ratio of two such residues into nonsense. Sums here are built
by doubling (1, 2, 4 ... bars), so a value depends on the bars of its window alone, is exactly zero when
they are, and is the same bit for bit however much history precedes it.

Every function takes flat arrays of shape (rows,) with ``position`` (rows of the same run before each
row), and answers NaN where the window is incomplete or holds a NaN.
"""

from __future__ import annotations

import numpy as np

from trading.indicators.columns import FloatArray, IntArray


def window_sum(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Sum over the last ``length`` rows."""
    total: FloatArray | None = None
    block, width, taken = values, 1, 0
    remaining = length
    while True:
        if remaining & 1:
            total = block if total is None else _with_earlier(total, block, taken, np.add)
            taken += width
        remaining >>= 1
        if not remaining:
            break
        block = _with_earlier(block, block, width, np.add)
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
    total = length * values
    for age in range(1, length):
        total[age:] += (length - age) * values[: max(values.size - age, 0)]
    return _complete(total / (length * (length + 1) / 2), length, position)


def mean_absolute_deviation(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    """Mean distance of the last ``length`` rows from their own mean."""
    centre = window_mean(values, length, position)
    total = np.abs(values - centre)
    for age in range(1, length):
        distance = values[: max(values.size - age, 0)] - centre[age:]
        total[age:] += np.abs(distance, out=distance)
    total /= length
    return total


def running_sum(values: FloatArray, position: IntArray) -> FloatArray:
    """Sum from the first row of the run (``position`` 0) to each row."""
    total = values
    width = 1
    longest = int(position.max(initial=0))
    while width <= longest:
        total = total + np.where(position >= width, _earlier(total, width), 0.0)
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
    pick: np.ufunc,
) -> FloatArray:
    block, width = values, 1
    while width * 2 <= length:
        block = _with_earlier(block, block, width, pick)
        width *= 2
    return _complete(_with_earlier(block, block, length - width, pick), length, position)


def _earlier(values: FloatArray, rows: int) -> FloatArray:
    """Values ``rows`` earlier, across runs: whoever uses it masks incomplete windows afterwards."""
    shifted = np.full_like(values, np.nan)
    shifted[rows:] = values[: max(values.size - rows, 0)]
    return shifted


def _with_earlier(now: FloatArray, then: FloatArray, rows: int, pick: np.ufunc) -> FloatArray:
    """``pick`` of each value and the one ``rows`` earlier, across runs, in one pass over memory."""
    joined = np.empty_like(now)
    joined[:rows] = np.nan
    pick(now[rows:], then[: max(then.size - rows, 0)], out=joined[rows:])
    return joined


def _complete(values: FloatArray, length: int, position: IntArray) -> FloatArray:
    return np.where(position >= length - 1, values, np.nan)
