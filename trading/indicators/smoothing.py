"""Recursive averages, symbol by symbol, by TA-Lib."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from trading.indicators.columns import BarColumns, FloatArray


def per_symbol(bars: BarColumns, function: str, *inputs: FloatArray, **parameters: float) -> FloatArray:
    """A TA-Lib function over each symbol's own rows; NaN until it has a value."""
    import talib  # brings pandas along: more than a second that a code location must not pay at load

    compute = getattr(talib, function)
    out = np.empty(bars.close.size)  # the symbols' rows are all the rows
    for start, stop in pairwise(bars.starts.tolist()):
        out[start:stop] = compute(*(values[start:stop] for values in inputs), **parameters)
    return out


def exponential(bars: BarColumns, values: FloatArray, length: int) -> FloatArray:
    """EMA from the simple mean of the first ``length`` values; leading NaN are passed over."""
    return per_symbol(bars, "EMA", values, timeperiod=length)
