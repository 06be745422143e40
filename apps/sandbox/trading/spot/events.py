"""Spot events of the user-data stream in Binance's shapes."""

from __future__ import annotations

from typing import Any

from apps.sandbox.render import number
from apps.sandbox.trading.orders import ZERO, OrderEvent
from apps.sandbox.trading.spot.account import BalancesMoved


def payload(event: object) -> dict[str, Any]:
    """What the stream says of an event of a spot account."""
    if isinstance(event, OrderEvent):
        return _report(event)
    if isinstance(event, BalancesMoved):
        held = [{"a": it.asset, "f": number(it.free), "l": number(it.locked)} for it in event.balances]
        return {"e": "outboundAccountPosition", "E": event.at_ms, "u": event.at_ms, "B": held}
    raise TypeError(f"{type(event).__name__} is no event of a spot account")


def _report(event: OrderEvent) -> dict[str, Any]:
    order, trade = event.order, event.trade
    return {
        "e": "executionReport",
        "E": event.at_ms,
        "s": order.symbol,
        "c": event.cancel_id or order.client_order_id,
        "S": order.side.value.upper(),
        "o": order.kind,
        "f": order.time_in_force,
        "q": number(order.quantity),
        "p": number(order.price or ZERO),
        "P": number(order.stop_price or ZERO),
        "F": number(ZERO),
        "g": -1,
        "C": order.client_order_id if event.cancel_id else "",
        "x": event.cause,
        "X": order.status.value,
        "r": "NONE",
        "i": order.order_id,
        "l": number(trade.quantity if trade else ZERO),
        "z": number(order.executed),
        "L": number(trade.price if trade else ZERO),
        "n": number(trade.fee) if trade else "0",
        "N": trade.fee_asset if trade else None,
        "T": event.at_ms,
        "t": trade.trade_id if trade else -1,
        "I": order.order_id,
        "w": order.open and order.working_ms is not None,
        "m": trade.maker if trade else False,
        "M": False,
        "O": order.created_ms,
        "Z": number(order.executed_quote),
        "Y": number(trade.quote if trade else ZERO),
        "Q": number(order.quote_quantity or ZERO),
        "W": order.working_ms or -1,
        "V": "NONE",
    }
