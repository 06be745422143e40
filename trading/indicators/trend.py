"""Averages and other levels that price is compared with, in quote currency.

Arrays have shape (rows,); NaN until the history suffices. EMAs start from the simple mean of their
first ``length`` values (TA-Lib's and TradingView's seeding).
"""

from __future__ import annotations

import numpy as np

from trading.indicators import rolling
from trading.indicators.columns import BarColumns, FloatArray
from trading.indicators.smoothing import exponential, per_symbol


def close(bars: BarColumns) -> FloatArray:
    """Close of the bar."""
    return bars.close


def volume(bars: BarColumns) -> FloatArray:
    """Volume of the bar."""
    return bars.volume


def sma(bars: BarColumns, length: int) -> FloatArray:
    """Simple moving average of close."""
    return rolling.window_mean(bars.close, length, bars.position)


def ema(bars: BarColumns, length: int) -> FloatArray:
    """Exponential moving average of close, weight 2 / (length + 1)."""
    return bars.shared(("ema", length), lambda: exponential(bars, bars.close, length))


def hma(bars: BarColumns, length: int) -> FloatArray:
    """Hull moving average: WMA of (2 WMA(length / 2) - WMA(length)) over the root of length, rounded down."""
    fast = rolling.weighted_mean(bars.close, length // 2, bars.position)
    slow = rolling.weighted_mean(bars.close, length, bars.position)
    return rolling.weighted_mean(2.0 * fast - slow, int(np.sqrt(length)), bars.position)


def vwma(bars: BarColumns, length: int) -> FloatArray:
    """Close weighted by volume; missing where nothing traded in the window."""
    traded = rolling.window_sum(bars.close * bars.volume, length, bars.position)
    return rolling.ratio(traded, rolling.window_sum(bars.volume, length, bars.position))


def vwap(bars: BarColumns, daily_length: int) -> FloatArray:
    """Typical price weighted by volume since midnight UTC; over ``daily_length`` bars when bars are days.

    Missing while nothing has traded in the session.
    """
    traded = (bars.high + bars.low + bars.close) / 3.0 * bars.volume
    if bars.daily:
        value = rolling.window_sum(traded, daily_length, bars.position)
        return rolling.ratio(value, rolling.window_sum(bars.volume, daily_length, bars.position))
    value = rolling.running_sum(traded, bars.session_position)
    return rolling.ratio(value, rolling.running_sum(bars.volume, bars.session_position))


def mid_range(bars: BarColumns, length: int) -> FloatArray:
    """Middle of the highest high and the lowest low: Ichimoku's conversion and base lines."""
    highest = rolling.window_maximum(bars.high, length, bars.position)
    return (highest + rolling.window_minimum(bars.low, length, bars.position)) / 2.0


def ichimoku_lead_a(bars: BarColumns, conversion: int, base: int, displacement: int) -> FloatArray:
    """Mean of conversion and base line, as it stood ``displacement`` bars ago."""
    return bars.lag((mid_range(bars, conversion) + mid_range(bars, base)) / 2.0, displacement)


def ichimoku_lead_b(bars: BarColumns, length: int, displacement: int) -> FloatArray:
    """Middle of the ``length``-bar range, as it stood ``displacement`` bars ago."""
    return bars.lag(mid_range(bars, length), displacement)


def macd(bars: BarColumns, fast: int, slow: int) -> FloatArray:
    """EMA(fast) - EMA(slow), each seeded on its own."""
    return bars.shared(("macd", fast, slow), lambda: ema(bars, fast) - ema(bars, slow))


def macd_signal(bars: BarColumns, fast: int, slow: int, signal: int) -> FloatArray:
    """EMA of the MACD line."""
    return bars.shared(
        ("macd_signal", fast, slow, signal), lambda: exponential(bars, macd(bars, fast, slow), signal)
    )


def macd_histogram(bars: BarColumns, fast: int, slow: int, signal: int, bars_back: int) -> FloatArray:
    """MACD line - signal, ``bars_back`` bars ago."""
    return bars.lag(macd(bars, fast, slow) - macd_signal(bars, fast, slow, signal), bars_back)


def macd_lift(bars: BarColumns, fast: int, slow: int) -> FloatArray:
    """MACD line - MACD line one bar earlier."""
    line = macd(bars, fast, slow)
    return line - bars.lag(line, 1)


def psar(bars: BarColumns, step: float, maximum: float) -> FloatArray:
    """Parabolic stop and reverse (Wilder)."""
    return per_symbol(bars, "SAR", bars.high, bars.low, acceleration=step, maximum=maximum)


def atr(bars: BarColumns, length: int) -> FloatArray:
    """Average true range, Wilder smoothing from the mean of the first ``length`` ranges."""
    return per_symbol(bars, "ATR", bars.high, bars.low, bars.close, timeperiod=length)


def volume_sma(bars: BarColumns, length: int) -> FloatArray:
    """Mean volume, base currency."""
    return rolling.window_mean(bars.volume, length, bars.position)
