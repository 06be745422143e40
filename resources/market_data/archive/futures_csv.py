"""From the CSVs of funding and of metrics to datasets."""

from __future__ import annotations

import polars as pl

from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.zips import has_header
from resources.market_data.futures_columns import funding_rows, open_interest_rows
from trading.errors import BadData
from trading.model.days import end_ms, start_ms

_FUNDING = {
    "calc_time": "funding_time",
    "funding_interval_hours": "interval_hours",
    "last_funding_rate": "funding_rate",
}
_METRICS = {
    "create_time": "time",
    "symbol": "symbol",
    "sum_open_interest": "open_interest",
    "sum_open_interest_value": "open_interest_value",
}


def read_funding(text: bytes, file: ArchiveFile, source: str) -> pl.DataFrame:
    """Funding of a monthly file; raises `BadData` naming the file and the row."""
    frame = _columns(text, file, _FUNDING)
    rows = funding_rows(frame, symbol=file.symbol, source=source, where=file.name)
    times = rows["funding_time"].dt.epoch("ms")
    return _within(rows, times, file, until_ms=end_ms(file.last_day))


def read_open_interest(text: bytes, file: ArchiveFile, source: str) -> pl.DataFrame:
    """Open interest of a daily file; raises `BadData` naming the file and the row.

    Some days run from 00:00 to 23:55, others from 00:05 to the next midnight; rows are in no order,
    and the early files hold each row twice.
    """
    frame = _columns(text, file, _METRICS)
    others = frame.filter(pl.col("symbol") != file.symbol)
    if others.height:
        raise BadData(f"{file.name} has {others.height} rows of {others['symbol'][0]}; do not use it")
    times = frame["time"].str.to_datetime("%Y-%m-%d %H:%M:%S", strict=False)
    if times.null_count():
        row = int(times.is_null().arg_true()[0])
        raise BadData(f"{file.name} row {row + 1}: create_time is {frame['time'][row]!r}, which is no time")
    counted = frame.with_columns(times.dt.epoch("ms").alias("time"))
    rows = open_interest_rows(counted, symbol=file.symbol, source=source, where=file.name)
    return _within(rows, rows["time"].dt.epoch("ms"), file, until_ms=end_ms(file.last_day) + 1)


def _columns(text: bytes, file: ArchiveFile, names: dict[str, str]) -> pl.DataFrame:
    """The named columns as text, under our names."""
    header = has_header(text, tuple(frozenset({name}) for name in names), file)
    if text and not header:
        raise BadData(f"{file.name} does not name its columns; expected {', '.join(names)} first")
    try:
        frame = pl.read_csv(text, infer_schema=False)
    except pl.exceptions.PolarsError as error:
        raise BadData(f"{file.name} cannot be read as CSV: {error}") from error
    # A missing number is an empty field, quoted or not.
    return frame.select(
        pl.when(pl.col(name) != "").then(pl.col(name)).alias(ours) for name, ours in names.items()
    )


def _within(rows: pl.DataFrame, times: pl.Series, file: ArchiveFile, *, until_ms: int) -> pl.DataFrame:
    outside = ~times.is_between(start_ms(file.first_day), until_ms, closed="left")
    if outside.any():
        raise BadData(
            f"{file.name} has {outside.sum()} rows of other days, first {rows.filter(outside).row(0)}"
        )
    return rows
