"""The pandera contract of a dataset, derived from its declaration, for borders where frames arrive from outside.

It accepts and refuses exactly what the lake's own validation does; that one is the fast one.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any

import polars as pl

from trading.errors import BadData
from warehouse.schema import Column, Dataset


@dataclass(frozen=True, slots=True)
class Contract:
    """A pandera schema that always sees values.

    Attributes
    ----------
    dataset
        Name of the dataset.
    schema
        The `pandera.polars.DataFrameSchema`. Given a LazyFrame, pandera checks columns and types but
        no value; use `validate`, which collects first.
    """

    dataset: str
    schema: Any

    def validate(self, frame: pl.DataFrame | pl.LazyFrame) -> pl.DataFrame:
        """The frame itself, when it keeps the contract.

        Raises
        ------
        BadData
            Naming every column and check that failed, with up to five offending values.
        """
        from pandera.errors import SchemaError, SchemaErrors

        eager = frame.collect() if isinstance(frame, pl.LazyFrame) else frame
        try:
            self.schema.validate(eager, lazy=True)
        except SchemaErrors as error:
            cases = error.failure_cases.head(5).iter_rows(named=True)
            failed = "; ".join(
                f"{case['column']}: {case['check']} ({case['failure_case']})" for case in cases
            )
            raise BadData(
                f"{self.dataset}: contract broken: {failed}; repair the rows at their source"
            ) from error
        except SchemaError as error:
            raise BadData(
                f"{self.dataset}: contract broken: {error}; repair the rows at their source"
            ) from error
        return eager


def pandera_schema(dataset: Dataset, day: date | None = None) -> Contract:
    """The contract of a dataset; with a day, also that the time column lies inside that UTC day."""
    import pandera.polars as pa

    columns = {column.name: _column(column, dataset, day) for column in dataset.columns}
    schema = pa.DataFrameSchema(
        columns, strict=True, ordered=False, unique=list(dataset.key), name=dataset.name
    )
    return Contract(dataset.name, schema)


def _column(column: Column, dataset: Dataset, day: date | None) -> Any:
    import pandera.polars as pa

    checks = []
    if column.dtype == pl.Float64:
        checks.append(pa.Check(_is_finite, name="finite"))
    if column.minimum is not None:
        checks.append(pa.Check.ge(column.minimum))
    if column.maximum is not None:
        checks.append(pa.Check.le(column.maximum))
    if column.allowed is not None:
        checks.append(pa.Check.isin(column.allowed))
    if day is not None and column.name == dataset.time_column:
        start = datetime.combine(day, time(), UTC)
        checks += [pa.Check.ge(start), pa.Check.lt(start + timedelta(days=1))]
    return pa.Column(column.dtype, checks, nullable=column.nullable, description=column.description)


def _is_finite(data: Any) -> pl.LazyFrame:
    """Neither NaN nor infinite; null passes here, for the column says whether it may."""
    frame: pl.LazyFrame = data.lazyframe
    return frame.select(pl.col(data.key).is_finite().fill_null(True))
