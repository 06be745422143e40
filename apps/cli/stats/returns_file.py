"""Reading any CSV or Parquet file of returns or prices: one column per strategy, a row per period."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from apps.cli.bars.times import parse_times
from trading.errors import BadData
from trading.statistics.sample import Floats, constant_columns

#: Fewer returns have no skewness or kurtosis worth the name, and every figure here needs both.
MINIMUM_PERIODS = 10
#: Columns of these names hold times.
_TIME_NAMES = {"time", "timestamp", "date", "datetime", "day", "opentime", "closetime", "ts", "t"}
#: A leading column of these names is a row number if it counts up by one.
_INDEX_NAMES = {"", "index", "unnamed:0", "row", "n", "i", "column1", *_TIME_NAMES}


@dataclass(frozen=True, slots=True)
class ReturnsFile:
    """Returns of a file.

    Attributes
    ----------
    returns
        Shape (periods, strategies), finite, oldest first; no column is constant.
    notes
        What was left out or looks odd.
    """

    file: Path
    strategies: tuple[str, ...]
    returns: Floats
    notes: tuple[str, ...]


def read_returns(path: Path, *, prices: bool) -> ReturnsFile:
    """Read returns per period, or with ``prices`` turn prices into simple returns.

    Raises
    ------
    BadData
        If the file cannot be read, holds no column of numbers, too few rows, a value that is no finite
        number, a price that is not above 0, times that do not ascend, or a column that never changes: names
        the column, the row (counted from 1, without the header), the value and the fix.
    """
    given = _load(path)
    left_out, notes = _times_and_indices(path, given)
    strategies = [name for name in given.columns if name not in left_out]
    if not strategies:
        raise BadData(
            f"{path}: holds no column of returns; give one column per strategy and a row per period"
        )
    values = np.column_stack([_numbers(path, given[name]) for name in strategies])
    returns = _from_prices(path, strategies, values) if prices else values
    if len(returns) < MINIMUM_PERIODS:
        raise BadData(
            f"{path}: holds {len(returns)} returns; at least {MINIMUM_PERIODS} are needed for their skewness and "
            "kurtosis: give a longer record or a finer period"
        )
    if (constant := constant_columns(returns)).any():
        name = strategies[int(constant.argmax())]
        raise BadData(
            f"{path}: column {name!r} has the same return, {returns[0, int(constant.argmax())]:g}, in every row, "
            "so it has no Sharpe ratio; drop the column"
        )
    return ReturnsFile(
        path, tuple(strategies), returns, (*notes, *_oddities(strategies, returns, prices=prices))
    )


def _load(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise BadData(f"{path}: there is no such file; name a CSV or Parquet file of returns")
    suffixes = {suffix.lower() for suffix in path.suffixes[-2:]}
    try:
        if suffixes & {".parquet", ".pq"}:
            return pl.read_parquet(path, hive_partitioning=False)
        if suffixes & {".csv", ".tsv", ".txt"}:
            return _load_csv(path, "\t" if ".tsv" in suffixes else ",")
    except (pl.exceptions.PolarsError, OSError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise BadData(f"{path}: cannot be read ({reason}); is it a whole CSV or Parquet file?") from error
    raise BadData(f"{path}: the name must end in .csv, .csv.gz, .tsv or .parquet, to tell what the file is")


def _load_csv(path: Path, separator: str) -> pl.DataFrame:
    """Every cell as text, so that a wrong one can be shown as it is."""
    head = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False, separator=separator)
    numbers = head.transpose().to_series().cast(pl.Float64, strict=False)
    headless = numbers[-1] is not None and numbers[1:].null_count() == 0
    return pl.read_csv(path, has_header=not headless, infer_schema=False, separator=separator)


def _times_and_indices(path: Path, given: pl.DataFrame) -> tuple[set[str], list[str]]:
    """Columns that are no returns, after a look at the order of the times."""
    left_out: set[str] = set()
    notes = []
    for position, name in enumerate(given.columns):
        column, plain = given[name], name.lower().replace(" ", "").replace("_", "")
        if position == 0 and plain in _INDEX_NAMES and _counts_up(column):
            left_out.add(name)
            notes.append(f"column {name!r} counts the rows; left out")
        elif _is_time(path, column, named=plain in _TIME_NAMES, first=position == 0):
            _require_ascending(path, column)
            left_out.add(name)
            notes.append(f"column {name!r} is a time; left out")
    return left_out, notes


def _counts_up(column: pl.Series) -> bool:
    if not (column.dtype == pl.String or column.dtype.is_integer()):
        return False
    numbers = column.cast(pl.Int64, strict=False)
    return column.len() > 1 and not numbers.null_count() and bool((numbers.diff().drop_nulls() == 1).all())


def _is_time(path: Path, column: pl.Series, *, named: bool, first: bool) -> bool:
    if column.dtype == pl.Date or isinstance(column.dtype, pl.Datetime):
        return True
    if named:
        wrong = parse_times(column).is_null()
        if wrong.any():
            row = int(wrong.arg_max() or 0)
            raise BadData(
                f"{path}: column {column.name!r} is named like a time, but {column[row]!r} of row {row + 1} is none; "
                "write ISO 8601 or s, ms, µs or ns since 1970, or rename the column if it holds returns"
            )
        return True
    if not first or column.dtype != pl.String or column.is_empty():
        return False
    words_only = (
        column.cast(pl.Float64, strict=False).is_null().all()
    )  # a number here is a return, however large
    return bool(words_only) and parse_times(column).null_count() == 0


def _require_ascending(path: Path, column: pl.Series) -> None:
    times = parse_times(column)
    wrong = (times.diff().dt.total_milliseconds() <= 0).fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        raise BadData(
            f"{path}: column {column.name!r}: {column[row]} of row {row + 1} does not follow {column[row - 1]}; sort "
            "the rows by time, oldest first, and keep one row per period"
        )


def _numbers(path: Path, column: pl.Series) -> Floats:
    if not (column.dtype == pl.String or column.dtype.is_numeric()):
        raise BadData(
            f"{path}: column {column.name!r} holds {column.dtype}, not numbers; drop it or give returns such as 0.0125"
        )
    words = column.str.strip_chars() if column.dtype == pl.String else column
    numbers = words.cast(pl.Float64, strict=False)
    wrong = ~numbers.is_finite().fill_null(False)
    if wrong.any():
        row = int(wrong.arg_max() or 0)
        hole = column[row] is None or str(column[row]).strip().lower() in {"", "nan"}
        what = "is missing" if hole else f"is {column[row]!r}, not a finite number"
        fix = (
            "fill the hole from its source or drop the row or the column: a missing return is not 0"
            if hole
            else "give returns as plain numbers such as 0.0125, or drop the column"
        )
        raise BadData(
            f"{path}: column {column.name!r}: row {row + 1} {what} ({wrong.sum()} of {len(column)} rows); {fix}"
        )
    return numbers.to_numpy()


def _from_prices(path: Path, names: list[str], values: Floats) -> Floats:
    if (wrong := values <= 0).any():
        column = int(wrong.any(axis=0).argmax())
        row = int(wrong[:, column].argmax())
        raise BadData(
            f"{path}: column {names[column]!r}: the price of row {row + 1} is {values[row, column]:g}; prices are above "
            "0: repair the row, or leave out --prices if these are returns"
        )
    returns: Floats = values[1:] / values[:-1] - 1
    return returns


def _oddities(names: list[str], returns: Floats, *, prices: bool) -> list[str]:
    if prices:
        return []
    notes = []
    for name, column in zip(names, returns.T, strict=True):
        if column.min() > 0:
            notes.append(f"column {name!r} never loses: if these are prices, use --prices")
        elif column.min() < -1:
            notes.append(
                f"column {name!r} has values below -1: read as amounts; a return of -1 loses everything, per cent "
                "are to be divided by 100"
            )
    return notes
