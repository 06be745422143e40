"""From Binance's answers to klines and times; pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import orjson
import polars as pl
from pydantic import ValidationError

from resources.market_data.binance.schemas import ServerTime
from resources.market_data.columns import BINANCE_COLUMNS, empty, to_klines
from trading.errors import BadData
from trading.model.series import Series

_USED = BINANCE_COLUMNS[:6] + BINANCE_COLUMNS[7:11]


def server_time(content: bytes) -> int:
    """The venue's time in milliseconds."""
    try:
        return ServerTime.model_validate_json(content).serverTime
    except ValidationError as error:
        raise BadData(f"/api/v3/time is not as documented: {error}") from error


def page(content: bytes, symbol: str, missing: Collection[str] = ()) -> pl.DataFrame:
    """One page of klines as the venue wrote it: counts as integers, amounts as text.

    Parameters
    ----------
    missing
        Columns that the answer only fills with zeros because the protocol has no null.

    Raises
    ------
    BadData
        Naming the symbol and the row that is not as documented.
    """
    where = f"klines of {symbol}"
    try:
        rows: Any = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadData(f"{where}: the answer is no JSON ({error})") from error
    if not isinstance(rows, list):
        raise BadData(f"{where}: the answer is no list of rows but {content[:80]!r}")
    for number, row in enumerate(rows, start=1):
        if not isinstance(row, list) or len(row) != len(BINANCE_COLUMNS):
            raise BadData(f"{where} row {number}: expected 12 values, got {str(row)[:120]}")
    values = zip(*rows, strict=True) if rows else ((),) * len(BINANCE_COLUMNS)
    columns = dict(zip(BINANCE_COLUMNS, values, strict=True))
    names = [name for name in _USED if name not in missing]
    symbols = pl.Series("symbol", [symbol], dtype=pl.String).new_from_index(0, len(rows))
    return pl.DataFrame([symbols, *(_column(name, columns[name], where) for name in names)])


def klines(pages: Sequence[pl.DataFrame], source: str, series: Series = Series.SPOT) -> pl.DataFrame:
    """All pages as klines of the series, sorted by symbol and time.

    Raises
    ------
    BadData
        Naming the symbol and the row of its page that no kline can be.
    """
    filled = [page for page in pages if page.height]
    if not filled:
        return empty(series)
    what = "klines" if series is Series.SPOT else f"{series} klines"
    try:
        # At once: fifty small conversions take fifty times as long as a large one.
        everything = to_klines(pl.concat(filled), symbol=None, source=source, where=what, series=series)
    except BadData:
        for page in filled:
            where = f"{what} of {page['symbol'][0]}"
            to_klines(page, symbol=None, source=source, where=where, series=series)
        raise
    return everything.sort("symbol", "open_time")


def daily_volumes(pages: Sequence[pl.DataFrame], now_ms: int) -> pl.DataFrame:
    """Traded value of each closed day with trades: ``symbol``, ``day``, ``quote_volume``."""
    days = klines(pages, "")
    closed = pl.col("open_time").dt.offset_by("1d").dt.epoch("ms") <= now_ms
    return days.filter(closed & (pl.col("quote_volume") > 0)).select(
        "symbol", pl.col("open_time").dt.date().alias("day"), "quote_volume"
    )


def _column(name: str, values: tuple[Any, ...], where: str) -> pl.Series:
    whole = name in ("open_time", "trades")
    try:
        return pl.Series(name, values, dtype=pl.Int64 if whole else pl.String, strict=True)
    except (TypeError, OverflowError, pl.exceptions.PolarsError) as error:
        wanted: type = int if whole else str
        row = next((i for i, value in enumerate(values, 1) if not isinstance(value, wanted)), 0)
        got = repr(values[row - 1]) if row else str(error)
        raise BadData(f"{where} row {row}: {name} is {got}, expected {wanted.__name__}") from error
