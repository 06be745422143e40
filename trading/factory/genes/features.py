"""The columns that a rule may read: indicators and ratings, with their parameters and comparable scales."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

import numpy as np

from trading.factory.genes.grid import Grid
from trading.indicators import oscillators, rolling, trend
from trading.indicators.columns import BarColumns, FloatArray
from trading.indicators.smoothing import exponential, per_symbol


class Scale(StrEnum):
    """What a column's values are; only columns of one scale are compared with each other."""

    PRICE = "price"  # quote currency
    MACD = "macd"  # difference of two averages, quote currency
    RSI = "rsi"  # 0-100
    STOCHASTIC = "stochastic"  # 0-100
    DIRECTIONAL = "directional"  # 0-100
    PURE = "pure"  # meaningful against a fixed level only


@dataclass(frozen=True, slots=True)
class Feature:
    """A kind of column.

    Attributes
    ----------
    compute
        Takes the bars and the parameters; returns one value per bar, NaN where unknown. None for a
        rating, which is computed with all its neighbours at once.
    parameters
        Grid of each parameter.
    thresholds
        Levels that the column may be compared with; None where a fixed level means nothing.
    lookback_bars
        Bars before a value that it depends on to within 1e-6 of itself, at the largest parameters.
    """

    name: str
    scale: Scale
    compute: Callable[..., FloatArray] | None
    parameters: Mapping[str, Grid] = field(default_factory=dict)
    thresholds: Grid | None = None
    lookback_bars: int = 1


def _volume_ratio(bars: BarColumns, length: int) -> FloatArray:
    """Volume over its own simple mean, this bar included."""
    return rolling.ratio(bars.volume, trend.volume_sma(bars, length))


def _atr_fraction(bars: BarColumns, length: int) -> FloatArray:
    """Average true range as a share of close."""
    return trend.atr(bars, length) / bars.close


def _band_score(bars: BarColumns, length: int) -> FloatArray:
    """Distance of close from its mean in population deviations: Bollinger bands are levels of it."""
    mean, squares = _window_moments(bars, length)
    highest = rolling.window_maximum(bars.close, length, bars.position)
    flat = highest == rolling.window_minimum(bars.close, length, bars.position)
    deviation = np.where(flat, 0.0, np.sqrt(squares / length))
    return rolling.ratio(bars.close - mean, deviation)


def _window_moments(bars: BarColumns, length: int) -> tuple[FloatArray, FloatArray]:
    """Mean of the last ``length`` closes and the sum of squared distances from it.

    Windows of 1, 2, 4 … bars are merged by the update of Chan, Golub and LeVeque (1983), which never
    subtracts large sums from each other; a value depends on the bars of its window alone.
    """

    def merged(
        one: tuple[int, FloatArray, FloatArray], two: tuple[int, FloatArray, FloatArray]
    ) -> tuple[int, FloatArray, FloatArray]:
        count = one[0] + two[0]
        apart = two[1] - one[1]
        squares = one[2] + two[2] + apart * apart * (one[0] * two[0] / count)
        return count, one[1] + apart * (two[0] / count), squares

    def earlier(window: tuple[int, FloatArray, FloatArray], lag: int) -> tuple[int, FloatArray, FloatArray]:
        return window[0], bars.lag(window[1], lag), bars.lag(window[2], lag)

    block, total = (1, bars.close, np.zeros_like(bars.close)), None
    while True:
        if length & block[0]:
            total = block if total is None else merged(total, earlier(block, total[0]))
        if block[0] * 2 > length:
            break
        block = merged(block, earlier(block, block[0]))
    assert total is not None  # noqa: S101 - length >= 1 has a lowest set bit
    return total[1], total[2]


def _macd_histogram(bars: BarColumns, fast: int, slow: int, signal: int) -> FloatArray:
    return trend.macd_histogram(bars, fast, slow, signal, bars_back=0)


def _rsi_signal(bars: BarColumns, length: int, smooth: int) -> FloatArray:
    """RSI smoothed by an EMA."""
    return exponential(bars, oscillators.rsi(bars, length), smooth)


def _highest(bars: BarColumns, length: int) -> FloatArray:
    """Highest high of the ``length`` bars before this one: a level that this bar may break."""
    return bars.lag(rolling.window_maximum(bars.high, length, bars.position), 1)


def _lowest(bars: BarColumns, length: int) -> FloatArray:
    """Lowest low of the ``length`` bars before this one."""
    return bars.lag(rolling.window_minimum(bars.low, length, bars.position), 1)


def _psar(bars: BarColumns) -> FloatArray:
    return per_symbol(bars, "SAR", bars.high, bars.low, acceleration=0.02, maximum=0.2)


_POINTS = Grid(5, 95, 5)
_ZERO = Grid(0, 0, 1)
_AVERAGE = {"length": Grid(10, 200, 10)}
_WILDER = {"length": Grid(7, 28, 1)}
_STOCHASTIC = {"length": Grid(7, 28, 7), "smooth": Grid(3, 5, 1)}
_MACD = {"fast": Grid(8, 16, 2), "slow": Grid(20, 36, 4)}
_MACD_SIGNAL = {**_MACD, "signal": Grid(6, 12, 3)}
_VOTES = Grid(-0.9, 0.9, 0.1)

#: Warm-up of the slowest recursive column: seven lengths of an EMA of 200.
LOOKBACK_BARS = 1500

_ALL = (
    Feature("close", Scale.PRICE, trend.close),
    Feature("sma", Scale.PRICE, trend.sma, _AVERAGE, lookback_bars=200),
    Feature("ema", Scale.PRICE, trend.ema, _AVERAGE, lookback_bars=1500),
    Feature("hma", Scale.PRICE, trend.hma, {"length": Grid(9, 49, 10)}, lookback_bars=60),
    Feature("vwma", Scale.PRICE, trend.vwma, {"length": Grid(10, 50, 10)}, lookback_bars=50),
    Feature("mid_range", Scale.PRICE, trend.mid_range, {"length": Grid(9, 54, 9)}, lookback_bars=54),
    Feature("highest", Scale.PRICE, _highest, {"length": Grid(10, 100, 10)}, lookback_bars=101),
    Feature("lowest", Scale.PRICE, _lowest, {"length": Grid(10, 100, 10)}, lookback_bars=101),
    Feature("psar", Scale.PRICE, _psar, lookback_bars=1500),
    Feature("macd", Scale.MACD, trend.macd, _MACD, _ZERO, 300),
    Feature("macd_signal", Scale.MACD, trend.macd_signal, _MACD_SIGNAL, _ZERO, 400),
    Feature("macd_histogram", Scale.PURE, _macd_histogram, _MACD_SIGNAL, _ZERO, 400),
    Feature("momentum", Scale.PURE, oscillators.momentum, {"length": Grid(5, 30, 5)}, _ZERO, 31),
    Feature("rsi", Scale.RSI, oscillators.rsi, _WILDER, Grid(15, 85, 1), 400),
    Feature("rsi_signal", Scale.RSI, _rsi_signal, {**_WILDER, "smooth": Grid(3, 9, 2)}, _POINTS, 500),
    Feature("stochastic", Scale.STOCHASTIC, oscillators.stochastic_k, _STOCHASTIC, _POINTS, 40),
    Feature(
        "stochastic_signal", Scale.STOCHASTIC, oscillators.stochastic_d, {**_STOCHASTIC, "signal": Grid(3, 5, 1)},
        _POINTS, 50,
    ),
    Feature("adx", Scale.PURE, oscillators.adx, _WILDER, Grid(10, 50, 1), 800),
    Feature("plus_di", Scale.DIRECTIONAL, oscillators.plus_di, _WILDER, _POINTS, 400),
    Feature("minus_di", Scale.DIRECTIONAL, oscillators.minus_di, _WILDER, _POINTS, 400),
    Feature("cci", Scale.PURE, oscillators.cci, {"length": Grid(10, 40, 10)}, Grid(-200, 200, 25), 40),
    Feature("band_score", Scale.PURE, _band_score, {"length": Grid(15, 25, 1)}, Grid(-3, 3, 0.1), 25),
    Feature("volume_ratio", Scale.PURE, _volume_ratio, {"length": Grid(10, 30, 10)}, Grid(0.5, 3, 0.1), 30),
    Feature("atr_fraction", Scale.PURE, _atr_fraction, _WILDER, Grid(0.001, 0.05, 0.001), 400),
    Feature("rating", Scale.PURE, None, {}, _VOTES, LOOKBACK_BARS),
    Feature("moving_averages", Scale.PURE, None, {}, _VOTES, LOOKBACK_BARS),
    Feature("oscillators", Scale.PURE, None, {}, _VOTES, LOOKBACK_BARS),
)  # fmt: skip

FEATURES: Mapping[str, Feature] = MappingProxyType({feature.name: feature for feature in _ALL})
#: Columns of the technical rating, computed together.
RATINGS = ("rating", "moving_averages", "oscillators")
