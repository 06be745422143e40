"""Oscillators: bounded ones on the 0-100 scale, never 0-1.

Arrays have shape (rows,); NaN until the history suffices and where the quantity is undefined (a range
or a true range of zero), because an undefined oscillator is missing, not neutral.
"""

from __future__ import annotations

import numpy as np

from trading.indicators import rolling
from trading.indicators.columns import BarColumns, FloatArray
from trading.indicators.smoothing import exponential, per_symbol
from trading.indicators.trend import ema

#: Ranges of an oscillator below this are rounding of a constant (points of 100).
_FLAT_POINTS = 1e-9


def rsi(bars: BarColumns, length: int) -> FloatArray:
    """Relative strength index with Wilder smoothing."""
    return bars.shared(("rsi", length), lambda: per_symbol(bars, "RSI", bars.close, timeperiod=length))


def stochastic_k(bars: BarColumns, length: int, smooth: int) -> FloatArray:
    """Place of close in the high-low range, percent, smoothed by a simple mean."""
    return bars.shared(
        ("stochastic_k", length, smooth),
        lambda: rolling.window_mean(_place_in_range(bars, length), smooth, bars.position),
    )


def stochastic_d(bars: BarColumns, length: int, smooth: int, signal: int) -> FloatArray:
    """Simple mean of the stochastic K."""
    return rolling.window_mean(stochastic_k(bars, length, smooth), signal, bars.position)


def stochastic_rsi_k(bars: BarColumns, rsi_length: int, length: int, smooth: int) -> FloatArray:
    """Place of RSI in its own range, percent, smoothed by a simple mean."""

    def compute() -> FloatArray:
        strength = rsi(bars, rsi_length)
        lowest = rolling.window_minimum(strength, length, bars.position)
        spread = rolling.window_maximum(strength, length, bars.position) - lowest
        place = 100.0 * rolling.ratio(strength - lowest, spread, smallest=_FLAT_POINTS)
        return rolling.window_mean(place, smooth, bars.position)

    return bars.shared(("stochastic_rsi_k", rsi_length, length, smooth), compute)


def stochastic_rsi_d(bars: BarColumns, rsi_length: int, length: int, smooth: int, signal: int) -> FloatArray:
    """Simple mean of the stochastic RSI K."""
    return rolling.window_mean(stochastic_rsi_k(bars, rsi_length, length, smooth), signal, bars.position)


def cci(bars: BarColumns, length: int) -> FloatArray:
    """Commodity channel index of close (not of the typical price): distance / (0.015 mean deviation)."""
    distance = bars.close - rolling.window_mean(bars.close, length, bars.position)
    highest = rolling.window_maximum(bars.close, length, bars.position)
    flat = highest == rolling.window_minimum(bars.close, length, bars.position)
    deviation = rolling.mean_absolute_deviation(bars.close, length, bars.position)
    # The mean of equal prices may miss them by a rounding error, and so would its deviation.
    return rolling.ratio(distance, 0.015 * np.where(flat, 0.0, deviation))


def adx(bars: BarColumns, length: int) -> FloatArray:
    """Average directional index, Wilder smoothing."""
    return per_symbol(bars, "ADX", bars.high, bars.low, bars.close, timeperiod=length)


def plus_di(bars: BarColumns, length: int) -> FloatArray:
    """Positive directional indicator, Wilder smoothing."""
    return per_symbol(bars, "PLUS_DI", bars.high, bars.low, bars.close, timeperiod=length)


def minus_di(bars: BarColumns, length: int) -> FloatArray:
    """Negative directional indicator, Wilder smoothing."""
    return per_symbol(bars, "MINUS_DI", bars.high, bars.low, bars.close, timeperiod=length)


def awesome(bars: BarColumns, fast: int, slow: int) -> FloatArray:
    """SMA(fast) - SMA(slow) of the mid price (high + low) / 2, quote currency."""
    mid = (bars.high + bars.low) / 2.0
    return rolling.window_mean(mid, fast, bars.position) - rolling.window_mean(mid, slow, bars.position)


def momentum(bars: BarColumns, length: int) -> FloatArray:
    """Close - close ``length`` bars earlier, quote currency."""
    return bars.close - bars.lag(bars.close, length)


def williams_r(bars: BarColumns, length: int) -> FloatArray:
    """Williams %R: place of close in the high-low range, from -100 to 0."""
    return _place_in_range(bars, length) - 100.0


def bull_power(bars: BarColumns, length: int) -> FloatArray:
    """High - EMA of close, quote currency."""
    return bars.high - ema(bars, length)


def bear_power(bars: BarColumns, length: int) -> FloatArray:
    """Low - EMA of close, quote currency."""
    return bars.low - ema(bars, length)


def ultimate(bars: BarColumns, short: int, middle: int, long: int) -> FloatArray:
    """Ultimate oscillator: buying pressure over true range, weights 4, 2, 1; needs a previous close."""
    previous = bars.lag(bars.close, 1)
    bottom = np.minimum(bars.low, previous)
    pressure, true_range = bars.close - bottom, np.maximum(bars.high, previous) - bottom
    total = np.zeros_like(bars.close)
    for weight, length in ((4.0, short), (2.0, middle), (1.0, long)):
        bought = rolling.window_sum(pressure, length, bars.position)
        total += weight * rolling.ratio(bought, rolling.window_sum(true_range, length, bars.position))
    return 100.0 * total / 7.0


def qqe_line(bars: BarColumns, rsi_length: int, smooth: int) -> FloatArray:
    """RSI smoothed by an EMA: the fast line of the quantitative qualitative estimation."""
    return bars.shared(
        ("qqe_line", rsi_length, smooth), lambda: exponential(bars, rsi(bars, rsi_length), smooth)
    )


def qqe_trail(bars: BarColumns, rsi_length: int, smooth: int, factor: float) -> FloatArray:
    """QQE's trailing level: a stop ``factor`` smoothed ranges behind the line, which flips when crossed.

    The range is the line's bar-to-bar move, smoothed twice by an EMA of 2 rsi_length - 1 bars. While
    the line stays above the long stop that stop only rises; below the short one, that only falls.
    """
    line = qqe_line(bars, rsi_length, smooth)
    wilder = 2 * rsi_length - 1
    move = np.abs(line - bars.lag(line, 1))
    reach = factor * exponential(bars, exponential(bars, move, wilder), wilder)
    return bars.from_time(_trail(bars.by_time(line), bars.by_time(reach)))


def _trail(line: FloatArray, reach: FloatArray) -> FloatArray:
    """Trailing level of each column, shape (time, symbols), walking down the rows."""
    out = np.full_like(line, np.nan)
    long = short = before = np.full(line.shape[1], np.nan)
    rising = np.ones(line.shape[1], dtype=np.bool_)
    for step, (now, width) in enumerate(zip(line, reach, strict=True)):
        above, below = now > long, now < short
        # A stop that is crossed this bar flips the trend against its level of the bar before.
        rising = (now > short) | (rising & ~(now < long))
        long = np.where(above & (before > long), np.maximum(long, now - width), now - width)
        short = np.where(below & (before < short), np.minimum(short, now + width), now + width)
        out[step] = np.where(rising, long, short)
        before = now
    return out


def _place_in_range(bars: BarColumns, length: int) -> FloatArray:
    def compute() -> FloatArray:
        lowest = rolling.window_minimum(bars.low, length, bars.position)
        spread = rolling.window_maximum(bars.high, length, bars.position) - lowest
        return 100.0 * rolling.ratio(bars.close - lowest, spread)

    return bars.shared(("place_in_range", length), compute)
