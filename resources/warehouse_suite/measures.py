"""Statistics of a table's day: computed with polars for the month before, expected by name of the day itself."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import polars as pl

from resources.warehouse_suite.bands import Scale

#: Quantiles that stand for a distribution: its tails, its shoulders and its middle.
QUANTILES = (0.01, 0.25, 0.5, 0.75, 0.99)
#: A table may grow or shrink by this share without a word, however steady it was.
STEADY_FRACTION = 0.05


class Statistic(StrEnum):
    """A number, or several, of a column on one day."""

    ROWS = "rows"
    TOTAL = "total"
    MEAN = "mean"
    QUANTILES = "quantiles"
    NON_NULL = "non_null"


@dataclass(frozen=True, slots=True)
class Measure:
    """A statistic of a column, and how it varies from day to day.

    Attributes
    ----------
    statistic, column
        What is computed, and of which column; an empty name means the whole table.
    about
        What it is, for people.
    scale, floor
        How it varies, and the narrowest half of its band (`bands.band`).
    """

    statistic: Statistic
    column: str
    about: str
    scale: Scale
    floor: float

    @property
    def name(self) -> str:
        """Unique within a table."""
        return f"{self.statistic.value}:{self.column}"

    def expressions(self) -> list[pl.Expr]:
        """The numbers of one day, null where unknown: one, or one per quantile."""
        column = pl.col(self.column)
        if self.statistic is Statistic.ROWS:
            found = [pl.len()]
        elif self.statistic is Statistic.TOTAL:
            # Rows without any value have no total; no rows have one, zero.
            found = [pl.when((column.count() > 0) | (pl.len() == 0)).then(column.sum())]
        elif self.statistic is Statistic.MEAN:
            found = [column.mean()]
        elif self.statistic is Statistic.NON_NULL:
            found = [pl.when(pl.len() > 0).then(column.count() / pl.len())]
        else:
            found = [column.quantile(share, "nearest") for share in QUANTILES]
        return [item.cast(pl.Float64).alias(f"{self.name}:{number}") for number, item in enumerate(found)]


def rows(scale: Scale = Scale.AMOUNT, floor: float = STEADY_FRACTION) -> Measure:
    """Number of rows; a level where none is the rule."""
    return Measure(Statistic.ROWS, "", "rows", scale, floor)


def total(column: str, about: str, scale: Scale = Scale.AMOUNT, floor: float = STEADY_FRACTION) -> Measure:
    """Sum of a column without negative values; a level where zero is the rule."""
    return Measure(Statistic.TOTAL, column, about, scale, floor)


def mean(column: str, about: str, *, floor: float) -> Measure:
    """Mean of a column; a share where the column is 0 or 1."""
    return Measure(Statistic.MEAN, column, about, Scale.LEVEL, floor)


def quantiles(column: str, about: str, *, floor: float) -> Measure:
    """`QUANTILES` of a column."""
    return Measure(Statistic.QUANTILES, column, about, Scale.LEVEL, floor)


def non_null(column: str) -> Measure:
    """Share of rows that have a value."""
    return Measure(Statistic.NON_NULL, column, f"share of rows with {column}", Scale.LEVEL, 0.01)
