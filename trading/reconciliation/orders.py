"""What the venue's open orders mean for ours: states to move, and orders that only one side knows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trading.execution.triggers import is_conditional
from trading.model.account import VenueOrder
from trading.model.order import Fill, OrderState
from trading.ports import OrderReport
from trading.reconciliation.breaks import ABSENT, Break, BreakKind, BreakSeverity, shown
from trading.reconciliation.state import OUR_PREFIX, LocalOrder, LocalState, VenueState

_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)
_AT_VENUE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


def compare_orders(
    local: LocalState, venue: VenueState, new_fills: Mapping[str, Sequence[Fill]]
) -> tuple[list[OrderReport], list[Break]]:
    """Reports to book on our orders, their new fills included, and the breaks.

    That an order in doubt is not listed says nothing here: what then is proven, and when, is the business
    of settling (`resources.execution.sender.settle`).
    """
    listed = {order.client_order_id: order for order in venue.orders}
    reports: list[OrderReport] = []
    breaks: list[Break] = []
    for name, ours in local.orders.items():
        theirs = listed.pop(name, None)
        fresh = tuple(new_fills.get(name, ()))
        if theirs is None:
            if fresh:
                reports.append(OrderReport(name, OrderState.PARTIALLY_FILLED, fresh, "reconciled"))
            elif _should_be_listed(ours, venue):
                breaks.append(_break(BreakKind.ORDER_MISSING, ours, None))
            continue
        if _contradicts(ours, theirs):
            breaks.append(_break(BreakKind.ORDER_DIFFERS, ours, theirs))
            continue
        if not fresh and _should_not_be_listed(ours, venue):
            breaks.append(_break(BreakKind.ORDER_ALIVE, ours, theirs))
        if fresh or ours.life.state in _IN_DOUBT:
            reports.append(OrderReport(name, theirs.state, fresh, "reconciled", theirs.executed))
    breaks += [_unknown(order) for order in listed.values()]
    return reports, breaks


def _should_be_listed(ours: LocalOrder, venue: VenueState) -> bool:
    if ours.life.state not in _AT_VENUE or ours.life.filled >= ours.order.quantity:
        return False
    last_ms = max(ours.changed_at_ms, ours.sent_at_ms or 0)
    return last_ms + venue.lag_ms < venue.taken_at_ms


def _should_not_be_listed(ours: LocalOrder, venue: VenueState) -> bool:
    gone = ours.life.state.terminal or ours.life.state is OrderState.INTENT
    return gone and ours.changed_at_ms + venue.lag_ms < venue.taken_at_ms


def _contradicts(ours: LocalOrder, theirs: VenueOrder) -> bool:
    order = ours.order
    return (order.symbol, order.side, order.quantity) != (theirs.symbol, theirs.side, theirs.quantity)


def _break(kind: BreakKind, ours: LocalOrder, theirs: VenueOrder | None) -> Break:
    order = ours.order
    return Break(
        kind,
        order.client_order_id,
        order.symbol,
        BreakSeverity.BLOCKS,
        f"{order.side} {shown(order.quantity)} {order.symbol} {ours.life.state}",
        ABSENT if theirs is None else _shown(theirs),
    )


def _unknown(theirs: VenueOrder) -> Break:
    orphan = theirs.client_order_id.startswith(OUR_PREFIX)
    return Break(
        BreakKind.ORPHAN_ORDER if orphan else BreakKind.FOREIGN_ORDER,
        theirs.client_order_id or theirs.venue_order_id,
        theirs.symbol,
        BreakSeverity.BLOCKS if orphan else BreakSeverity.ALERTS,
        ABSENT,
        _shown(theirs),
    )


def _shown(order: VenueOrder) -> str:
    return f"{order.side} {shown(order.quantity)} {order.symbol} {order.state}"


def waiting_for_a_price(local: LocalState, venue: VenueState) -> set[str]:
    """Stops and take-profits that the venue lists with no more executed than we know: they have not gone out.

    They may rest for weeks, and must not make us blind to what others do meanwhile.
    """
    listed = {order.client_order_id: order for order in venue.orders}
    return {
        name
        for name, ours in local.orders.items()
        if name in listed and is_conditional(ours.order) and listed[name].executed <= ours.life.filled
    }


def may_still_fill(
    local: LocalState, venue: VenueState, new_fills: Mapping[str, Sequence[Fill]]
) -> dict[str, tuple[Decimal, Decimal]]:
    """Most that our orders at the venue may have bought and sold (base) of each symbol without saying so yet."""
    open_ends: dict[str, tuple[Decimal, Decimal]] = {}
    waiting = waiting_for_a_price(local, venue)
    for name, ours in local.orders.items():
        if ours.life.state not in (*_IN_DOUBT, *_AT_VENUE) or name in waiting:
            continue
        rest = ours.life.remaining - sum((fill.quantity for fill in new_fills.get(name, ())), Decimal(0))
        if rest <= 0:
            continue
        bought, sold = open_ends.get(ours.order.symbol, (Decimal(0), Decimal(0)))
        if ours.order.side.value == "buy":
            bought += rest
        else:
            sold += rest
        open_ends[ours.order.symbol] = (bought, sold)
    return open_ends
