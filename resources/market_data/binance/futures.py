"""Funding and open interest over Binance's futures REST API."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import polars as pl
from pydantic import TypeAdapter, ValidationError

from resources.market_data.binance.client import FUNDING, STATISTICS, BinanceClient
from resources.market_data.binance.schemas import FundingRate, OpenInterest
from resources.market_data.futures_columns import funding_rows, open_interest_rows
from resources.market_data.rows import between
from trading.errors import BadData, FixConfiguration
from trading.model.interval import DAY_MS, MINUTE_MS

_FUNDING_PAGE = 1_000
#: Payments are at most eight hours apart; the one before tells the interval of the first.
_LOOK_BACK_MS = 12 * 3_600_000
_OPEN_INTEREST_PAGE = 500
_OPEN_INTEREST_STEP_MS = 5 * MINUTE_MS
#: How far back Binance gives open interest.
OPEN_INTEREST_DAYS = 30
_FUNDING_RATES = TypeAdapter(list[FundingRate])
_OPEN_INTERESTS = TypeAdapter(list[OpenInterest])
_Item = TypeVar("_Item", FundingRate, OpenInterest)


def funding_rates(
    client: BinanceClient, symbol: str, start_ms: int, end_ms: int, source: str
) -> pl.DataFrame:
    """Funding of one symbol with ``start_ms <= funding_time < end_ms``.

    The interval is the time since the payment before; null where the venue has none.
    """
    where = f"fundingRate of {symbol}"
    found: list[FundingRate] = []
    begin_ms = start_ms - _LOOK_BACK_MS
    while begin_ms < end_ms:
        parameters: dict[str, str | int] = {
            "symbol": symbol,
            "startTime": begin_ms,
            "endTime": end_ms - 1,
            "limit": _FUNDING_PAGE,
        }
        response = client.get("/fapi/v1/fundingRate", parameters, weight=1, apart=FUNDING)
        page = _validated(_FUNDING_RATES, response.content, where)
        _require_symbol(page, symbol, where)
        found += page
        if len(page) < _FUNDING_PAGE:
            break
        begin_ms = max(begin_ms, *(item.fundingTime for item in page)) + 1
    frame = pl.DataFrame(
        {
            "funding_time": [item.fundingTime for item in found],
            "funding_rate": [item.fundingRate for item in found],
        },
        schema={"funding_time": pl.Int64, "funding_rate": pl.String},
    )
    rows = funding_rows(frame, symbol=symbol, source=source, where=where)
    return between(rows, "funding_time", start_ms, end_ms)


def open_interest(
    client: BinanceClient, symbol: str, start_ms: int, end_ms: int, source: str
) -> pl.DataFrame:
    """Open interest of one symbol with ``start_ms <= time < end_ms``, every five minutes."""
    where = f"openInterestHist of {symbol}"
    found: list[OpenInterest] = []
    length_ms = _OPEN_INTEREST_PAGE * _OPEN_INTEREST_STEP_MS
    for begin_ms in range(start_ms, end_ms, length_ms):
        parameters: dict[str, str | int] = {
            "symbol": symbol,
            "period": "5m",
            "limit": _OPEN_INTEREST_PAGE,
            "startTime": begin_ms,
            "endTime": min(begin_ms + length_ms, end_ms) - 1,
        }
        response = client.get("/futures/data/openInterestHist", parameters, weight=1, apart=STATISTICS)
        page = _validated(_OPEN_INTERESTS, response.content, where)
        _require_symbol(page, symbol, where)
        found += page
    frame = pl.DataFrame(
        {
            "time": [item.timestamp for item in found],
            "open_interest": [item.sumOpenInterest for item in found],
            "open_interest_value": [item.sumOpenInterestValue for item in found],
        },
        schema={"time": pl.Int64, "open_interest": pl.String, "open_interest_value": pl.String},
    )
    rows = open_interest_rows(frame, symbol=symbol, source=source, where=where)
    return between(rows, "time", start_ms, end_ms)


def require_recent(start_ms: int, now_ms: int, source: str) -> None:
    """Refuse open interest that is older than Binance gives it."""
    if start_ms < now_ms - OPEN_INTEREST_DAYS * DAY_MS:
        raise FixConfiguration(
            f"the source {source} has open interest of the last {OPEN_INTEREST_DAYS} days only; ask for "
            "later days, or set market_data.source to archive, which has older ones"
        )


def _validated(adapter: TypeAdapter[list[_Item]], content: bytes, where: str) -> list[_Item]:
    try:
        return adapter.validate_json(content)
    except ValidationError as error:
        raise BadData(f"{where} is not as documented: {error}") from error


def _require_symbol(page: Sequence[FundingRate | OpenInterest], symbol: str, where: str) -> None:
    other = next((item.symbol for item in page if item.symbol != symbol), None)
    if other is not None:
        raise BadData(f"{where}: the answer has rows of {other}; do not use it, ask again later")
