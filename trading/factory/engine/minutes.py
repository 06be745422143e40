"""Bars of any length from one-minute klines, for timeframes that no asset stores."""

from __future__ import annotations

import polars as pl

from trading.model.interval import MINUTE_MS

#: Columns that a back-test reads.
COLUMNS = ("symbol", "open_time", "open", "high", "low", "close", "volume")


def bars_of_minutes(klines: pl.DataFrame, minutes: int) -> pl.DataFrame:
    """Bars aligned to midnight UTC, of the minutes that exist.

    Parameters
    ----------
    klines
        `COLUMNS` of closed one-minute klines, any order, unique by symbol and open time.
    minutes
        Length of the bars; divides a day.

    Returns
    -------
    polars.DataFrame
        `COLUMNS`, sorted by symbol and open time; a bar without any minute is absent.
    """
    length_ms = minutes * MINUTE_MS
    opened = pl.col("open_time").dt.epoch("ms")
    return (
        klines.sort("symbol", "open_time")
        .lazy()
        .with_columns((opened // length_ms * length_ms).cast(pl.Datetime("ms", "UTC")).alias("open_time"))
        .group_by("symbol", "open_time", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            # Summed bar by bar below: a grouped sum adds in an order that depends on the processors.
            pl.col("volume"),
        )
        .with_columns(pl.col("volume").list.sum())
        .select(COLUMNS)
        .collect()
    )
