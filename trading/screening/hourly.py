"""The newest closed 1-hour values at each 15-minute close."""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from trading.model.interval import Interval

#: An hourly value older than twice its bar is stale, hence missing.
_STALE_MS = 2 * Interval.H1.milliseconds


def with_hourly(
    indicators_15m: pl.DataFrame, indicators_1h: pl.DataFrame, names: Sequence[str]
) -> pl.DataFrame:
    """Append ``<name>_1h`` of the newest 1-hour bar that closed at or before the 15-minute bar.

    Null where the symbol has none, or only one that closed two hours before or earlier.
    """
    hourly = indicators_1h.select(
        "symbol",
        pl.col("close_time").alias("_hour_closed"),
        *(pl.col(name).alias(f"{name}_1h") for name in names),
    )
    joined = indicators_15m.sort("symbol", "close_time").join_asof(
        hourly.sort("symbol", "_hour_closed"),
        left_on="close_time",
        right_on="_hour_closed",
        by="symbol",
        strategy="backward",
        check_sortedness=False,
    )
    age = (pl.col("close_time") - pl.col("_hour_closed")).dt.total_milliseconds()
    return joined.with_columns(
        pl.when(age < _STALE_MS).then(pl.col(f"{name}_1h")).alias(f"{name}_1h") for name in names
    ).drop("_hour_closed")
