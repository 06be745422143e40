"""Reading any CSV or Parquet file of OHLCV, whatever its columns are called."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from apps.cli.rating.times import parse_times
from trading.errors import BadData

NUMBERS = ("open", "high", "low", "close", "volume")
_ALIASES = {
    "open_time": ("opentime", "timestamp", "time", "date", "datetime", "ts", "t"),
    "open": ("open", "o"),
    "high": ("high", "h"),
    "low": ("low", "l"),
    "close": ("close", "c"),
    "volume": ("volume", "vol", "v"),
    "symbol": ("symbol", "ticker", "pair", "s"),
}
_BINANCE = (
    "open_time",
    *NUMBERS,
    "close_time",
    "quote_volume",
    "trades",
    "taker_base",
    "taker_quote",
    "ignore",
)


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
    given = _named(path, _load(path))
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


def _load(path: Path) -> pl.DataFrame:
    if not path.is_file():
        raise BadData(f"{path}: there is no such file; name a CSV or Parquet file of OHLCV bars")
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
    head = pl.read_csv(path, has_header=False, n_rows=1, infer_schema=False, separator=separator)
    if not all(_is_number(cell) for cell in head.row(0)):
        return pl.read_csv(path, infer_schema=False, separator=separator)
    if head.width not in (6, len(_BINANCE)):
        raise BadData(
            f"{path}: has {head.width} columns and no header; without one, Binance's 12 columns or 6 "
            "(time, open, high, low, close, volume) can be read: add a line with the columns' names"
        )
    names = list(_BINANCE[: head.width])
    return pl.read_csv(path, has_header=False, new_columns=names, infer_schema=False, separator=separator)


def _is_number(cell: str | None) -> bool:
    try:
        float(cell or "")
    except ValueError:
        return False
    return True


def _named(path: Path, frame: pl.DataFrame) -> pl.DataFrame:
    """The columns that are needed, under our names."""
    plain = {name.lower().strip().replace(" ", "").replace("_", ""): name for name in reversed(frame.columns)}
    chosen = {
        name: next((plain[alias] for alias in aliases if alias in plain), None)
        for name, aliases in _ALIASES.items()
    }
    symbol = chosen.pop("symbol")
    if missing := [name for name, column in chosen.items() if column is None]:
        raise BadData(
            f"{path}: has no column for {', '.join(missing)}; it has {', '.join(frame.columns)}. Needed are "
            "open_time (or timestamp, time, date), open, high, low, close and volume"
        )
    named = pl.lit(path.name.split(".")[0]) if symbol is None else pl.col(symbol).cast(pl.String)
    return frame.select(
        named.alias("symbol"), *(pl.col(column).alias(name) for name, column in chosen.items() if column)
    )


def _refuse_missing(path: Path, read: pl.Series, given: pl.DataFrame, wanted: str) -> None:
    if read.null_count():
        row = read.is_null().arg_max() or 0
        raise BadData(
            f"{path}: {read.name} of bar {row + 1} is {given[read.name][row]!r}, not {wanted} "
            f"({read.null_count()} of {len(read)} bars); repair or drop these rows"
        )
