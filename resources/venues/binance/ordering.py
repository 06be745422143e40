"""What submitting an order has in common on every market of Binance."""

from __future__ import annotations

from collections.abc import Callable

from resources.venues.binance.errors import Refused
from resources.venues.binance.transport import AHEAD_MS, Api
from trading.errors import BadData
from trading.model.order import Order, OrderState, OrderType
from trading.model.series import Market
from trading.ports import OrderReport

#: Finds an order of ours by its client order id: Binance asks for the symbol too. None: no such order.
FindOrder = Callable[[str], Order | None]


def absence_proven_after_ms(api: Api, visibility_ms: int) -> int:
    """How long after *sending* an order that no lookup shows has proven not to exist.

    The venue takes a request until it is a receive window old by its own clock. The timestamp may have
    been ahead of that clock by what the venue allows. And an accepted order may stay hidden for a while.
    """
    return api.receive_window_ms + AHEAD_MS + visibility_ms


def objection(order: Order, venue: str, account: str, market: Market) -> str:
    """Why an order cannot be sent to this venue at all; empty when it can."""
    if (order.venue, order.account) != (venue, account):
        return f"order is for {order.venue}/{order.account}, this is {venue}/{account}"
    if order.market is not market:
        return f"order is for the market {order.market}, this is {market}"
    if order.order_type is OrderType.LIMIT and order.limit_price is None:
        return "a limit order needs a limit_price"
    if order.order_type in (OrderType.STOP, OrderType.TAKE_PROFIT) and order.stop_price is None:
        return f"a {order.order_type.value} order needs a stop_price"
    return ""


def sending_at_ms(order: Order) -> int:
    """When *sending* was committed: the request is bound to it.

    Raises
    ------
    BadData
        If it never was: the request would then be bound to nothing.
    """
    if order.sending_at_ms is None:
        raise BadData(
            f"order {order.client_order_id}: sending_at_ms is None; commit sending before the venue is called"
        )
    return order.sending_at_ms


def known(find_order: FindOrder, client_order_id: str) -> Order:
    """Our order of that id. Raises `BadData` when there is none: the venue cannot be asked without a symbol."""
    order = find_order(client_order_id)
    if order is None:
        raise BadData(
            f"order {client_order_id} is not in the ledger; Binance finds no order without its symbol"
        )
    return order


def rejected(order: Order, why: Refused | str) -> OrderReport:
    """The report of an order that the venue, or this adapter, refused."""
    reason = f"Binance ({why.code}): {why.reason}" if isinstance(why, Refused) else why
    return OrderReport(order.client_order_id, OrderState.REJECTED, (), reason)
