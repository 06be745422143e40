"""Entry and exit conditions of each family: the one code that back-tests and signals share."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

import numpy as np

from trading.factory.genome import (
    BollingerBreakout,
    BollingerReversion,
    EmaTrend,
    Genome,
    MacdVolume,
    RsiReversal,
)
from trading.factory.panel import Mask, Panel
from trading.indicators import oscillators, rolling, trend
from trading.indicators.columns import FloatArray
from trading.indicators.smoothing import exponential

_VOLUME_LENGTH = 20


def conditions(genome: Genome, panel: Panel) -> tuple[Mask, Mask]:
    """Where the genome would enter and exit, at the close of each bar.

    Returns
    -------
    entries, exits
        Shape (symbols, hours). A value at an hour depends on that hour's bar and earlier ones only.
        False where the symbol has no bar or an input is unknown; a crossing needs the hour before.
        An entry is dropped where the exit condition holds too.
    """
    compute = cast("Callable[[Genome, Panel], tuple[Mask, Mask]]", _CONDITIONS[type(genome)])
    entries, exits = compute(genome, panel)
    return panel.on_clock(entries & ~exits), panel.on_clock(exits)


def _rsi_reversal(genome: RsiReversal, panel: Panel) -> tuple[Mask, Mask]:
    rsi = panel.series(("rsi", genome.rsi_length), lambda: oscillators.rsi(panel.columns, genome.rsi_length))
    return _crosses_above(panel, rsi, genome.oversold), rsi >= genome.overbought


def _ema_trend(genome: EmaTrend, panel: Panel) -> tuple[Mask, Mask]:
    lead = _ema(panel, genome.fast_length) - _ema(panel, genome.slow_length)
    adx = panel.series(("adx", genome.adx_length), lambda: oscillators.adx(panel.columns, genome.adx_length))
    return _crosses_above(panel, lead, 0.0) & (adx > genome.adx_minimum), lead < 0


def _macd_volume(genome: MacdVolume, panel: Panel) -> tuple[Mask, Mask]:
    line = _ema(panel, genome.fast_length) - _ema(panel, genome.slow_length)
    histogram = line - exponential(panel.columns, line, genome.signal_length)
    loud = _volume_ratio(panel) > genome.volume_ratio
    return _crosses_above(panel, histogram, 0.0) & loud, histogram < 0


def _bollinger_breakout(genome: BollingerBreakout, panel: Panel) -> tuple[Mask, Mask]:
    score = _band_score(panel, genome.band_length)
    loud = _volume_ratio(panel) > genome.volume_ratio
    return _crosses_above(panel, score, genome.band_width) & loud, score < 0


def _bollinger_reversion(genome: BollingerReversion, panel: Panel) -> tuple[Mask, Mask]:
    score = _band_score(panel, genome.band_length)
    return _crosses_above(panel, score, -genome.band_width), score >= 0


_CONDITIONS: dict[type[Genome], object] = {
    RsiReversal: _rsi_reversal,
    EmaTrend: _ema_trend,
    MacdVolume: _macd_volume,
    BollingerBreakout: _bollinger_breakout,
    BollingerReversion: _bollinger_reversion,
}


def _crosses_above(panel: Panel, values: FloatArray, level: float) -> Mask:
    crossed: Mask = (values > level) & (panel.previous(values) <= level)
    return crossed


def _ema(panel: Panel, length: int) -> FloatArray:
    return panel.series(("ema", length), lambda: trend.ema(panel.columns, length))


def _volume_ratio(panel: Panel) -> FloatArray:
    def ratio() -> FloatArray:
        columns = panel.columns
        return rolling.ratio(columns.volume, trend.volume_sma(columns, _VOLUME_LENGTH))

    return panel.series("volume_ratio", ratio)


def _band_score(panel: Panel, length: int) -> FloatArray:
    """Distance of close from its mean in (population) standard deviations: bands are levels of it."""

    def score() -> FloatArray:
        close, position = panel.columns.close, panel.columns.position
        out = np.full(close.size, np.nan)
        if close.size < length:
            return out
        windows = np.lib.stride_tricks.sliding_window_view(close, length)
        mean, deviation = windows.mean(axis=1), windows.std(axis=1)
        out[length - 1 :] = rolling.ratio(close[length - 1 :] - mean, deviation)
        out[position < length - 1] = np.nan
        return out

    return panel.series(("band_score", length), score)
