"""Screening: indicators, the BTC regime, technical ratings, rating kicks and fork scores."""

from __future__ import annotations

import polars as pl

from trading.model.interval import RESAMPLED
from trading.ratings.labels import RATING_LABELS
from trading.ratings.rules import MOVING_AVERAGE_VOTES, OSCILLATOR_VOTES
from trading.screening.fork import FORK_COMPONENTS
from warehouse.datasets.common import CLOSE_TIME, OPEN_TIME, SYMBOL, number, price
from warehouse.schema import Column, Dataset

__all__ = [
    "BTC_CONDITION",
    "FORK_COMPONENTS",
    "FORK_SCORES",
    "INDICATORS",
    "MOVING_AVERAGE_VOTES",
    "OSCILLATOR_VOTES",
    "RATING_KICKS",
    "RATING_LABELS",
    "SCREENER_RATINGS",
]

_BAR = (SYMBOL, OPEN_TIME, CLOSE_TIME)
_ROUNDING = 1e-6


def _percent(name: str, description: str) -> Column:
    """A bounded oscillator on the 0-100 scale, with room for floating-point rounding."""
    return number(name, "0-100", description, minimum=-_ROUNDING, maximum=100.0 + _ROUNDING)


_AVERAGES = tuple(
    number(f"{kind}_{length}", "quote", f"{kind.upper()} of close over {length} bars")
    for kind in ("sma", "ema")
    for length in (10, 20, 30, 50, 100, 200)
)

INDICATORS = Dataset(
    name="indicators",
    description="Technical indicators per bar, each over a fixed look-back window ending at the bar.",
    columns=(
        *_BAR,
        price("close", "Close of the bar"),
        number("volume", "base", "Volume of the bar", minimum=0.0, nullable=False),
        *_AVERAGES,
        number("hma_9", "quote", "Hull moving average, 9 bars"),
        number("vwma_20", "quote", "Volume-weighted moving average, 20 bars"),
        number("vwap", "quote", "Volume-weighted average price since midnight UTC (1d: 20 bars)"),
        number("ichimoku_conversion", "quote", "Ichimoku conversion line, 9 bars"),
        number("ichimoku_base", "quote", "Ichimoku base line, 26 bars"),
        number("ichimoku_lead_a", "quote", "Leading span A as of 26 bars back"),
        number("ichimoku_lead_b", "quote", "Leading span B (52 bars) as of 26 bars back"),
        _percent("rsi_14", "Relative strength index, Wilder"),
        _percent("stoch_k", "Stochastic K 14, smoothed 3"),
        _percent("stoch_d", "Stochastic D, SMA 3 of K"),
        _percent("stoch_rsi_k", "Stochastic RSI K 14-14-3"),
        _percent("stoch_rsi_d", "Stochastic RSI D, SMA 3 of K"),
        number("cci_20", "", "Commodity channel index of close, 20 bars"),
        _percent("adx_14", "Average directional index, Wilder"),
        _percent("plus_di_14", "Positive directional indicator"),
        _percent("minus_di_14", "Negative directional indicator"),
        number("atr_14", "quote", "Average true range, Wilder", minimum=0.0),
        number("awesome", "quote", "Awesome oscillator: SMA5 - SMA34 of the mid price"),
        number("momentum_10", "quote", "close - close 10 bars ago"),
        number("macd", "quote", "MACD line 12/26"),
        number("macd_signal", "quote", "MACD signal, EMA 9"),
        number("macd_histogram", "quote", "macd - macd_signal"),
        number("macd_histogram_previous", "quote", "macd_histogram one bar earlier"),
        number("macd_lift", "quote", "macd - macd one bar earlier"),
        number("williams_r_14", "-100-0", "Williams %R", minimum=-100.0 - _ROUNDING, maximum=_ROUNDING),
        number("bull_power_13", "quote", "high - EMA13"),
        number("bear_power_13", "quote", "low - EMA13"),
        _percent("ultimate", "Ultimate oscillator 7/14/28"),
        number("psar", "quote", "Parabolic SAR, step 0.02, maximum 0.2"),
        _percent("qqe_line", "QQE: RSI 14 smoothed by EMA 5"),
        number("qqe_trail", "0-100", "QQE trailing level, factor 4.236"),
        number("volume_sma_9", "base", "Mean volume, 9 bars", minimum=0.0),
        number("volume_sma_20", "base", "Mean volume, 20 bars", minimum=0.0),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
    intervals=RESAMPLED,
)

BTC_CONDITION = Dataset(
    name="btc_condition",
    description="Regime of BTC per 15-minute bar: the label and the numbers behind it.",
    columns=(
        OPEN_TIME,
        CLOSE_TIME,
        Column(
            "condition",
            pl.String,
            "",
            "Regime; unknown while a component is missing",
            allowed=("bullish", "bearish", "neutral", "unknown"),
        ),
        price("close", "BTC close of the 15-minute bar"),
        number("ema_50", "quote", "EMA 50 of 15-minute closes"),
        number("ema_200", "quote", "EMA 200 of 15-minute closes"),
        number("rsi_14", "0-100", "RSI 14 of 15-minute closes"),
        number("macd_histogram", "quote", "MACD histogram of 15-minute closes"),
        number("adx_14", "0-100", "ADX 14 of 15-minute bars"),
        number("close_1h", "quote", "Close of the newest closed 1-hour bar"),
        number("ema_50_1h", "quote", "EMA 50 of that 1-hour bar"),
        number("adx_14_1h", "0-100", "ADX 14 of that 1-hour bar"),
        Column("above_vwap", pl.Boolean, "", "Whether close is above the session VWAP", True),
        number("fork_multiplier", "", "BTC multiplier of the fork score", minimum=0.8, maximum=1.2),
    ),
    key=("open_time",),
    time_column="open_time",
)

SCREENER_RATINGS = Dataset(
    name="screener_ratings",
    description="Technical ratings tv_lib_v3 per bar: three ratings, the label and every vote.",
    columns=(
        *_BAR,
        number("rating", "-1..1", "Mean of the two group ratings", minimum=-1.0, maximum=1.0),
        number("moving_averages", "-1..1", "Mean of the available averages", minimum=-1.0, maximum=1.0),
        number("oscillators", "-1..1", "Mean of the available oscillators", minimum=-1.0, maximum=1.0),
        Column("label", pl.String, "", "Label of the total rating", True, allowed=RATING_LABELS),
        Column("streak", pl.Int32, "bars", "Streak counter of |rating|, 0 to 5", True, 0, 5),
        *(
            Column(f"vote_{name}", pl.Int8, "-1/0/1", f"Vote of {name}; null when missing", True, -1, 1)
            for name in (*MOVING_AVERAGE_VOTES, *OSCILLATOR_VOTES)
        ),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
    intervals=RESAMPLED,
)

FORK_SCORES = Dataset(
    name="fork_scores",
    description="Early-recovery (fork) score per 15-minute bar, with every sub-score.",
    columns=(
        *_BAR,
        price("close", "Close of the bar"),
        number("score", "", "Weighted sum of sub-scores times the BTC multiplier"),
        number("btc_multiplier", "", "BTC multiplier", minimum=0.8, maximum=1.2),
        *(
            number(name, "0-1", f"Sub-score {name}; null when an input is missing", minimum=0.0, maximum=1.0)
            for name in FORK_COMPONENTS
        ),
        Column("passed", pl.Boolean, "", "score at or above the pass mark with RSI or StochRSI recovery"),
        Column("reason", pl.String, "", "passed, or the first condition that failed"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
)

RATING_KICKS = Dataset(
    name="rating_kicks",
    description="Fork score adjusted by the rating label of the same 15-minute bar (the kicker).",
    columns=(
        *_BAR,
        Column(
            "label", pl.String, "", "15-minute rating label; null when missing", True, allowed=RATING_LABELS
        ),
        number("kick", "", "Weight of the label added to the score; 0 when missing or BTC is not bullish"),
        number("score", "", "Fork score before the kick"),
        number("adjusted", "", "score + kick"),
        Column("active", pl.Boolean, "", "Whether the kicker applies (BTC bullish)"),
        Column("passed", pl.Boolean, "", "active, fork passed and adjusted at or above the mark"),
    ),
    key=("symbol", "open_time"),
    time_column="open_time",
)
