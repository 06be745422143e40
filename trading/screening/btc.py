"""The BTC regime per 15-minute bar: a label, and the multiplier that it puts on fork scores."""

from __future__ import annotations

from datetime import date
from typing import Final

import polars as pl

from trading.indicators.window import day_start_ms, trim
from trading.model.interval import Interval
from trading.screening.hourly import with_hourly

#: 1-hour bars before the day's first that :func:`for_day` needs.
HOURLY_LOOKBACK_BARS: Final = 2

_HOURLY = ("close", "ema_50", "adx_14")


def btc_condition(
    indicators_15m: pl.DataFrame, indicators_1h: pl.DataFrame, symbol: str = "BTCUSDT"
) -> pl.DataFrame:
    """Regime of ``symbol`` at every 15-minute bar.

    The label reads the 15-minute bar: bullish when EMA50 > EMA200, MACD histogram > 0, RSI > 55 and
    ADX > 25; bearish when EMA50 < EMA200, histogram < 0, RSI < 45 and ADX > 25; else neutral; unknown
    while one of them is missing. The multiplier reads the newest closed 1-hour bar for close, EMA50 and
    ADX, and the 15-minute RSI; it is null while one of those is missing or the hour is stale.

    Returns
    -------
    DataFrame
        One row per 15-minute bar of ``symbol``, sorted by open_time; empty when it has none.
    """
    btc = with_hourly(
        indicators_15m.filter(pl.col("symbol") == symbol),
        indicators_1h.filter(pl.col("symbol") == symbol),
        _HOURLY,
    )
    return btc.select(
        "open_time",
        "close_time",
        _label().alias("condition"),
        "close",
        "ema_50",
        "ema_200",
        "rsi_14",
        "macd_histogram",
        "adx_14",
        "close_1h",
        "ema_50_1h",
        "adx_14_1h",
        (pl.col("close") > pl.col("vwap")).alias("above_vwap"),
        _multiplier().alias("fork_multiplier"),
    ).sort("open_time")


def for_day(
    indicators_15m: pl.DataFrame, indicators_1h: pl.DataFrame, day: date, symbol: str = "BTCUSDT"
) -> pl.DataFrame:
    """Regime of the 15-minute bars that open in ``day``.

    ``indicators_1h`` must reach :data:`HOURLY_LOOKBACK_BARS` bars back, that is into the day before.
    """
    hourly = trim(indicators_1h, day, Interval.H1, HOURLY_LOOKBACK_BARS)
    condition = btc_condition(trim(indicators_15m, day, Interval.M15, 0), hourly, symbol)
    return condition.filter(pl.col("open_time").dt.epoch("ms") >= day_start_ms(day))


def _label() -> pl.Expr:
    fast, slow, histogram = pl.col("ema_50"), pl.col("ema_200"), pl.col("macd_histogram")
    rsi, adx = pl.col("rsi_14"), pl.col("adx_14")
    known = pl.all_horizontal(value.is_not_null() for value in (fast, slow, histogram, rsi, adx))
    strong = adx > 25
    return (
        pl.when(~known)
        .then(pl.lit("unknown"))
        .when((fast > slow) & (histogram > 0) & (rsi > 55) & strong)
        .then(pl.lit("bullish"))
        .when((fast < slow) & (histogram < 0) & (rsi < 45) & strong)
        .then(pl.lit("bearish"))
        .otherwise(pl.lit("neutral"))
    )


def _multiplier() -> pl.Expr:
    close, average, adx, rsi = (pl.col(name) for name in ("close_1h", "ema_50_1h", "adx_14_1h", "rsi_14"))
    trend = (
        pl.when((close > average) & (adx > 20))
        .then(0.10)
        .when(close > average)
        .then(0.05)
        .when((close < average) & (adx > 15))
        .then(-0.05)
        .otherwise(0.0)
    )
    known = pl.all_horizontal(value.is_not_null() for value in (close, average, adx, rsi))
    oversold = pl.when(rsi < 35).then(-0.05).otherwise(0.0)
    return pl.when(known).then((1.0 + trend + oversold).clip(0.8, 1.2))
