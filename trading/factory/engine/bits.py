"""Comparisons of whole columns, 64 decision bars to a word. Import it inside functions only."""

from __future__ import annotations

from typing import Any

import numpy as np

from trading.factory.engine.compiled import compiled
from trading.factory.engine.program import ABOVE, BELOW, CROSSES_ABOVE, CROSSES_BELOW, RISING

# Kept machine code holds these values and is renewed when this file changes, not when theirs do.
if (ABOVE, BELOW, CROSSES_ABOVE, CROSSES_BELOW, RISING) != (0, 1, 2, 3, 4):
    raise RuntimeError("the codes of comparisons have changed; repeat them here")

# Multiplying eight bytes of 0 or 1 by this moves their bits into the top byte, the first one lowest.
_GATHER = np.uint64(0x0102040810204080)
_TOP = np.uint64(56)


@compiled
def _against_level(code: int, now: Any, level: float, answers: Any) -> None:
    count = now.size
    later, before, answer = now[1:], now[: max(count - 1, 0)], answers[1:]
    if code == ABOVE:
        for i in range(count):
            answers[i] = now[i] > level
    elif code == BELOW:
        for i in range(count):
            answers[i] = now[i] < level
    elif code == CROSSES_ABOVE:
        answers[:1] = 0
        for i in range(count - 1):
            answer[i] = (later[i] > level) & (before[i] <= level)
    else:
        answers[:1] = 0
        for i in range(count - 1):
            answer[i] = (later[i] < level) & (before[i] >= level)


@compiled
def _against_column(code: int, now: Any, other: Any, answers: Any) -> None:
    count = now.size
    later, before, answer = now[1:], now[: max(count - 1, 0)], answers[1:]
    other_later, other_before = other[1:], other[: max(count - 1, 0)]
    if code == ABOVE:
        for i in range(count):
            answers[i] = now[i] > other[i]
    elif code == BELOW:
        for i in range(count):
            answers[i] = now[i] < other[i]
    elif code == CROSSES_ABOVE:
        answers[:1] = 0
        for i in range(count - 1):
            answer[i] = (later[i] > other_later[i]) & (before[i] <= other_before[i])
    else:
        answers[:1] = 0
        for i in range(count - 1):
            answer[i] = (later[i] < other_later[i]) & (before[i] >= other_before[i])


@compiled
def _slope(code: int, now: Any, bars: int, answers: Any) -> None:
    reach = min(bars, now.size)
    answers[:reach] = 0
    later, answer = now[reach:], answers[reach:]
    if code == RISING:
        for i in range(later.size):
            answer[i] = later[i] > now[i]
    else:
        for i in range(later.size):
            answer[i] = later[i] < now[i]


@compiled
def leaf_words(now: Any, other: Any, codes: Any, levels: Any, words: Any, first: int) -> None:
    """Answer comparisons of one column, with levels or with one other column, at every decision bar.

    Symbol by symbol, so that a column is fetched from memory once for all its comparisons.

    Parameters
    ----------
    now, other
        The column, and the one it is compared with, shape (symbols, decision bars), float64. ``other``
        is not read where a level is a number. A comparison with NaN is a no.
    codes, levels
        Rows of `Program.leaf_codes` and `Program.leaf_levels`.
    words
        Rows from ``first`` on are written: shape (symbols, comparisons, words), uint64; bar i is bit i % 64
        of word i // 64.
    """
    # Bars without a bar before them are 0. Loops run over views that start where the answers do: an
    # index that might be negative is not vectorised.
    answers = np.zeros(words.shape[2] * 64, np.uint8)
    eights = answers.view(np.uint64)
    for symbol in range(now.shape[0]):
        for row in range(levels.size):
            code, level = codes[row, 0], levels[row]
            if code > CROSSES_BELOW:
                _slope(code, now[symbol], codes[row, 3], answers)
            elif np.isnan(level):
                _against_column(code, now[symbol], other[symbol], answers)
            else:
                _against_level(code, now[symbol], level, answers)
            for word in range(words.shape[2]):
                packed = np.uint64(0)
                for byte in range(8):
                    gathered = (eights[word * 8 + byte] * _GATHER) >> _TOP
                    packed |= gathered << np.uint64(8 * byte)
                words[symbol, first + row, word] = packed
