"""Reading any CSV or Parquet file of OHLCV, whatever its columns are called."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from apps.cli.bars.table import NUMBERS, load_table, named_columns
from apps.cli.bars.times import parse_times
from trading.errors import BadData


def read_bars(path: Path) -> pl.DataFrame:
    """Read a file of bars.

    Returns
    -------
    DataFrame
        ``symbol``, ``open_time`` (ms, UTC), ``open``, ``high``, ``low``, ``close``, ``volume`` in the
        file's order. A file without a column of symbols holds one, named like the file.

    Raises
    ------
    BadData
        If the file cannot be read, lacks a column, holds no bar or a value that is no time or number:
        names the column, the row, the value and the fix.
    """
    given = named_columns(path, load_table(path), symbol=path.name.split(".")[0])
    if given.is_empty():
        raise BadData(f"{path}: holds no bar; a rating needs at least some history")
    times = parse_times(given["open_time"]).alias("open_time")
    _refuse_missing(path, times, given, "a time: ISO 8601, or s, ms, µs or ns since 1970")
    bars = given.with_columns(times)
    for name in NUMBERS:
        numbers = given[name].cast(pl.Float64, strict=False)
        numbers = numbers.set(~numbers.is_finite().fill_null(False), None)
        _refuse_missing(path, numbers, given, "a finite number")
        bars = bars.with_columns(numbers)
    return bars


def _refuse_missing(path: Path, read: pl.Series, given: pl.DataFrame, wanted: str) -> None:
    if read.null_count():
        row = read.is_null().arg_max() or 0
        raise BadData(
            f"{path}: {read.name} of bar {row + 1} is {given[read.name][row]!r}, not {wanted} "
            f"({read.null_count()} of {len(read)} bars); repair or drop these rows"
        )
