"""Margin schedules as Binance and ccxt write them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from pydantic import BaseModel, TypeAdapter, ValidationError

from trading.errors import BadData, FixConfiguration
from trading.instruments.brackets import check_schedule
from trading.instruments.terms import Schedules
from trading.model.instrument import MarginBracket


class VenueBracket(BaseModel):
    """One bracket of ``/fapi/v1/leverageBracket``; other fields are ignored."""

    initialLeverage: int
    notionalCap: Decimal
    notionalFloor: Decimal
    maintMarginRatio: Decimal
    cum: Decimal


class VenueSchedule(BaseModel):
    """One element of the answer of ``/fapi/v1/leverageBracket``.

    ``notionalCoef``, an account's own multiple of the usual brackets, is not read: the brackets
    beside it are the account's already.
    """

    symbol: str
    brackets: list[VenueBracket]


class CcxtTier(BaseModel):
    """One of ccxt's leverage tiers, which keep the venue's bracket in ``info``."""

    info: VenueBracket


_VENUE = TypeAdapter(list[VenueSchedule])
_CCXT = TypeAdapter(dict[str, list[CcxtTier]])


def read_brackets(path: Path) -> Schedules:
    """Margin schedules of a JSON file in either layout, by the venue's symbol.

    Raises
    ------
    FixConfiguration
        If the file cannot be read.
    BadData
        If it has neither layout, or a schedule makes no sense.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise FixConfiguration(
            f"instruments.brackets_file: {path} cannot be read ({error.strerror}); correct the path, "
            "or leave it empty"
        ) from error
    return parse_ccxt(content, str(path)) if content.lstrip()[:1] == b"{" else parse_venue(content, str(path))


def parse_venue(content: bytes, where: str) -> Schedules:
    """Margin schedules of the answer to ``/fapi/v1/leverageBracket`` without a symbol.

    Raises
    ------
    BadData
        Naming what is not as documented, or the bracket that makes no sense.
    """
    try:
        answer = _VENUE.validate_json(content)
    except ValidationError as error:
        raise BadData(_unreadable(where, error)) from error
    return {item.symbol: _schedule(item.symbol, item.brackets, where) for item in answer}


def parse_ccxt(content: bytes, where: str) -> Schedules:
    """Margin schedules of ccxt's leverage tiers; parameters and errors as `parse_venue`.

    ``BTC/USDT:USDT`` is BTCUSDT, and the delivery ``BTC/USDT:USDT-250328`` is BTCUSDT_250328.
    """
    try:
        answer = _CCXT.validate_json(content)
    except ValidationError as error:
        raise BadData(_unreadable(where, error)) from error
    found = {}
    for name, tiers in answer.items():
        pair, _, settlement = name.partition(":")
        symbol = "_".join([pair.replace("/", ""), *settlement.split("-")[1:]])
        found[symbol] = _schedule(symbol, [tier.info for tier in tiers], where)
    return found


def _schedule(symbol: str, brackets: list[VenueBracket], where: str) -> tuple[MarginBracket, ...]:
    schedule = tuple(
        MarginBracket(
            floor_notional=item.notionalFloor,
            cap_notional=item.notionalCap,
            max_leverage=item.initialLeverage,
            maintenance_fraction=item.maintMarginRatio,
            maintenance_amount=item.cum,
        )
        for item in sorted(brackets, key=lambda item: item.notionalFloor)
    )
    try:
        check_schedule(symbol, schedule)
    except BadData as error:
        raise BadData(f"{where}: {error}") from error
    return schedule


def _unreadable(where: str, error: ValidationError) -> str:
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"]) or "content"
    return (
        f"{where}: {place} is {str(first['input'])[:80]!r}: {first['msg']}; expected the answer of "
        "/fapi/v1/leverageBracket or ccxt's leverage tiers"
    )
