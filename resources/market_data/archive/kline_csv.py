"""From the CSV of an archive file to klines: straight to floats, and by text where a row needs explaining."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import polars as pl

from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.zips import has_header
from resources.market_data.columns import (
    BINANCE_COLUMNS,
    DATASETS,
    milliseconds,
    optional,
    required,
    to_klines,
)
from trading.errors import BadData
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from trading.model.series import Series
from warehouse.schema import TIMESTAMP

#: What the archive calls its columns where it names them.
_HEADER = tuple(
    frozenset({name, *also})
    for name, also in zip(
        BINANCE_COLUMNS,
        ((), (), (), (), (), (), (), (), ("count",), ("taker_buy_volume",), ("taker_buy_quote_volume",), ()),
        strict=True,
    )
)
_WHOLE = ("open_time", "close_time", "trades")
_TYPES: dict[str, type[pl.DataType]] = {
    name: pl.String if name == "ignore" else pl.Int64 if name in _WHOLE else pl.Float64
    for name in BINANCE_COLUMNS
}


def read_klines(text: bytes, file: ArchiveFile, series: Series) -> pl.DataFrame:
    """Klines of the CSV in an archive file.

    Returns
    -------
    polars.DataFrame
        ``open_time`` (epoch, ms) and the series' number columns, sorted by time. The same values
        whichever way they were read: both read a number to the nearest float.

    Raises
    ------
    BadData
        Naming the file, and the row that no kline of it can be.
    """
    header = has_header(text, _HEADER, file)
    rows = _typed(text, series, header=header)
    if rows is None or not _sound(rows, series):
        rows = _explained(text, file, series, header=header)
    first_ms, until_ms = start_ms(file.first_day), end_ms(file.last_day)
    outside = ~rows["open_time"].is_between(first_ms, until_ms, closed="left")
    if outside.any():
        time = rows["open_time"].filter(outside).cast(TIMESTAMP)[0]
        raise BadData(f"{file.name} has {outside.sum()} rows of another day, first {time}")
    return rows if rows["open_time"].is_sorted() else rows.sort("open_time", maintain_order=True)


def read_together(
    texts: Sequence[bytes], files: Sequence[ArchiveFile], series: Series
) -> list[pl.DataFrame] | None:
    """The klines of many files of one day at once: fifty small reads cost five times as much as one.

    Returns
    -------
    list of polars.DataFrame
        What `read_klines` gives for each file; None when any of them needs a look of its own.

    Raises
    ------
    BadData
        If a file's header names other columns.
    """
    whole = []
    for text, file in zip(texts, files, strict=True):
        body = text.partition(b"\n")[2] if has_header(text, _HEADER, file) else text
        whole.append(body if body.endswith(b"\n") else body + b"\n")
    rows = _typed(b"".join(whole), series, header=False)
    if rows is None or not _sound(rows, series):
        return None
    ends = list(accumulate(text.count(b"\n") for text in whole))
    parts = [rows.slice(begin, end - begin) for begin, end in zip([0, *ends], ends, strict=False)]
    first_ms, until_ms = start_ms(files[0].first_day), end_ms(files[0].last_day)
    inside = rows["open_time"].is_between(first_ms, until_ms, closed="left").all()
    if ends[-1] != rows.height or not inside or not all(part["open_time"].is_sorted() for part in parts):
        return None
    return parts


def finish(rows: pl.DataFrame, symbols: pl.Series, source: str, series: Series) -> pl.DataFrame:
    """Rows as `read_klines` gives them, with a symbol for each, in the series' dataset."""
    return rows.select(
        symbols.alias("symbol"),
        pl.col("open_time").cast(TIMESTAMP),
        pl.col(*required(series), *optional(series)),
        pl.lit(source).alias("source"),
        (pl.col("open_time") + MINUTE_MS).cast(TIMESTAMP).alias("known_at"),
    ).select(list(DATASETS[series].schema))


def _typed(text: bytes, series: Series, *, header: bool) -> pl.DataFrame | None:
    """The columns as numbers; None when they are not all numbers."""
    wanted = ("open_time", *required(series), *optional(series))
    try:
        rows = pl.read_csv(
            text,
            has_header=False,
            skip_rows=int(header),
            schema=_TYPES,
            quote_char=None,  # a quoted number is none, and goes by way of text
            columns=[BINANCE_COLUMNS.index(name) for name in wanted],
        )
        times = milliseconds(rows["open_time"], "", micro=series is Series.SPOT)
    except (pl.exceptions.PolarsError, BadData):
        return None
    return rows.with_columns(times).select(wanted)


def _sound(rows: pl.DataFrame, series: Series) -> bool:
    """Whether nothing needs explaining: whole minutes, finite prices, highs not below lows."""
    if rows.is_empty():
        return False
    numbers = (*required(series), *optional(series))
    broken = rows.select(
        ((pl.col("open_time") % MINUTE_MS) != 0).any()
        | (pl.col("high") < pl.col("low")).any()
        | pl.any_horizontal(pl.col(*required(series)).null_count() > 0)
        | pl.any_horizontal((~pl.col(*numbers).is_finite()).any())
    ).item()
    return not broken


def _explained(text: bytes, file: ArchiveFile, series: Series, *, header: bool) -> pl.DataFrame:
    """The same by way of text: slower, and able to say which row is wrong."""
    try:
        frame = pl.read_csv(text, has_header=False, skip_rows=int(header), infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadData(f"{file.name} cannot be read as CSV: {error}") from error
    if frame.width != len(BINANCE_COLUMNS):
        raise BadData(f"{file.name} has {frame.width} columns, expected {len(BINANCE_COLUMNS)}")
    frame.columns = list(BINANCE_COLUMNS)
    klines = to_klines(frame, symbol=file.symbol, source="", where=file.name, series=series)
    times = pl.col("open_time").dt.epoch("ms")
    rows = klines.select(times, *required(series), *optional(series))
    boundless = rows.select(pl.any_horizontal(~pl.col(pl.Float64).is_finite())).to_series()
    if boundless.any():
        row = int(boundless.arg_true()[0])
        raise BadData(f"{file.name} row {row + 1}: {rows.row(row)} holds a value that is not finite")
    return rows
