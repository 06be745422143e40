"""One declaration per stored dataset; contracts, catalogue metadata and docs derive from it."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from trading.model.interval import Interval

#: Every timestamp in the lake: milliseconds, UTC.
TIMESTAMP = pl.Datetime("ms", "UTC")


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its type, unit, meaning and the values it may take.

    ``minimum`` and ``maximum`` are inclusive bounds for non-null values. ``allowed`` lists the
    only values of a text column. Floats may not be NaN or infinite in the lake: missing is null.
    """

    name: str
    dtype: pl.DataType | type[pl.DataType]
    unit: str
    description: str
    nullable: bool = False
    minimum: float | None = None
    maximum: float | None = None
    allowed: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class Dataset:
    """A partitioned table of the lake.

    Attributes
    ----------
    key
        Columns that identify a row; rows are unique by them and stored sorted by them.
    time_column
        The column whose UTC day is the partition. None where rows describe the day as a whole.
    intervals
        The intervals that the dataset is stored for; empty when it has none.
    rows_per_group
        Rows per Parquet row group: small enough that a symbol filter prunes.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    time_column: str | None
    intervals: tuple[Interval, ...] = ()
    rows_per_group: int = 16_384

    @property
    def schema(self) -> dict[str, pl.DataType | type[pl.DataType]]:
        """Column names and polars types, in stored order."""
        return {column.name: column.dtype for column in self.columns}

    def column(self, name: str) -> Column:
        """The named column; KeyError lists what there is."""
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(f"{self.name} has no column {name!r}; it has {list(self.schema)}")
