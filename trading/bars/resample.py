"""Bars from one-minute klines, aligned to midnight UTC, closed bars only."""

from __future__ import annotations

import polars as pl

from trading.errors import BadData
from trading.model.interval import Interval

#: Columns that a source may lack: a bar has them only if every minute of it has them.
_OPTIONAL = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")


def resample(klines: pl.DataFrame, interval: Interval, *, closed_before_ms: int) -> pl.DataFrame:
    """Aggregate one-minute klines into bars of one interval.

    Parameters
    ----------
    klines
        Rows of the ``klines`` dataset, any order, unique by symbol and open time.
    interval
        Length of the bars; every length divides a day, so bars start at midnight UTC.
    closed_before_ms
        Only bars that end at or before this moment are returned.

    Returns
    -------
    polars.DataFrame
        Rows of the ``bars`` dataset, sorted by symbol and open time. A bar without any minute is
        absent. ``quote_volume``, ``trades`` and the taker columns are null when null in any minute
        of the bar. ``complete`` tells whether every minute was present.

    Raises
    ------
    BadData
        If a symbol has two klines of the same minute: a sum over them would count volume twice.
    """
    length_ms = interval.milliseconds
    ordered = klines.sort("symbol", "open_time")
    _refuse_duplicates(ordered)
    opened_ms = pl.col("open_time").dt.epoch("ms")
    stamp = pl.Datetime("ms", "UTC")
    return (
        ordered.lazy()
        .with_columns((opened_ms // length_ms * length_ms).alias("_bar_ms"))
        .filter(pl.col("_bar_ms") + length_ms <= closed_before_ms)
        .group_by("symbol", "_bar_ms", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            # Summed bar by bar below: a grouped sum adds in an order that depends on how many rows
            # and processors there are, and the last digits with it.
            pl.col("volume"),
            *(pl.col(name) for name in _OPTIONAL),
            *(pl.col(name).null_count().alias(f"_{name}_nulls") for name in _OPTIONAL),
            pl.len().cast(pl.Int32).alias("minutes"),
        )
        .select(
            "symbol",
            pl.col("_bar_ms").cast(stamp).alias("open_time"),
            (pl.col("_bar_ms") + length_ms).cast(stamp).alias("close_time"),
            "open",
            "high",
            "low",
            "close",
            pl.col("volume").list.sum(),
            *(
                pl.when(pl.col(f"_{name}_nulls") == 0).then(pl.col(name).list.sum()).alias(name)
                for name in _OPTIONAL
            ),
            "minutes",
            (pl.col("minutes") == interval.minutes).alias("complete"),
        )
        .collect()
    )


def _refuse_duplicates(ordered: pl.DataFrame) -> None:
    same = (pl.col("symbol") == pl.col("symbol").shift()) & (
        pl.col("open_time") == pl.col("open_time").shift()
    )
    duplicates = ordered.filter(same)
    if duplicates.height:
        first = duplicates.row(0, named=True)
        raise BadData(
            f"klines: {duplicates.height} duplicate row(s), the first is {first['symbol']} "
            f"{first['open_time']:%Y-%m-%d %H:%M}; keep one row per symbol and open_time"
        )
