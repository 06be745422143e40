"""From messages of the user-data streams to events; pure."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import orjson
from pydantic import AliasChoices, BaseModel, Field, TypeAdapter

from resources.venues.binance.reading import shaped
from resources.venues.binance.states import (
    cause_of,
    fill_id,
    price_or_none,
    side_of,
    state_of,
    type_of,
)
from resources.venues.binance.stream.events import (
    AccountChanged,
    MarginCall,
    Message,
    OrderUpdate,
    StreamEnded,
    TermsChanged,
)
from resources.venues.binance.usdm.parse import ALGO_PREFIX, ALGO_STATES
from trading.errors import BadData
from trading.model.account import VenueFill, VenueOrder

#: Kinds of execution that trade; the quantity of any other is no fill.
_TRADES = frozenset({"TRADE", "CALCULATED"})
_ENDED = frozenset({"listenKeyExpired", "eventStreamTerminated", "serverShutdown"})


class Execution(BaseModel):
    """The fields that an order's event has in both markets; the letters are the venue's.

    Spot writes the stop price as ``P`` and the client id of a cancelled order as ``C``; futures write
    ``sp`` and keep ``c``.
    """

    s: str
    c: str
    original: str = Field(default="", validation_alias="C")
    side: str = Field(validation_alias="S")
    o: str
    q: Decimal
    p: Decimal
    stop: Decimal | None = Field(default=None, validation_alias=AliasChoices("sp", "P"))
    kind: str = Field(validation_alias="x")
    status: str = Field(validation_alias="X")
    i: int
    last: Decimal = Field(validation_alias="l")
    z: Decimal
    price: Decimal = Field(validation_alias="L")
    n: Decimal | None = None
    N: str | None = None
    t: int
    at: int = Field(validation_alias="T")
    R: bool = False


class AlgoUpdate(BaseModel):
    """The order of an ``ALGO_UPDATE``."""

    caid: str
    aid: int
    s: str
    side: str = Field(validation_alias="S")
    o: str
    q: Decimal
    status: str = Field(validation_alias="X")
    tp: Decimal
    p: Decimal
    R: bool = False


_EXECUTION = TypeAdapter(Execution)
_ALGO = TypeAdapter(AlgoUpdate)


def message(content: str | bytes) -> Message:
    """What a message means, bare or wrapped as ``{"event": …}`` or ``{"data": …}``.

    Raises
    ------
    BadData
        If it is no event, or an event of a kind that matters is not as documented.
    """
    try:
        body = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadData(f"user-data stream: a message is no JSON ({error})") from error
    for wrapper in ("event", "data"):
        if isinstance(body, dict) and isinstance(body.get(wrapper), dict):
            body = body[wrapper]
    if not isinstance(body, dict) or not isinstance(body.get("e"), str):
        raise BadData(f"user-data stream: a message has no event type: {str(body)[:120]}")
    return _event(body)


def _event(body: dict[str, Any]) -> Message:
    kind = body["e"]
    if kind in _ENDED:
        return StreamEnded(kind)
    at_ms = _time(body)
    if kind == "executionReport":
        return _execution(body)
    if kind == "ORDER_TRADE_UPDATE":
        return _execution(body.get("o"))
    if kind == "ALGO_UPDATE":
        return _algo(body.get("o"), at_ms)
    if kind == "ACCOUNT_UPDATE":
        account = body.get("a") or {}
        return AccountChanged(_names(account.get("B"), "a"), _names(account.get("P"), "s"), at_ms)
    if kind == "outboundAccountPosition":
        return AccountChanged(_names(body.get("B"), "a"), (), at_ms)
    if kind == "balanceUpdate":
        return AccountChanged((str(body.get("a", "")),), (), at_ms)
    if kind == "ACCOUNT_CONFIG_UPDATE":
        return TermsChanged(str((body.get("ac") or {}).get("s", "")), at_ms)
    if kind == "MARGIN_CALL":
        return MarginCall(_names(body.get("p"), "s"), at_ms)
    return None


def _execution(raw: object) -> OrderUpdate:
    row = shaped(_EXECUTION, raw, "user-data stream: order event")
    where = f"order {row.i} of {row.s}"
    # A cancel request has a client id of its own on spot; the order's is then the original one.
    client_order_id = row.original or row.c
    order = VenueOrder(
        client_order_id=client_order_id,
        venue_order_id=str(row.i),
        symbol=row.s,
        side=side_of(row.side, where),
        order_type=type_of(row.o, where),
        quantity=row.q,
        executed=row.z,
        state=state_of(row.status, where, quantity=row.q, executed=row.z),
        updated_at_ms=row.at,
        reduce_only=row.R,
        limit_price=price_or_none(row.p),
        stop_price=row.stop or None,
    )
    fill = None
    if row.kind in _TRADES and row.last > 0:
        if row.price <= 0:
            raise BadData(f"user-data stream: {where}: trade {row.t} has no price ({row.price})")
        # Fee and currency are left out of an event where there was no fee.
        fill = VenueFill(
            venue_fill_id=fill_id(row.s, row.t),
            venue_order_id=order.venue_order_id,
            client_order_id=client_order_id,
            symbol=row.s,
            side=order.side,
            quantity=row.last,
            price=row.price,
            fee=row.n or Decimal(0),
            fee_currency=row.N or "",
            filled_at_ms=row.at,
            cause=cause_of(client_order_id),
        )
    return OrderUpdate(order, fill, row.at)


def _algo(raw: object, at_ms: int) -> OrderUpdate | None:
    row = shaped(_ALGO, raw, "user-data stream: conditional order event")
    state = ALGO_STATES.get(row.status)
    if state is None:
        return None  # FINISHED: the order that it became has told its own end
    where = f"conditional order {row.aid} of {row.s}"
    order = VenueOrder(
        client_order_id=row.caid,
        venue_order_id=f"{ALGO_PREFIX}{row.aid}",
        symbol=row.s,
        side=side_of(row.side, where),
        order_type=type_of(row.o, where),
        quantity=row.q,
        executed=Decimal(0),
        state=state,
        updated_at_ms=at_ms,
        reduce_only=row.R,
        limit_price=price_or_none(row.p),
        stop_price=price_or_none(row.tp),
    )
    return OrderUpdate(order, None, at_ms)


def _time(body: dict[str, Any]) -> int:
    stamp = body.get("T", body.get("E"))
    if not isinstance(stamp, int):
        raise BadData(f"user-data stream: {body.get('e')} has no time: {str(body)[:120]}")
    return stamp


def _names(rows: object, key: str) -> tuple[str, ...]:
    if not isinstance(rows, list):
        return ()
    return tuple(dict.fromkeys(str(row.get(key, "")) for row in rows if isinstance(row, dict)))
