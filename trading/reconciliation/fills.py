"""Whose the venue's fills are: booked already, ours to book, foreign to adopt, or not yet to be told."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from trading.model.account import FillCause, VenueFill
from trading.model.order import Fill
from trading.reconciliation.breaks import ABSENT, Break, BreakKind, BreakSeverity, shown
from trading.reconciliation.orders import waiting_for_a_price
from trading.reconciliation.state import (
    MANUAL_DESK,
    VENUE_DESK,
    ForeignFill,
    LocalOrder,
    LocalState,
    VenueState,
)

_SAME = ("symbol", "side", "quantity", "price", "fee", "fee_currency")


@dataclass(slots=True)
class SortedFills:
    """The venue's fills by what is to be done with them.

    Attributes
    ----------
    ours
        New fills by client order id, oldest first.
    waiting
        Symbols with a fill that cannot be told from one of an order of ours yet.
    """

    matched: int = 0
    ours: dict[str, list[Fill]] = field(default_factory=dict)
    foreign: list[ForeignFill] = field(default_factory=list)
    waiting: set[str] = field(default_factory=set)
    breaks: list[Break] = field(default_factory=list)


def sort_fills(local: LocalState, venue: VenueState) -> SortedFills:
    """Sort what the venue lists, each fill once, in the order in which it happened.

    A fill belongs to the order of its client order id. Where a venue lists fills without one, other fills
    of the same venue order, or the open order itself, say whose it is. What then is nobody's is foreign,
    but not before an order of ours could no longer have brought it about.
    """
    found = SortedFills()
    known_as = _venue_order_ids(local, venue)
    waiting = waiting_for_a_price(local, venue)
    at_large = [ours for name, ours in local.orders.items() if name not in waiting]
    seen: dict[str, VenueFill] = {}
    filled: dict[str, Decimal] = {}
    for item in sorted(venue.fills, key=lambda fill: (fill.filled_at_ms, fill.venue_fill_id)):
        twin = seen.setdefault(item.venue_fill_id, item)
        booked = local.booked.get(item.venue_fill_id)
        if twin is not item or booked is not None:
            other = booked if booked is not None else twin
            if any(getattr(other, name) != getattr(item, name) for name in _SAME):
                found.breaks.append(_differs(item, other))
            elif twin is item:
                found.matched += 1
            continue
        order = local.orders.get(item.client_order_id or known_as.get(item.venue_order_id, ""))
        if order is not None:
            _to_order(found, item, order, filled, venue)
        elif not item.client_order_id and _may_be_ours(item, at_large, venue):
            found.waiting.add(item.symbol)
        else:
            found.foreign.append(_foreign(item, venue))
    return found


def _venue_order_ids(local: LocalState, venue: VenueState) -> dict[str, str]:
    """Client order id of each venue order id that something names as ours."""
    known = {order.venue_order_id: order.client_order_id for order in venue.orders}
    for item in venue.fills:
        booked = local.booked.get(item.venue_fill_id)
        if booked is not None:
            known[item.venue_order_id] = booked.client_order_id
        elif item.client_order_id:
            known.setdefault(item.venue_order_id, item.client_order_id)
    return known


def _to_order(
    found: SortedFills, item: VenueFill, order: LocalOrder, filled: dict[str, Decimal], venue: VenueState
) -> None:
    name = order.order.client_order_id
    total = filled.get(name, order.life.filled) + item.quantity
    fits = (
        (item.symbol, item.side) == (order.order.symbol, order.order.side)
        and order.life.sent
        and total <= order.order.quantity
    )
    if not fits:
        found.breaks.append(
            Break(
                BreakKind.FILL_REFUSED,
                item.venue_fill_id,
                item.symbol,
                BreakSeverity.BLOCKS,
                f"{order.order.side} {shown(order.order.quantity)} {order.order.symbol} {order.life.state}",
                f"{item.side} {shown(total)} {item.symbol} filled",
            )
        )
        return
    filled[name] = total
    found.ours.setdefault(name, []).append(_fill(item, venue, name))


def _may_be_ours(item: VenueFill, orders: Iterable[LocalOrder], venue: VenueState) -> bool:
    """Whether a nameless fill is so young, or an order of ours so alive, that it may yet turn out ours."""
    if item.filled_at_ms + venue.lag_ms >= venue.taken_at_ms:
        return True
    return any(
        (each.order.symbol, each.order.side) == (item.symbol, item.side)
        and each.life.sent
        and (not each.life.state.terminal or each.changed_at_ms + venue.lag_ms >= venue.taken_at_ms)
        for each in orders
    )


def _foreign(item: VenueFill, venue: VenueState) -> ForeignFill:
    forced = item.cause in (FillCause.LIQUIDATION, FillCause.ADL)
    return ForeignFill(
        _fill(item, venue, item.client_order_id or f"foreign:{item.venue_order_id}"),
        item.venue_order_id,
        item.cause if forced else FillCause.MANUAL,
        VENUE_DESK if forced else MANUAL_DESK,
    )


def _fill(item: VenueFill, venue: VenueState, client_order_id: str) -> Fill:
    return Fill(
        venue=venue.venue,
        venue_fill_id=item.venue_fill_id,
        client_order_id=client_order_id,
        symbol=item.symbol,
        side=item.side,
        quantity=item.quantity,
        price=item.price,
        fee=item.fee,
        fee_currency=item.fee_currency,
        filled_at_ms=item.filled_at_ms,
        slippage_bps=math.nan,
        account=venue.account,
    )


def _differs(item: VenueFill, other: Fill | VenueFill) -> Break:
    ours, theirs = (
        f"{each.side} {shown(each.quantity)} {each.symbol} at {shown(each.price)}, fee {shown(each.fee)} "
        f"{each.fee_currency or ABSENT}"
        for each in (other, item)
    )
    return Break(BreakKind.FILL_DIFFERS, item.venue_fill_id, item.symbol, BreakSeverity.BLOCKS, ours, theirs)
