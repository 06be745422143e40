"""Expectations of Great Expectations, made of measures and their limits."""

from __future__ import annotations

import math
from collections.abc import Sequence

import polars as pl

from resources.warehouse_suite.bands import FEWEST_DAYS, Limits, band
from resources.warehouse_suite.frames import PAIRS
from resources.warehouse_suite.gx import Expectation, ExpectQuantilesToBeBetween, gxe
from resources.warehouse_suite.measures import QUANTILES, Measure, Statistic
from resources.warehouse_suite.tables import TO_DAY_END, Table

#: What is known even of a table without rows.
_OF_NO_ROWS = (Statistic.ROWS, Statistic.TOTAL)


def bands_of(table: Table, earlier: dict[str, list[tuple[float | None, ...]]]) -> dict[str, list[Limits]]:
    """Limits of each measure that enough earlier days know, one per number of it."""
    found: dict[str, list[Limits]] = {}
    for measure in table.measures:
        series = zip(*earlier[measure.name], strict=True)
        limits = [band(values, measure.scale, measure.floor) for values in series]
        known = [item for item in limits if item is not None]
        if known and len(known) == len(limits):
            found[measure.name] = known
    return found


def of_table(table: Table, limits: dict[str, list[Limits]], *, empty: bool) -> list[Expectation]:
    """Everything expected of a table's day; of a day without rows, only how much there should be."""
    made = [
        _of_measure(measure, limits[measure.name])
        for measure in table.measures
        if measure.name in limits and (measure.statistic in _OF_NO_ROWS or not empty)
    ]
    if table.freshness is not None and not empty:
        about = "minutes from the newest row to the day's end"
        most = table.freshness.limit_minutes
        made.append(
            gxe.ExpectColumnMinToBeBetween(
                column=TO_DAY_END, min_value=0, max_value=most, meta={"about": about}
            )
        )
    return made


def of_storage() -> list[Expectation]:
    """Every table of the day is stored."""
    about = "every table has a partition of the day"
    return [gxe.ExpectColumnValuesToNotBeNull(column="rows", meta={"about": about})]


def of_counts(counts: pl.DataFrame) -> list[Expectation]:
    """Counts of different tables agree, symbol by symbol."""
    return [
        gxe.ExpectColumnPairValuesToBeEqual(
            column_A=left,
            column_B=right,
            ignore_row_if="neither",
            meta={"about": f"{left} = {right}, symbol by symbol"},
        )
        for left, right in PAIRS
        if left in counts.columns and right in counts.columns
    ]


def without_band(table: Table, limits: dict[str, list[Limits]], days: int) -> str:
    """Why measures of a table have no band; empty when all have one."""
    missing = [measure.about for measure in table.measures if measure.name not in limits]
    if not missing:
        return ""
    if days < FEWEST_DAYS:
        return f"{table.name}: no bands, {days} earlier day(s) are stored and {FEWEST_DAYS} are needed"
    return f"{table.name}: no band for {', '.join(missing)}: known on fewer than {FEWEST_DAYS} earlier days"


def _of_measure(measure: Measure, limits: Sequence[Limits]) -> Expectation:
    meta = {"about": measure.about}
    if measure.statistic is Statistic.QUANTILES:
        ranges = [[item.least, item.most] for item in limits]
        return ExpectQuantilesToBeBetween(
            column=measure.column,
            quantile_ranges={"quantiles": list(QUANTILES), "value_ranges": ranges},
            meta=meta,
        )
    least, most = limits[0].least, limits[0].most
    if measure.statistic is not Statistic.MEAN:
        least = max(0.0, least)
    if measure.statistic is Statistic.ROWS:
        least, most = math.ceil(least), math.floor(most)
        return gxe.ExpectTableRowCountToBeBetween(min_value=least, max_value=most, meta=meta)
    if measure.statistic is Statistic.NON_NULL:
        most = min(1.0, most)
    kind = {
        Statistic.TOTAL: gxe.ExpectColumnSumToBeBetween,
        Statistic.MEAN: gxe.ExpectColumnMeanToBeBetween,
        Statistic.NON_NULL: gxe.ExpectColumnProportionOfNonNullValuesToBeBetween,
    }[measure.statistic]
    return kind(column=measure.column, min_value=least, max_value=most, meta=meta)
