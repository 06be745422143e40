"""Orders that a person cancels or moves: the wish commits first, with who and why, and then the venue hears of it."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from resources.execution.cover import Rules
from resources.execution.leasing import AccountHold, account_hold
from resources.execution.sender import cancel_at_venue, dispatch
from trading.errors import BadData
from trading.execution.approval import sign_intents, sign_legs
from trading.execution.filters import floor_to
from trading.execution.lifecycle import Event, EventKind, Life
from trading.execution.links import (
    BY_HAND,
    PROTECTIVE,
    Bracket,
    looser,
    next_revision,
    replacement,
)
from trading.model.decision import Verdict
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side
from trading.ports import Clock, Venue
from warehouse.ledger import audit, decisions, order_history, orders
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.entries import legs_of

_AT_VENUE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)
_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Wish:
    """Who wants something, why, and when (milliseconds, the market's clock)."""

    by: str
    reason: str
    at_ms: int

    @property
    def cause(self) -> str:
        """What an order's event says of it."""
        return f"{BY_HAND} ({self.by}): {self.reason}"


def cancel_by_hand(
    ledger: Ledger, venue: Venue, client_order_id: str, wish: Wish, *, account: str = "main"
) -> Order:
    """Cancel an order, a protective one included: it is then not placed again.

    Returns
    -------
    Order
        As it then is. One that has not ended is cancelled once the venue has proven it.

    Raises
    ------
    BadData
        If the order has ended already, or is none of this account's.
    """
    with ledger.transaction() as tx:
        order, _ = _live(tx, client_order_id, venue, account)
        audit.append(tx, "order_cancel", client_order_id, {"by": wish.by, "reason": wish.reason}, wish.at_ms)
        order = _asked(tx, order, wish)
    return _cancelled(ledger, venue, order, wish.at_ms)


def replace_by_hand(
    ledger: Ledger,
    venue: Venue,
    client_order_id: str,
    price: Decimal,
    wish: Wish,
    rules: Rules,
    *,
    loosen: bool = False,
    account: str = "main",
    clock: Clock | None = None,
    lease_clock: Clock | None = None,
) -> Order:
    """Move a protective order or a limit order to another price, for at most what it has left unfilled.

    The old order's cancel is proven before the new one goes out. A protective order's successor commits with
    the wish and waits for that proof, whatever fails in between; a limit order's is made once it is proven.

    Parameters
    ----------
    price
        The new stop or limit price (quote), on the tick grid.
    loosen
        Whether a stop may move away from the market.

    Returns
    -------
    Order
        The new order as it then is: an intent while the old one is not proven cancelled.

    Raises
    ------
    BadData
        If the order cannot be replaced so; the message says why, and nothing was changed.
    RetryLater
        If another sender works on the account, or the venue took nothing.
    """
    with account_hold(ledger, f"{venue.name}/{account}", clock=lease_clock) as hold:
        with hold.transaction() as tx:
            order, life = _live(tx, client_order_id, venue, account)
            _require_replaceable(order, life, price, rules, loosen=loosen)
            content = {"by": wish.by, "reason": wish.reason, "price": price, "loosen": loosen}
            audit.append(tx, "order_replace", client_order_id, content, wish.at_ms)
            verdict = decisions.verdict(tx, order.decision_id)
            if verdict is None:
                raise BadData(f"order {client_order_id}: the ledger has no risk verdict on it; cancel it")
            new = None
            if order.role in PROTECTIVE:
                new = _successor(tx, order, life, price, verdict, wish, rules)
            order = _asked(tx, order, wish)
        order = _cancelled(ledger, venue, order, wish.at_ms)
        if new is None:
            new = _commit_replacement(hold, order, price, verdict, wish, rules)
        dispatch(hold, venue, [new.client_order_id], wish.at_ms, key=rules.key, clock=clock)
    with ledger.read() as tx:
        return orders.require(tx, new.client_order_id)


def _live(tx: Transaction, client_order_id: str, venue: Venue, account: str) -> tuple[Order, Life]:
    order = orders.require(tx, client_order_id)
    if (order.venue, order.account) != (venue.name, account):
        raise BadData(
            f"order {client_order_id} is for {order.venue}/{order.account}, settings trade {venue.name}/{account}"
        )
    if order.state.terminal:
        raise BadData(f"order {client_order_id} is {order.state}: nothing is left of it")
    return order, order_history.life(tx, order)


def _require_replaceable(order: Order, life: Life, price: Decimal, rules: Rules, *, loosen: bool) -> None:
    name, instrument = order.client_order_id, rules.instruments.get(order.symbol)
    if order.state in _IN_DOUBT or life.cancel_requested:
        raise BadData(f"order {name} is {order.state} or being cancelled: wait until that is settled")
    if instrument is None:
        raise BadData(f"order {name}: the tick size of {order.symbol} is unknown; cancel it instead")
    if price <= 0 or floor_to(price, instrument.tick_size) != price:
        raise BadData(
            f"price {price} is not a positive multiple of {order.symbol}'s tick {instrument.tick_size}"
        )
    if order.role in PROTECTIVE:
        if order.order_type is OrderType.MARKET:
            raise BadData(f"order {name} closes at the market: it has no price to move")
        if order.role is OrderRole.STOP and looser(order, price) and not loosen:
            raise BadData(
                f"order {name}: a stop at {price} gives up later than the one at {order.stop_price}; "
                "say --loosen to allow that"
            )
    elif order.order_type is not OrderType.LIMIT or order.limit_price is None:
        raise BadData(f"order {name} is a {order.order_type.value} order: it has no price to move; cancel it")
    elif order.adds_exposure and (price - order.limit_price) * (1 if order.side is Side.BUY else -1) > 0:
        raise BadData(
            f"order {name}: {price} is worse than {order.limit_price}, which is what the risk gate approved"
        )


def _successor(
    tx: Transaction,
    leg: Order,
    life: Life,
    price: Decimal,
    verdict: Verdict,
    wish: Wish,
    rules: Rules,
) -> Order:
    """Commit the leg that comes after this one."""
    parent = orders.require(tx, leg.parent_id)
    own = [each for each in legs_of(tx, [leg.parent_id])[leg.parent_id] if each.order.role is leg.role]
    new = next_revision(leg, life.remaining, price, len(own), wish.at_ms)
    filled = order_history.life(tx, parent).filled
    (signed,) = sign_legs([new], parent, filled, Bracket(price, price), verdict, rules.key)
    orders.commit_orders(tx, [signed], wish.at_ms, currency=rules.currency)
    return signed


def _commit_replacement(
    hold: AccountHold, order: Order, price: Decimal, verdict: Verdict, wish: Wish, rules: Rules
) -> Order:
    with hold.transaction() as tx:
        current = orders.require(tx, order.client_order_id)
        life = order_history.life(tx, current)
        new = replacement(current, life, wish.at_ms, limit_price=price)
        (signed,) = sign_intents([new], [verdict], rules.key)
        orders.commit_orders(tx, [signed], wish.at_ms, currency=rules.currency)
    return signed


def _asked(tx: Transaction, order: Order, wish: Wish) -> Order:
    return orders.append(tx, order, Event(EventKind.REQUEST_CANCEL, wish.cause), wish.at_ms)


def _cancelled(ledger: Ledger, venue: Venue, order: Order, now_ms: int) -> Order:
    if order.state in _AT_VENUE:
        cancel_at_venue(ledger, venue, order, now_ms)
    with ledger.read() as tx:
        return orders.require(tx, order.client_order_id)
