"""Fork score: how far a beaten-down coin's indicators have turned up, per 15-minute bar."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import date
from typing import Annotated, Final

import polars as pl
from annotated_types import Gt, Le

from trading.indicators.window import day_start_ms, trim
from trading.model.interval import Interval
from trading.screening.hourly import with_hourly

#: Sub-scores in the order of the published table.
FORK_COMPONENTS = (
    "macd_histogram",
    "macd_bearish_cross",
    "rsi_recovery",
    "stoch_rsi_cross",
    "stoch_overbought_penalty",
    "adx_rising",
    "ema_price_reclaim",
    "mean_reversion",
    "volume_penalty",
    "stoch_rsi_slope",
)

#: Bars before the day's first that :func:`for_day` needs.
SLOPE_BARS: Final = 3
HOURLY_LOOKBACK_BARS: Final = 2

#: Decimals of a score: a sum that is 0.85 on paper must not miss its mark by a rounding of the last bit.
SCORE_DECIMALS: Final = 12

_HOURLY = ("macd", "macd_signal", "macd_histogram", "macd_histogram_previous", "adx_14", "ema_50", "atr_14")


@dataclass(frozen=True, slots=True)
class ForkWeights:
    """Weight of each sub-score; a penalty's weight is negative.

    Attributes
    ----------
    macd_histogram
        1-hour MACD above its signal and histogram rising.
    macd_bearish_cross
        Penalty: 1-hour MACD below its signal.
    rsi_recovery
        15-minute RSI from 30 (0) to 50 (1).
    stoch_rsi_cross
        15-minute StochRSI K above D and below 80: K - D from 0 to 25 points (1).
    stoch_overbought_penalty
        Penalty: 15-minute StochRSI K and D above 90.
    adx_rising
        1-hour ADX above 10: ADX / 20, at most 1.
    ema_price_reclaim
        15-minute close above the 1-hour EMA50.
    mean_reversion
        Distance of the close above the 1-hour EMA50 in 1-hour ATRs: 1, above 1.5 a half, above 2 a
        quarter, above 3 nothing.
    volume_penalty
        Penalty: 15-minute volume above twice its mean over 9 bars.
    stoch_rsi_slope
        Rise of the 15-minute StochRSI K over three bars: 20 points are 1.
    """

    macd_histogram: float = 0.20
    macd_bearish_cross: Annotated[float, Le(0)] = -0.25
    rsi_recovery: float = 0.20
    stoch_rsi_cross: float = 0.20
    stoch_overbought_penalty: Annotated[float, Le(0)] = -0.15
    adx_rising: float = 0.15
    ema_price_reclaim: float = 0.15
    mean_reversion: float = 0.20
    volume_penalty: Annotated[float, Le(0)] = -0.25
    stoch_rsi_slope: float = 0.20

    @property
    def best(self) -> float:
        """The highest score before the BTC multiplier: every reward in full, no penalty."""
        return sum(max(0.0, float(getattr(self, weight.name))) for weight in fields(self))


@dataclass(frozen=True, slots=True)
class ForkScoreSettings:
    """How fork scores are weighed and passed.

    Attributes
    ----------
    weights
        Weight of each sub-score.
    pass_mark
        Score from which a bar passes. The best score is 1.30 before the BTC multiplier, so 0.85 is
        65 % of it.
    volume_spike_ratio
        Volume over its 9-bar mean above which the volume penalty is charged.
    """

    weights: ForkWeights = ForkWeights()
    pass_mark: Annotated[float, Gt(0)] = 0.85
    volume_spike_ratio: Annotated[float, Gt(1)] = 2.0


def fork_scores(
    indicators_15m: pl.DataFrame,
    indicators_1h: pl.DataFrame,
    btc_condition: pl.DataFrame,
    settings: ForkScoreSettings,
) -> pl.DataFrame:
    """Score every 15-minute bar of every symbol.

    score = sum of weight x sub-score x BTC multiplier. A sub-score is null when an input is missing,
    and the score is then null and not passed. A bar passes with a score at or above the pass mark and
    a sign of recovery: RSI recovery or StochRSI cross above 0.

    Parameters
    ----------
    indicators_15m, indicators_1h
        Rows of the indicator catalogue. The slope reads the symbol's third row before.
    btc_condition
        BTC regime rows; joined on the same bar.

    Returns
    -------
    DataFrame
        Sorted by symbol and open_time. ``reason`` is ``passed``, ``missing_<sub-score>``,
        ``missing_btc_multiplier``, ``below_pass_mark`` or ``no_recovery``, the first that holds.
    """
    inputs = with_hourly(indicators_15m, indicators_1h, _HOURLY).join(
        btc_condition.select("open_time", pl.col("fork_multiplier").alias("btc_multiplier")),
        on="open_time",
        how="left",
        maintain_order="left",
    )
    known = [pl.col(name) for name in (*FORK_COMPONENTS, "btc_multiplier")]
    weighed = sum(
        (getattr(settings.weights, name) * pl.col(name) for name in FORK_COMPONENTS), start=pl.lit(0.0)
    )
    recovering = (pl.col("rsi_recovery") > 0) | (pl.col("stoch_rsi_cross") > 0)
    scored = (
        inputs.select("symbol", "open_time", "close_time", "close", "btc_multiplier", *_subscores(settings))
        .with_columns((weighed * pl.col("btc_multiplier")).round(SCORE_DECIMALS).alias("score"))
        .with_columns(
            pl.coalesce(
                *(
                    pl.when(value.is_null()).then(pl.lit(f"missing_{value.meta.output_name()}"))
                    for value in known
                ),
                pl.when(pl.col("score") < settings.pass_mark).then(pl.lit("below_pass_mark")),
                pl.when(~recovering).then(pl.lit("no_recovery")),
                pl.lit("passed"),
            ).alias("reason")
        )
        .with_columns((pl.col("reason") == "passed").alias("passed"))
    )
    return scored.select(
        "symbol",
        "open_time",
        "close_time",
        "close",
        "score",
        "btc_multiplier",
        *FORK_COMPONENTS,
        "passed",
        "reason",
    )


def for_day(
    indicators_15m: pl.DataFrame,
    indicators_1h: pl.DataFrame,
    btc_condition: pl.DataFrame,
    settings: ForkScoreSettings,
    day: date,
) -> pl.DataFrame:
    """Scores of the 15-minute bars that open in ``day``.

    The windows must reach :data:`SLOPE_BARS` 15-minute and :data:`HOURLY_LOOKBACK_BARS` 1-hour bars
    back, that is into the day before; BTC regime rows are those of the day.
    """
    scored = fork_scores(
        trim(indicators_15m, day, Interval.M15, SLOPE_BARS),
        trim(indicators_1h, day, Interval.H1, HOURLY_LOOKBACK_BARS),
        btc_condition,
        settings,
    )
    return scored.filter(pl.col("open_time").dt.epoch("ms") >= day_start_ms(day))


def _subscores(settings: ForkScoreSettings) -> tuple[pl.Expr, ...]:
    """Each sub-score in [0, 1]; null when one of its inputs is."""
    line, signal = pl.col("macd_1h"), pl.col("macd_signal_1h")
    histogram, before = pl.col("macd_histogram_1h"), pl.col("macd_histogram_previous_1h")
    k, d = pl.col("stoch_rsi_k"), pl.col("stoch_rsi_d")
    close, average, atr, adx = (pl.col(name) for name in ("close", "ema_50_1h", "atr_14_1h", "adx_14_1h"))
    symbol = pl.col("symbol")
    k_before = pl.when(symbol == symbol.shift(SLOPE_BARS)).then(k.shift(SLOPE_BARS))
    stretch = pl.when(atr > 0).then((close - average) / atr)
    reverted = (
        pl.when(stretch > 3)
        .then(0.0)
        .when(stretch > 2)
        .then(0.25)
        .when(stretch > 1.5)
        .then(0.5)
        .otherwise(1.0)
    )
    values: dict[str, tuple[pl.Expr, tuple[pl.Expr, ...]]] = {
        "macd_histogram": (_flag((line > signal) & (histogram > before)), (line, signal, histogram, before)),
        "macd_bearish_cross": (_flag(line < signal), (line, signal)),
        "rsi_recovery": (((pl.col("rsi_14") - 30.0) / 20.0).clip(0.0, 1.0), (pl.col("rsi_14"),)),
        "stoch_rsi_cross": (
            pl.when((k > d) & (k < 80)).then(((k - d) / 25.0).clip(0.0, 1.0)).otherwise(0.0),
            (k, d),
        ),
        "stoch_overbought_penalty": (_flag((k > 90) & (d > 90)), (k, d)),
        "adx_rising": (pl.when(adx > 10).then((adx / 20.0).clip(0.0, 1.0)).otherwise(0.0), (adx,)),
        "ema_price_reclaim": (_flag(close > average), (close, average)),
        "mean_reversion": (reverted, (stretch,)),
        "volume_penalty": (
            _flag(pl.col("volume") > settings.volume_spike_ratio * pl.col("volume_sma_9")),
            (pl.col("volume"), pl.col("volume_sma_9")),
        ),
        # The published 5 x rise is for K on the 0-1 scale; K here is 0-100.
        "stoch_rsi_slope": ((5.0 * (k - k_before) / 100.0).clip(0.0, 1.0), (k, k_before)),
    }
    return tuple(
        pl.when(pl.all_horizontal(part.is_not_null() for part in inputs)).then(value).alias(name)
        for name, (value, inputs) in values.items()
    )


def _flag(condition: pl.Expr) -> pl.Expr:
    return pl.when(condition).then(1.0).otherwise(0.0)
