"""Sending intents and learning what became of them. Nothing is sent twice, nothing is retried blind."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from resources.execution.leasing import AccountHold, account_hold
from resources.execution.starting import start
from trading.errors import HaltTrading, RetryLater, UnknownOutcome
from trading.execution.lifecycle import Event, EventKind
from trading.execution.links import PROTECTIVE
from trading.execution.reports import events_of
from trading.model.account import VenueOrder
from trading.model.order import Order, OrderState
from trading.ports import Clock, OrderReport, Venue
from warehouse.ledger import fills, order_history, orders
from warehouse.ledger.backend import Ledger, Transaction

#: States in which the venue may know more than the ledger does.
_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)
_AT_VENUE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a pass over the orders changed.

    Attributes
    ----------
    unknown
        Orders of which it could not be told whether they are at the venue.
    held
        Intents that were kept back because another order of their symbol is in doubt, or ledger and venue
        disagree.
    """

    sent: int = 0
    new_fills: int = 0
    cancelled: int = 0
    unknown: int = 0
    held: int = 0


def settle(
    ledger: Ledger,
    venue: Venue,
    now_ms: int,
    *,
    account: str = "main",
    lease_clock: Clock | None = None,
    listed: Callable[[], Sequence[VenueOrder]] = tuple,
) -> Settled:
    """Bring every order that is not terminal up to what the venue knows.

    An order in doubt (it was being sent when a process died, or the answer was lost) is looked up. Known to
    the venue means effect proven. Not known, for longer than the venue may take to show it, proves that it
    never arrived: it is an intent again. Until one of both is proven it stays unknown. Fills are booked
    once, whatever is reported how often.

    Parameters
    ----------
    listed
        Asked once for what is open at the venue: an order that rests there, with no fill that is not booked,
        needs no look of its own.

    Raises
    ------
    RetryLater
        If another sender works on the account.
    """
    open_orders = _to_look_at(ledger, venue.name, account, listed)
    if not open_orders:
        return Settled()
    booked = unknown = cancelled = 0
    with account_hold(ledger, f"{venue.name}/{account}", clock=lease_clock) as hold:
        for order in sorted(open_orders, key=lambda order: order.state in _AT_VENUE):
            try:
                report = venue.lookup(order.client_order_id)
            except (UnknownOutcome, RetryLater) as error:
                if order.state in _IN_DOUBT or isinstance(error, UnknownOutcome):
                    unknown += 1
                    _move(hold, order, OrderState.UNKNOWN, str(error), now_ms)
                continue
            if report is None:
                unknown += not _absent(hold, venue, order, now_ms)
                continue
            booked += book(ledger, order, report, now_ms)
            if _wants_cancel(ledger, order):
                booked += cancel_at_venue(ledger, venue, order, now_ms)
                cancelled += 1
    return Settled(new_fills=booked, cancelled=cancelled, unknown=unknown)


def send(
    ledger: Ledger,
    venue: Venue,
    tick_id: str,
    now_ms: int,
    *,
    key: bytes,
    halted: Callable[[], bool] = lambda: False,
    clock: Clock | None = None,
    account: str = "main",
    lease_clock: Clock | None = None,
) -> Settled:
    """Send the tick's intents for a venue's account.

    The transition to *sending* commits before the venue is called, so a crash in between is seen as
    doubt and looked up, never resent blind. In that commit the order must still be an intent, signed by
    the risk gate, not halted, and free of doubt about its symbol.

    Parameters
    ----------
    key
        The risk gate's signing key.
    halted
        Asked before each order: forbids new exposure even where the ledger's control does not.
    clock
        Asked before each order: a venue refuses a request that is too old, and the last order of a tick may
        go out long after the first. None: all are sent at ``now_ms``.

    Raises
    ------
    RetryLater
        If another sender works on the account, or the venue asks to come back later.
    HaltTrading
        If an order is not what the risk gate signed; it is rejected, and the others are sent first.
    """
    with ledger.read() as tx:
        of_tick = [
            order.client_order_id
            for order in orders.for_tick(tx, tick_id)
            if order.state is OrderState.INTENT and (order.venue, order.account) == (venue.name, account)
        ]
    if not of_tick:
        return Settled()
    with account_hold(ledger, f"{venue.name}/{account}", clock=lease_clock) as hold:
        return dispatch(hold, venue, of_tick, now_ms, key=key, halted=halted, clock=clock)


def dispatch(
    hold: AccountHold,
    venue: Venue,
    ids: Sequence[str],
    now_ms: int,
    *,
    key: bytes,
    halted: Callable[[], bool] = lambda: False,
    clock: Clock | None = None,
) -> Settled:
    """Send intents under a lease that is held; see `send`.

    Before an order that closes a holding goes out, what protects the holding is cancelled: a venue may lock
    what a resting stop covers, and both together would close more than is held. While the venue has not
    proven that it is gone, the order stays an intent.
    """
    sent = booked = cancelled = unknown = held = 0
    forged = []
    for client_order_id in ids:
        if clock is not None:
            now_ms = max(now_ms, clock.now_ms())
        order, wrong, protection = start(hold, client_order_id, key, now_ms, halted=halted)
        if protection:
            booked += sum(cancel_at_venue(hold.ledger, venue, leg, now_ms) for leg in protection)
            order, wrong, _ = start(hold, client_order_id, key, now_ms, halted=halted)
        if wrong:
            forged.append(f"{client_order_id}: {wrong}")
        cancelled += order.state is OrderState.CANCELLED
        held += order.state is OrderState.INTENT
        if order.state is not OrderState.SENDING:
            continue
        sent += 1
        try:
            report = venue.submit(replace(order, sending_at_ms=now_ms))
        except UnknownOutcome as error:
            unknown += 1
            _move(hold, order, OrderState.UNKNOWN, str(error), now_ms)
        except RetryLater as error:
            _move(hold, order, OrderState.INTENT, f"the venue took nothing: {error}", now_ms)
            raise
        else:
            booked += book(hold.ledger, order, report, now_ms)
    if forged:
        raise HaltTrading(
            f"{len(forged)} order(s) were not sent, the risk gate did not approve them: {'; '.join(forged)}. "
            "Run tidemill audit verify, and find out who wrote them"
        )
    return Settled(sent, booked, cancelled, unknown, held)


def cancel_stale_intents(ledger: Ledger, tick_id: str, now_ms: int) -> int:
    """Cancel intents that an earlier tick left unsent: the market that they were meant for is gone.

    What protects a holding stays: it is wanted as long as the holding is.
    """
    with ledger.read() as tx:
        left = [
            order
            for order in orders.in_states(tx, (OrderState.INTENT,))
            if order.tick_id != tick_id and order.role not in PROTECTIVE
        ]
    return sum(_cancel_unsent(ledger, order, "its tick ended before it was sent", now_ms) for order in left)


def cancel_open(ledger: Ledger, venue: Venue, now_ms: int) -> Settled:
    """Cancel every order that may add exposure; what reduces risk stays.

    The wish to cancel is committed first. An order in doubt is cancelled once it is found at the venue, and
    never sent again when it is not. Needs no lease: a sender that hangs must not keep orders alive.
    """
    with ledger.read() as tx:
        live = orders.in_states(tx, (OrderState.INTENT, *_IN_DOUBT, *_AT_VENUE))
    booked = cancelled = unknown = 0
    for order in live:
        if not order.adds_exposure or order.venue != venue.name:
            continue
        if _cancel_unsent(ledger, order, "halted before it was sent", now_ms):
            cancelled += 1
        elif order.state in _IN_DOUBT:
            unknown += 1
        else:
            booked += cancel_at_venue(ledger, venue, order, now_ms)
            cancelled += 1
    return Settled(new_fills=booked, cancelled=cancelled, unknown=unknown)


def book(ledger: Ledger, order: Order, report: OrderReport, now_ms: int) -> int:
    """Book a report in one transaction: its new fills, then the order's state. Returns new fills.

    Facts of the venue need no lease: whoever books them first, the books end the same.
    """
    with ledger.transaction() as tx:
        new = sum(fills.record(tx, fill, order, now_ms) for fill in report.fills)
        current = orders.require(tx, order.client_order_id)
        for event in events_of(order_history.life(tx, current), report):
            orders.append(tx, current, event, now_ms)
    return new


def _absent(hold: AccountHold, venue: Venue, order: Order, now_ms: int) -> bool:
    """Book that the venue does not know an order; returns whether that proves that it never arrived."""
    with hold.transaction() as tx:
        current = orders.require(tx, order.client_order_id)
        if current.state.terminal or current.state is OrderState.INTENT:
            return True
        sent_at_ms = order_history.sending_at_ms(tx, order.client_order_id)
        accepted = order_history.life(tx, current).accepted
        waited = sent_at_ms is not None and now_ms - sent_at_ms >= venue.absence_proven_after_ms
        if accepted:
            cause = "venue no longer knows an accepted order"
        elif waited:
            cause = "venue does not know it: never arrived"
        else:
            cause = "venue does not know it yet"
        current = orders.transition(tx, order.client_order_id, OrderState.UNKNOWN, cause, now_ms)
        if accepted or not waited:
            return False
        orders.append(tx, current, Event(EventKind.PROVE_ABSENT, cause), now_ms)
        return True


def _to_look_at(
    ledger: Ledger, venue: str, account: str, listed: Callable[[], Sequence[VenueOrder]]
) -> list[Order]:
    """Orders that the venue may know more of than the ledger does."""
    with ledger.read() as tx:
        found = orders.in_states(tx, (*_IN_DOUBT, *_AT_VENUE))
        own = [order for order in found if (order.venue, order.account) == (venue, account)]
        lives = order_history.lives(tx, own)
    resting = {
        order.client_order_id
        for order in own
        if order.state in _AT_VENUE and not lives[order.client_order_id].cancel_requested
    }
    executed = {item.client_order_id: item.executed for item in listed()} if resting else {}
    return [
        order
        for order in own
        if order.client_order_id not in resting
        or executed.get(order.client_order_id) != lives[order.client_order_id].filled
    ]


def _wants_cancel(ledger: Ledger, order: Order) -> bool:
    with ledger.read() as tx:
        current = orders.require(tx, order.client_order_id)
        return current.state in _AT_VENUE and order_history.life(tx, current).cancel_requested


def cancel_at_venue(ledger: Ledger, venue: Venue, order: Order, now_ms: int) -> int:
    """Cancel an order whose wish to be cancelled is committed; returns the new fills that were booked."""
    try:
        report = venue.cancel(order.client_order_id)
    except (UnknownOutcome, RetryLater):
        return 0  # the wish is in the ledger: the next pass sees what came of it, and asks again
    return book(ledger, order, report, now_ms)


def _cancel_unsent(ledger: Ledger, order: Order, cause: str, now_ms: int) -> bool:
    """Commit the wish to cancel; returns whether that ended the order, since it had not been sent."""
    with ledger.transaction() as tx:
        current = orders.require(tx, order.client_order_id)
        return not current.state.terminal and _ended(tx, current, cause, now_ms).state.terminal


def _ended(tx: Transaction, order: Order, cause: str, now_ms: int) -> Order:
    return orders.append(tx, order, Event(EventKind.REQUEST_CANCEL, cause), now_ms)


def _move(hold: AccountHold, order: Order, state: OrderState, cause: str, now_ms: int) -> None:
    with hold.transaction() as tx:
        current = orders.require(tx, order.client_order_id)
        if not current.state.terminal and current.state is not state:
            orders.transition(tx, order.client_order_id, state, cause, now_ms)
