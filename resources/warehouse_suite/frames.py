"""The frames that the suite judges: each table's day, its statistics on the days before, and the counts across."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, date, datetime, time, timedelta
from functools import reduce

import polars as pl

from resources.warehouse_suite.tables import TO_DAY_END, Table
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_CERTIFICATES
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake
from warehouse.schema import Dataset


def day_frame(lake: Lake, table: Table, day: date) -> pl.DataFrame:
    """The measured columns of a day, stored and derived."""
    derived = dict(table.derived)
    if table.freshness is not None:
        end = datetime.combine(day, time(), UTC) + timedelta(days=1)
        known = pl.col(table.freshness.column) + table.freshness.lasts
        derived[TO_DAY_END] = (pl.lit(end) - known).dt.total_milliseconds() / 60_000
    read = [expression.meta.root_names() for expression in derived.values()]
    measured = [measure.column for measure in table.measures if measure.column]
    stored = dict.fromkeys(
        name
        for name in (*measured, *(name for names in read for name in names))
        if name in table.dataset.schema
    )
    columns = list(stored) or [table.dataset.key[0]]
    frame = lake.scan(table.dataset, day, day, table.interval, columns=columns)
    wanted = [*dict.fromkeys((*measured, *derived))] or columns
    return frame.with_columns(**derived).select(wanted).collect()


def statistics(lake: Lake, table: Table, days: Iterable[date]) -> dict[str, list[tuple[float | None, ...]]]:
    """By the measure's name: its numbers on each day, in order."""
    found: dict[str, list[tuple[float | None, ...]]] = {measure.name: [] for measure in table.measures}
    expressions = [item for measure in table.measures for item in measure.expressions()]
    for day in days:
        numbers = iter(day_frame(lake, table, day).select(expressions).row(0))
        for measure in table.measures:
            found[measure.name].append(tuple(next(numbers) for _ in measure.expressions()))
    return found


def stored_tables(lake: Lake, tables: Sequence[Table], day: date) -> pl.DataFrame:
    """One row per table: its name, and how many rows the day has; null where it is not stored."""
    infos = [(table.name, lake.info(table.dataset, day, table.interval)) for table in tables]
    counted = [(name, info.rows if info else None) for name, info in infos]
    return pl.DataFrame(counted, schema={"table": pl.String, "rows": pl.Int64}, orient="row")


#: Counts per symbol that must agree, each with where it comes from.
_COUNTS: tuple[tuple[str, Dataset, Interval | None, pl.Expr], ...] = (
    ("klines", KLINES, None, pl.len()),
    ("certified_klines", KLINE_CERTIFICATES, None, pl.col("observed").sum()),
    ("minutes_in_bars_1h", BARS, Interval.H1, pl.col("minutes").sum()),
    ("bars_1h", BARS, Interval.H1, pl.len()),
    ("indicator_rows_1h", INDICATORS, Interval.H1, pl.len()),
    ("rating_rows_1h", SCREENER_RATINGS, Interval.H1, pl.len()),
)
PAIRS = (
    ("klines", "certified_klines"),
    ("klines", "minutes_in_bars_1h"),
    ("bars_1h", "indicator_rows_1h"),
    ("indicator_rows_1h", "rating_rows_1h"),
)


def counts(lake: Lake, day: date) -> pl.DataFrame:
    """One row per symbol of any table, with the counts of the tables that are stored; no rows there is 0."""
    frames = [
        lake.scan(dataset, day, day, interval)
        .group_by("symbol")
        .agg(expression.cast(pl.Int64).alias(name))
        .collect()
        for name, dataset, interval, expression in _COUNTS
        if lake.info(dataset, day, interval) is not None
    ]
    if not frames:
        return pl.DataFrame(schema={"symbol": pl.String})
    joined = reduce(lambda left, right: left.join(right, on="symbol", how="full", coalesce=True), frames)
    return joined.sort("symbol").with_columns(pl.exclude("symbol").fill_null(0))
