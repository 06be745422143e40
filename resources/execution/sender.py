"""Sending intents and learning what became of them. Nothing is sent twice, nothing is retried blind."""

from __future__ import annotations

from dataclasses import dataclass

from trading.errors import UnknownOutcome
from trading.model.order import Order, OrderState
from trading.ports import OrderReport, Venue
from warehouse.ledger import fills, orders
from warehouse.ledger.backend import Ledger

#: States in which the venue may know more than the ledger does.
_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)
_AT_VENUE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a pass over the orders changed."""

    sent: int = 0
    new_fills: int = 0
    cancelled: int = 0
    unknown: int = 0


def settle(ledger: Ledger, venue: Venue, now_ms: int) -> Settled:
    """Bring every order that is not terminal up to what the venue knows.

    An order in doubt (it was being sent when a process died, or the answer was lost) is looked up:
    known to the venue means effect proven; unknown to the venue proves that it never arrived, and
    it becomes sendable again. Fills are booked once, whatever is reported how often.
    """
    with ledger.read() as tx:
        doubtful = orders.in_states(tx, _IN_DOUBT)
        resting = orders.in_states(tx, _AT_VENUE)
    booked = unknown = 0
    for order in (*doubtful, *resting):
        try:
            report = venue.lookup(order.client_order_id)
        except UnknownOutcome as error:
            unknown += 1
            _mark(ledger, order, OrderState.UNKNOWN, str(error), now_ms)
            continue
        if report is not None:
            booked += book(ledger, order, report, now_ms)
        elif order.state is OrderState.SENDING:
            _mark(ledger, order, OrderState.UNKNOWN, "venue does not know it: never arrived", now_ms)
        elif order.state is not OrderState.UNKNOWN:
            unknown += 1
            _mark(ledger, order, OrderState.UNKNOWN, "venue no longer knows an accepted order", now_ms)
    return Settled(new_fills=booked, unknown=unknown)


def send(ledger: Ledger, venue: Venue, tick_id: str, now_ms: int, *, halted: bool) -> Settled:
    """Send the tick's intents, and its orders that are proven never to have arrived.

    The transition to *sending* commits before the venue is called, so a crash in between is seen as
    doubt and looked up, never resent blind. While halted, buys are cancelled unsent.
    """
    with ledger.read() as tx:
        of_tick = orders.for_tick(tx, tick_id)
    sent = booked = cancelled = unknown = 0
    for order in of_tick:
        if order.state is OrderState.UNKNOWN and venue.lookup(order.client_order_id) is not None:
            continue  # settle books what the venue knows
        if order.state not in {OrderState.INTENT, OrderState.UNKNOWN}:
            continue
        if halted and order.side.value == "buy":
            cancelled += 1
            _mark(ledger, order, OrderState.CANCELLED, "halted before it was sent", now_ms)
            continue
        sending = _mark(ledger, order, OrderState.SENDING, "sending", now_ms)
        sent += 1
        try:
            booked += book(ledger, sending, venue.submit(sending), now_ms)
        except UnknownOutcome as error:
            unknown += 1
            _mark(ledger, sending, OrderState.UNKNOWN, str(error), now_ms)
    return Settled(sent, booked, cancelled, unknown)


def cancel_stale_intents(ledger: Ledger, tick_id: str, now_ms: int) -> int:
    """Cancel intents that an earlier tick left unsent: the market that they were meant for is gone."""
    with ledger.read() as tx:
        left = [order for order in orders.in_states(tx, (OrderState.INTENT,)) if order.tick_id != tick_id]
    for order in left:
        _mark(ledger, order, OrderState.CANCELLED, "its tick ended before it was sent", now_ms)
    return len(left)


def cancel_open(ledger: Ledger, venue: Venue, now_ms: int) -> Settled:
    """Cancel every buy that is not terminal; sells reduce risk and stay."""
    with ledger.read() as tx:
        live = orders.in_states(tx, (OrderState.INTENT, *_AT_VENUE))
    booked = cancelled = 0
    for order in live:
        if order.side.value != "buy":
            continue
        if order.state is OrderState.INTENT:
            _mark(ledger, order, OrderState.CANCELLED, "halted before it was sent", now_ms)
        else:
            booked += book(ledger, order, venue.cancel(order.client_order_id), now_ms)
        cancelled += 1
    return Settled(new_fills=booked, cancelled=cancelled)


def book(ledger: Ledger, order: Order, report: OrderReport, now_ms: int) -> int:
    """Book a report in one transaction: its new fills, then the order's state. Returns new fills."""
    with ledger.transaction() as tx:
        new = sum(fills.record(tx, fill, order, now_ms) for fill in report.fills)
        current = orders.by_id(tx, order.client_order_id)
        if current.state is not report.state and not current.state.terminal:
            orders.transition(
                tx, order.client_order_id, report.state, report.reason or "venue report", now_ms
            )
    return new


def _mark(ledger: Ledger, order: Order, state: OrderState, cause: str, now_ms: int) -> Order:
    with ledger.transaction() as tx:
        return orders.transition(tx, order.client_order_id, state, cause, now_ms)
