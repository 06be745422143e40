"""Every indicator that is stored: its name, function, parameters, warm-up and unit. One line adds one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from trading.indicators import oscillators, trend
from trading.indicators.columns import FloatArray

#: Bars before a day's first bar that its values are computed over. A seeding difference shrinks below
#: 1e-6 of itself after about 7 lengths of an EMA (200: 1,400 bars) and 14 of Wilder's (14: 200 bars).
LOOKBACK_BARS = 1500

_MACD = {"fast": 12, "slow": 26}
_SIGNAL = {**_MACD, "signal": 9}
_STOCH_RSI = {"rsi_length": 14, "length": 14, "smooth": 3}


@dataclass(frozen=True, slots=True)
class Indicator:
    """One stored column.

    Attributes
    ----------
    function
        Takes the bars as columns and ``parameters``; returns one value per bar.
    warmup_bars
        Bars of the symbol before its first value, that is the position of the first non-null.
        Undefined values (a flat range, no volume) may be null later too.
    unit
        ``quote`` and ``base`` currency, a range such as ``0-100``, or empty for a pure number.
    """

    name: str
    function: Callable[..., FloatArray]
    warmup_bars: int
    unit: str
    parameters: Mapping[str, float] = field(default_factory=dict)


def _averages() -> tuple[Indicator, ...]:
    return tuple(
        Indicator(f"{kind}_{length}", function, length - 1, "quote", {"length": length})
        for kind, function in (("sma", trend.sma), ("ema", trend.ema))
        for length in (10, 20, 30, 50, 100, 200)
    )


INDICATORS: tuple[Indicator, ...] = (
    Indicator("close", trend.close, 0, "quote"),
    Indicator("volume", trend.volume, 0, "base"),
    *_averages(),
    Indicator("hma_9", trend.hma, 10, "quote", {"length": 9}),
    Indicator("vwma_20", trend.vwma, 19, "quote", {"length": 20}),
    Indicator("vwap", trend.vwap, 0, "quote", {"daily_length": 20}),
    Indicator("ichimoku_conversion", trend.mid_range, 8, "quote", {"length": 9}),
    Indicator("ichimoku_base", trend.mid_range, 25, "quote", {"length": 26}),
    Indicator(
        "ichimoku_lead_a",
        trend.ichimoku_lead_a,
        51,
        "quote",
        {"conversion": 9, "base": 26, "displacement": 26},
    ),
    Indicator("ichimoku_lead_b", trend.ichimoku_lead_b, 77, "quote", {"length": 52, "displacement": 26}),
    Indicator("rsi_14", oscillators.rsi, 14, "0-100", {"length": 14}),
    Indicator("stoch_k", oscillators.stochastic_k, 15, "0-100", {"length": 14, "smooth": 3}),
    Indicator("stoch_d", oscillators.stochastic_d, 17, "0-100", {"length": 14, "smooth": 3, "signal": 3}),
    Indicator("stoch_rsi_k", oscillators.stochastic_rsi_k, 29, "0-100", _STOCH_RSI),
    Indicator("stoch_rsi_d", oscillators.stochastic_rsi_d, 31, "0-100", {**_STOCH_RSI, "signal": 3}),
    Indicator("cci_20", oscillators.cci, 19, "", {"length": 20}),
    Indicator("adx_14", oscillators.adx, 27, "0-100", {"length": 14}),
    Indicator("plus_di_14", oscillators.plus_di, 14, "0-100", {"length": 14}),
    Indicator("minus_di_14", oscillators.minus_di, 14, "0-100", {"length": 14}),
    Indicator("atr_14", trend.atr, 14, "quote", {"length": 14}),
    Indicator("awesome", oscillators.awesome, 33, "quote", {"fast": 5, "slow": 34}),
    Indicator("momentum_10", oscillators.momentum, 10, "quote", {"length": 10}),
    Indicator("macd", trend.macd, 25, "quote", _MACD),
    Indicator("macd_signal", trend.macd_signal, 33, "quote", _SIGNAL),
    Indicator("macd_histogram", trend.macd_histogram, 33, "quote", {**_SIGNAL, "bars_back": 0}),
    Indicator("macd_histogram_previous", trend.macd_histogram, 34, "quote", {**_SIGNAL, "bars_back": 1}),
    Indicator("macd_lift", trend.macd_lift, 26, "quote", _MACD),
    Indicator("williams_r_14", oscillators.williams_r, 13, "-100-0", {"length": 14}),
    Indicator("bull_power_13", oscillators.bull_power, 12, "quote", {"length": 13}),
    Indicator("bear_power_13", oscillators.bear_power, 12, "quote", {"length": 13}),
    Indicator("ultimate", oscillators.ultimate, 28, "0-100", {"short": 7, "middle": 14, "long": 28}),
    Indicator("psar", trend.psar, 1, "quote", {"step": 0.02, "maximum": 0.2}),
    Indicator("qqe_line", oscillators.qqe_line, 18, "0-100", {"rsi_length": 14, "smooth": 5}),
    Indicator(
        "qqe_trail", oscillators.qqe_trail, 71, "0-100", {"rsi_length": 14, "smooth": 5, "factor": 4.236}
    ),
    Indicator("volume_sma_9", trend.volume_sma, 8, "base", {"length": 9}),
    Indicator("volume_sma_20", trend.volume_sma, 19, "base", {"length": 20}),
)
