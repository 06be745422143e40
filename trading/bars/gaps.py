"""Holes in one-minute klines: which minutes are missing, for whom, and whether the venue was silent."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from trading.model.interval import DAY_MS, MINUTE_MS

_STAMP = pl.Datetime("ms", "UTC")
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "first_missing": _STAMP,
    "last_missing": _STAMP,
    "missing_minutes": pl.Int64,
    "kind": pl.String,
}


def day_bounds_ms(day: date, closed_before_ms: int) -> tuple[int, int]:
    """First open time of the UTC day and the exclusive end of what can be closed in it, both ms."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    closed = closed_before_ms // MINUTE_MS * MINUTE_MS
    return start, max(start, min(start + DAY_MS, closed))


def find_gaps(
    klines: pl.DataFrame, instruments: pl.DataFrame, day: date, closed_before_ms: int
) -> pl.DataFrame:
    """Runs of minutes of the day that have no kline.

    Parameters
    ----------
    klines
        Rows of the ``klines`` dataset; other days are ignored.
    instruments
        Rows of the ``instruments`` dataset: who is expected, and from when (``listed_at``).
    day, closed_before_ms
        The UTC day, and the moment up to which minutes count as closed.

    Returns
    -------
    polars.DataFrame
        Rows of the ``kline_gaps`` dataset, sorted by symbol and time. Minutes before the listing
        are ``not_listed``; minutes that no listed symbol has are ``venue``; the rest is ``symbol``.
        A symbol whose listing is unknown is expected for the whole day.
    """
    start, end = day_bounds_ms(day, closed_before_ms)
    if end <= start or instruments.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    present = (
        klines.lazy()
        .select("symbol", pl.col("open_time").dt.epoch("ms").alias("ms"))
        .filter(pl.col("ms").is_between(start, end, closed="left"))
        .unique()
    )
    minutes = pl.LazyFrame({"ms": pl.int_range(start, end, MINUTE_MS, dtype=pl.Int64, eager=True)})
    traded = present.select("ms").unique().with_columns(pl.lit(True).alias("_any"))
    expected = instruments.lazy().select("symbol", pl.col("listed_at").dt.epoch("ms").alias("listed_ms"))
    kind = (
        pl.when(pl.col("ms") < pl.col("listed_ms").fill_null(start) // MINUTE_MS * MINUTE_MS)
        .then(pl.lit("not_listed"))
        .when(pl.col("_any").is_null())
        .then(pl.lit("venue"))
        .otherwise(pl.lit("symbol"))
    )
    missing = (
        expected.join(minutes, how="cross")
        .join(present, on=["symbol", "ms"], how="anti")
        .join(traded, on="ms", how="left")
        .with_columns(kind.alias("kind"))
        .sort("symbol", "ms")
    )
    starts_run = (
        (pl.col("symbol") != pl.col("symbol").shift())
        | (pl.col("kind") != pl.col("kind").shift())
        | (pl.col("ms") - pl.col("ms").shift() != MINUTE_MS)
    ).fill_null(True)
    return (
        missing.with_columns(starts_run.cum_sum().alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("ms").first().cast(_STAMP).alias("first_missing"),
            pl.col("ms").last().cast(_STAMP).alias("last_missing"),
            pl.len().cast(pl.Int64).alias("missing_minutes"),
            pl.col("kind").first(),
        )
        .select(list(_SCHEMA))
        .collect()
    )


def expected_minutes(instruments: pl.DataFrame, day: date, closed_before_ms: int) -> pl.DataFrame:
    """Minutes that each symbol should have on the day: columns ``symbol`` and ``expected``."""
    start, end = day_bounds_ms(day, closed_before_ms)
    listed = pl.col("listed_at").dt.epoch("ms").fill_null(start) // MINUTE_MS * MINUTE_MS
    first = pl.max_horizontal(listed, pl.lit(start))
    return instruments.select(
        "symbol", ((pl.lit(end) - first).clip(lower_bound=0) // MINUTE_MS).cast(pl.Int64).alias("expected")
    )
