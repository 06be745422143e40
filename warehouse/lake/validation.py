"""A frame against its dataset's declaration, by native polars expressions: the hot path of every write."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from difflib import get_close_matches
from functools import cache

import polars as pl

from trading.errors import BadData
from warehouse.schema import Column, Dataset

#: Offending rows that an error shows.
SHOWN_ROWS = 3


def validated(dataset: Dataset, day: date, frame: pl.DataFrame) -> pl.DataFrame:
    """The frame in declared column order, sorted by key, in memory of its own.

    Raises
    ------
    BadData
        If columns, types, nulls, NaN or infinities, bounds, allowed values, the time column's UTC
        day or the uniqueness of the key break the declaration. The message names the dataset, the
        column, the first offending rows and the fix.
    """
    _check_columns(dataset, day, frame)
    frame = frame.select(*dataset.schema) if frame.columns != list(dataset.schema) else frame
    _check_values(dataset, day, frame)
    if dataset.time_column is not None:
        _check_day(dataset, day, frame)
    frame = frame.sort(dataset.key)
    _check_key(dataset, day, frame)
    return frame


def _check_columns(dataset: Dataset, day: date, frame: pl.DataFrame) -> None:
    given, declared = frame.schema, dataset.schema
    if given == pl.Schema(declared):
        return
    missing = [name for name in declared if name not in given]
    extra = [name for name in given if name not in declared]
    if missing or extra:
        near = {name: get_close_matches(name, missing, 1) for name in extra}
        hints = [f"{name} (meant {match[0]}?)" if match else name for name, match in near.items()]
        raise BadData(
            f"{dataset.name} {day}: missing columns: {', '.join(missing) or 'none'}; "
            f"unknown columns: {', '.join(hints) or 'none'}; give exactly the declared columns"
        )
    for name, dtype in declared.items():
        if given[name] != dtype:
            raise BadData(
                f"{dataset.name} {day}: column {name} is {given[name]}, declared {dtype}; "
                f"cast it before writing"
            )


@cache
def _finite(names: tuple[str, ...]) -> pl.Expr:
    return pl.col(names).is_finite().all()


def _check_values(dataset: Dataset, day: date, frame: pl.DataFrame) -> None:
    """Nulls, NaN and infinities, bounds and allowed values; each rule costs one reduction."""
    nulls = frame.null_count().row(0)
    floats = tuple(column.name for column in dataset.columns if column.dtype == pl.Float64)
    finite = frame.select(_finite(floats)).row(0, named=True) if floats else {}
    for column, values, null_count in zip(dataset.columns, frame.get_columns(), nulls, strict=True):
        name = pl.col(column.name)
        if null_count and not column.nullable:
            fix = "drop the rows or fill the column; only nullable columns may be empty"
            raise _offence(dataset, day, frame, column, name.is_null(), "is null", fix)
        if not finite.get(column.name, True):
            fix = "a missing value is null (fill_nan(None)), never NaN"
            raise _offence(dataset, day, frame, column, ~name.is_finite(), "is NaN or infinite", fix)
        low, high = column.minimum, column.maximum
        if low is not None and (least := values.min()) is not None and least < low:  # type: ignore[operator]
            raise _offence(dataset, day, frame, column, name < low, f"is below {low:g}", "repair the source")
        if high is not None and (most := values.max()) is not None and most > high:  # type: ignore[operator]
            raise _offence(
                dataset, day, frame, column, name > high, f"is above {high:g}", "repair the source"
            )
        if column.allowed is not None and not values.drop_nulls().is_in(column.allowed).all():
            fix = f"use one of {', '.join(column.allowed)}"
            raise _offence(dataset, day, frame, column, ~name.is_in(column.allowed), "is not allowed", fix)


def _check_day(dataset: Dataset, day: date, frame: pl.DataFrame) -> None:
    column = dataset.column(dataset.time_column or "")
    start = datetime.combine(day, time(), UTC)
    end = start + timedelta(days=1)
    times = frame[column.name]
    first, last = times.min(), times.max()
    if first is not None and not (start <= first and last < end):  # type: ignore[operator]
        outside = (pl.col(column.name) < start) | (pl.col(column.name) >= end)
        fix = f"a partition holds one UTC day: filter to [{day}, {day + timedelta(days=1)})"
        raise _offence(dataset, day, frame, column, outside, f"is outside {day} UTC", fix)


def _check_key(dataset: Dataset, day: date, frame: pl.DataFrame) -> None:
    repeated = pl.all_horizontal(pl.col(name) == pl.col(name).shift(1) for name in dataset.key)
    if frame.select(repeated.any()).item():
        key = dataset.column(dataset.key[-1])
        fix = f"keep one row per ({', '.join(dataset.key)})"
        raise _offence(dataset, day, frame, key, repeated, "repeats a key", fix)


def _offence(
    dataset: Dataset, day: date, frame: pl.DataFrame, column: Column, mask: pl.Expr, what: str, fix: str
) -> BadData:
    rows = frame.filter(mask.fill_null(False))
    shown = rows.select(list(dict.fromkeys((*dataset.key, column.name)))).head(SHOWN_ROWS).to_dicts()
    values = "; ".join(", ".join(f"{name}={_text(value)}" for name, value in row.items()) for row in shown)
    more = f" and {rows.height - len(shown)} more" if rows.height > len(shown) else ""
    return BadData(f"{dataset.name} {day}: column {column.name} {what} in {values}{more}; {fix}")


def _text(value: object) -> str:
    return value.isoformat() if isinstance(value, datetime) else repr(value)
