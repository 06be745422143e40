"""Model features per hourly bar, from nothing later than its close."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta

import polars as pl

from trading.errors import BadData

#: Feature columns, in the order a model reads them. All known at the close of the hourly bar.
FEATURES = (
    "return_1",
    "return_4",
    "return_24",
    "volatility_24",
    "atr_fraction",
    "rsi_14",
    "stoch_rsi_k",
    "adx_14",
    "di_spread",
    "macd_histogram_fraction",
    "ema_50_distance",
    "ema_200_distance",
    "vwap_distance",
    "volume_ratio",
    "drawdown_168",
    "rating",
    "rating_4h",
    "btc_return_24",
    "btc_rsi_14",
    "hour_sine",
    "hour_cosine",
)

#: Hourly bars before a day that its features read: the longest window (168) and a day of margin.
FEATURE_LOOKBACK_BARS = 192

#: Share of a rolling window's bars that must be present; below it the feature is null.
WINDOW_COVERAGE = 0.875

_HOUR = timedelta(hours=1)
_RATING_4H_MAX_AGE = timedelta(hours=8)
_FROM_INDICATORS = (
    "volume",
    "atr_14",
    "rsi_14",
    "stoch_rsi_k",
    "adx_14",
    "plus_di_14",
    "minus_di_14",
    "macd_histogram",
    "ema_50",
    "ema_200",
    "vwap",
    "volume_sma_20",
)


def feature_rows(
    bars_1h: pl.DataFrame,
    indicators_1h: pl.DataFrame,
    ratings_1h: pl.DataFrame,
    ratings_4h: pl.DataFrame,
    btc_symbol: str,
) -> pl.DataFrame:
    """Features of every hourly bar in the window.

    Parameters
    ----------
    bars_1h, indicators_1h, ratings_1h, ratings_4h
        Frames in the schemas of `bars`, `indicators` and `screener_ratings`.
    btc_symbol
        The symbol whose return and RSI every row also carries.

    Returns
    -------
    polars.DataFrame
        In the schema of `features`, one row per bar of ``bars_1h``, sorted by symbol and open time.
        Fractions, not percent; oscillators keep their 0-100 scale. A value without enough history,
        or whose bars are missing, is null; rolling windows need `WINDOW_COVERAGE` of their bars.
        The 4h rating is the newest one closed at or before the row's close and at most 8 h old.

    Raises
    ------
    BadData
        If ``bars_1h`` repeats a (symbol, open_time).
    """
    if bars_1h.select("symbol", "open_time").is_duplicated().any():
        raise BadData("bars 1h: a (symbol, open_time) occurs twice; rebuild the bars partition")
    keyed = (
        bars_1h.select("symbol", "open_time", "close_time", "close")
        .join(
            indicators_1h.select("symbol", "open_time", *_FROM_INDICATORS),
            on=["symbol", "open_time"],
            how="left",
        )
        .join(ratings_1h.select("symbol", "open_time", "rating"), on=["symbol", "open_time"], how="left")
    )
    rows = _on_hourly_grid(keyed).with_columns(_rolling()).filter(pl.col("close").is_not_null())
    rows = rows.with_columns(*_ratios(), *_hour())
    rows = _join_rating_4h(rows, ratings_4h)
    rows = _join_btc(rows, btc_symbol)
    known = [
        pl.when(pl.col(name).is_finite()).then(pl.col(name)).otherwise(None).alias(name) for name in FEATURES
    ]
    return rows.select("symbol", "open_time", "close_time", "close", *known).sort("symbol", "open_time")


def for_day(
    bars_1h: pl.DataFrame,
    indicators_1h: pl.DataFrame,
    ratings_1h: pl.DataFrame,
    ratings_4h: pl.DataFrame,
    btc_symbol: str,
    day: date,
) -> pl.DataFrame:
    """Features of one UTC day, from exactly `FEATURE_LOOKBACK_BARS` bars before it, however much is given.

    Trimming by time makes a day's rows the same whether it is rebuilt alone or within a range.
    Returns the rows whose open time falls on the day.
    """
    start = datetime(day.year, day.month, day.day, tzinfo=UTC)
    window_start, end = start - FEATURE_LOOKBACK_BARS * _HOUR, start + timedelta(days=1)
    inside = (pl.col("open_time") >= window_start) & (pl.col("open_time") < end)
    rows = feature_rows(
        bars_1h.filter(inside),
        indicators_1h.filter(inside),
        ratings_1h.filter(inside),
        ratings_4h.filter(inside),
        btc_symbol,
    )
    return rows.filter(pl.col("open_time") >= start)


def _on_hourly_grid(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each symbol a row for every hour of the window, so that a shift of n is n hours."""
    if rows.is_empty():
        return rows
    opened = pl.col("open_time")
    hours = rows.select(pl.datetime_range(opened.min(), opened.max(), _HOUR).alias("open_time"))
    grid = rows.select(pl.col("symbol").unique().sort()).join(hours, how="cross")
    return grid.join(rows, on=["symbol", "open_time"], how="left").sort("symbol", "open_time")


def _rolling() -> list[pl.Expr]:
    close = pl.col("close")
    change = close / close.shift(1).over("symbol") - 1
    peak = close.rolling_max(168, min_samples=math.ceil(168 * WINDOW_COVERAGE)).over("symbol")
    return [
        change.alias("return_1"),
        (close / close.shift(4).over("symbol") - 1).alias("return_4"),
        (close / close.shift(24).over("symbol") - 1).alias("return_24"),
        (close / close.shift(1) - 1)
        .rolling_std(24, min_samples=math.ceil(24 * WINDOW_COVERAGE))
        .over("symbol")
        .alias("volatility_24"),
        (1 - close / peak).alias("drawdown_168"),
    ]


def _ratios() -> list[pl.Expr]:
    close = pl.col("close")
    return [
        (pl.col("atr_14") / close).alias("atr_fraction"),
        (pl.col("plus_di_14") - pl.col("minus_di_14")).alias("di_spread"),
        (pl.col("macd_histogram") / close).alias("macd_histogram_fraction"),
        (close / pl.col("ema_50") - 1).alias("ema_50_distance"),
        (close / pl.col("ema_200") - 1).alias("ema_200_distance"),
        (close / pl.col("vwap") - 1).alias("vwap_distance"),
        (pl.col("volume") / pl.col("volume_sma_20")).alias("volume_ratio"),
    ]


def _hour() -> list[pl.Expr]:
    angle = pl.col("close_time").dt.hour().cast(pl.Float64) * (2 * math.pi / 24)
    return [angle.sin().alias("hour_sine"), angle.cos().alias("hour_cosine")]


def _join_rating_4h(rows: pl.DataFrame, ratings_4h: pl.DataFrame) -> pl.DataFrame:
    slow = ratings_4h.select("symbol", "close_time", pl.col("rating").alias("rating_4h"))
    return rows.sort("close_time", "symbol").join_asof(
        slow.sort("close_time", "symbol"),
        on="close_time",
        by="symbol",
        strategy="backward",
        tolerance=_RATING_4H_MAX_AGE,
        check_sortedness=False,
    )


def _join_btc(rows: pl.DataFrame, btc_symbol: str) -> pl.DataFrame:
    btc = rows.filter(pl.col("symbol") == btc_symbol).select(
        "close_time",
        pl.col("return_24").alias("btc_return_24"),
        pl.col("rsi_14").alias("btc_rsi_14"),
    )
    return rows.join(btc, on="close_time", how="left")
