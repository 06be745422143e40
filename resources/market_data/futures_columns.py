"""From a source's columns to the ``funding_rates`` and ``open_interest`` datasets."""

from __future__ import annotations

import polars as pl

from resources.market_data.columns import milliseconds
from trading.errors import BadData
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST
from warehouse.schema import TIMESTAMP

_HOUR_MS = 3_600_000


def funding_rows(frame: pl.DataFrame, *, symbol: str, source: str, where: str) -> pl.DataFrame:
    """Funding of one symbol.

    Parameters
    ----------
    frame
        ``funding_time`` (epoch, ms), ``funding_rate``, and ``interval_hours`` where the source states
        it; otherwise the interval is the time since the payment before, in whole hours, and null in
        the first row.

    Raises
    ------
    BadData
        Naming the row that is no payment, or that contradicts another of the same time.
    """
    times = milliseconds(frame["funding_time"], where, micro=False)
    columns = frame.with_columns(
        times.cast(TIMESTAMP).alias("funding_time"),
        pl.lit(symbol).alias("symbol"),
        pl.lit(source).alias("source"),
    )
    columns = _numbers(columns, ("funding_rate",), where, nullable=False)
    columns = _once(columns, ("symbol", "funding_time"), "funding_rate", where)
    if "interval_hours" in columns.columns:
        interval = pl.col("interval_hours").cast(pl.Int64, strict=False)
    else:
        passed_ms = pl.col("funding_time").diff().dt.total_milliseconds()
        interval = (passed_ms / _HOUR_MS).round().cast(pl.Int64)
    known = pl.when(interval >= 1).then(interval)
    columns = columns.with_columns(known.alias("interval_hours"), pl.col("funding_time").alias("known_at"))
    return columns.select(list(FUNDING_RATES.schema))


def open_interest_rows(frame: pl.DataFrame, *, symbol: str, source: str, where: str) -> pl.DataFrame:
    """Open interest of one symbol.

    Parameters
    ----------
    frame
        ``time`` (epoch, ms), ``open_interest`` and ``open_interest_value``. A value may be null; a
        row without open interest is left out: it says nothing.

    Raises
    ------
    BadData
        Naming the row that is no count, or that contradicts another of the same time.
    """
    times = milliseconds(frame["time"], where, micro=False)
    columns = frame.with_columns(
        times.cast(TIMESTAMP).alias("time"), pl.lit(symbol).alias("symbol"), pl.lit(source).alias("source")
    )
    columns = _numbers(columns, ("open_interest", "open_interest_value"), where, nullable=True)
    columns = columns.filter(pl.col("open_interest").is_not_null())
    columns = _once(columns, ("symbol", "time"), "open_interest", where)
    return columns.with_columns(pl.col("time").alias("known_at")).select(list(OPEN_INTEREST.schema))


def _numbers(frame: pl.DataFrame, names: tuple[str, ...], where: str, *, nullable: bool) -> pl.DataFrame:
    values = frame.with_columns(pl.col(name).cast(pl.Float64, strict=False) for name in names)
    for name in names:
        broken = ~values[name].is_finite().fill_null(value=False)
        if nullable:
            broken &= frame[name].is_not_null()
        if broken.any():
            row = int(broken.arg_true()[0])
            raise BadData(f"{where} row {row + 1}: {name} is {frame[name][row]!r}, which is no number")
    return values


def _once(frame: pl.DataFrame, key: tuple[str, ...], value: str, where: str) -> pl.DataFrame:
    """Each key once, by time: the early files of Binance's archive hold every row twice."""
    rows = frame.unique([*key, value], maintain_order=True).sort(key)
    twice = rows.select(key).is_duplicated()
    if twice.any():
        row = rows.filter(twice).row(0, named=True)
        raise BadData(f"{where}: {key[-1]} {row[key[-1]]} comes twice, with different values of {value}")
    return rows
