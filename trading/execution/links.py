"""Linked orders: replacements, and brackets of a stop and a take-profit around an entry.

A link is the parent's client order id and a role; ids derive from them and a revision, so that a rerun
gives the same orders. Nothing here sends or cancels: the functions say what should be.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.errors import BadData
from trading.execution.filters import ceil_to, floor_to, to_decimal
from trading.execution.lifecycle import Life
from trading.model.canonical import digest
from trading.model.interval import MINUTE_MS
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side

_IN_DOUBT = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
_TYPE_OF = {OrderRole.STOP: OrderType.STOP, OrderRole.TAKE_PROFIT: OrderType.TAKE_PROFIT}
#: Roles of orders that close what an entry opened.
PROTECTIVE = frozenset(_TYPE_OF)
#: How the cause of a cancel begins that a person asked for.
BY_HAND = "by hand"
#: Legs of a role that the venue may refuse in a row before something else is done.
MOST_REFUSED = 3
#: How long a leg that was refused too often is left alone.
RETRY_MS = 15 * MINUTE_MS


def rests_as_protection(order: Order) -> bool:
    """Whether an order only waits for the price at which it closes a holding: nothing is under way then."""
    return order.role in PROTECTIVE and order.state in (OrderState.INTENT, OrderState.OPEN)


def linked_order_id(parent_id: str, role: OrderRole, revision: int) -> str:
    """Venue-legal id (35 characters of [a-z0-9-]) of the n-th order of a role, counted from 0."""
    return f"tm-{digest('linked', parent_id, role, revision)[:32]}"


def replacement(
    order: Order,
    life: Life,
    created_at_ms: int,
    *,
    quantity: Decimal | None = None,
    limit_price: Decimal | None = None,
    stop_price: Decimal | None = None,
) -> Order:
    """The order that takes the place of a cancelled one; by default the rest of it at the same prices.

    Raises
    ------
    BadData
        If the old order may still fill, or the new one is larger than what it left unfilled: both
        together would then be more than was approved.
    """
    rest = order.quantity - life.filled
    wanted = rest if quantity is None else quantity
    if life.state is not OrderState.CANCELLED:
        raise BadData(f"order {order.client_order_id} is {life.state}: cancel it before it is replaced")
    if not 0 < wanted <= rest:
        raise BadData(
            f"order {order.client_order_id}: a replacement of {wanted} does not fit the {rest} that it left "
            "unfilled"
        )
    return replace(
        order,
        client_order_id=linked_order_id(order.client_order_id, OrderRole.REPLACEMENT, 0),
        quantity=wanted,
        limit_price=order.limit_price if limit_price is None else limit_price,
        stop_price=order.stop_price if stop_price is None else stop_price,
        state=OrderState.INTENT,
        role=OrderRole.REPLACEMENT,
        parent_id=order.client_order_id,
        created_at_ms=created_at_ms,
        signature="",
        sending_at_ms=None,
    )


@dataclass(frozen=True, slots=True)
class Bracket:
    """Prices (quote, on the tick grid) at which an entry is given up or taken home; None: no such leg."""

    stop_price: Decimal | None
    take_profit_price: Decimal | None

    def price(self, role: OrderRole) -> Decimal | None:
        """The price of a leg."""
        return self.stop_price if role is OrderRole.STOP else self.take_profit_price


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a bracket and where it is.

    Attributes
    ----------
    by_hand
        Whether a person has asked to cancel it.
    """

    order: Order
    life: Life
    by_hand: bool = False

    @property
    def rests(self) -> bool:
        """Whether it is at work, or about to be, and nobody has asked to cancel it."""
        return not self.life.state.terminal and not self.life.cancel_requested


@dataclass(frozen=True, slots=True)
class BracketSteps:
    """What brings a bracket in line with its parent: ids to cancel, and intents to place."""

    cancel: tuple[str, ...] = ()
    place: tuple[Order, ...] = ()


def bracket_of(entry: Side, stop_price: float, take_profit_price: float, tick_size: Decimal) -> Bracket:
    """The bracket of an entry on the tick grid, rounded so that each leg goes out no later than was said.

    Parameters
    ----------
    entry
        Side of the entry: the legs are on the other one.
    stop_price, take_profit_price
        Quote; NaN: no such leg.
    """
    early = {Side.BUY: (ceil_to, floor_to), Side.SELL: (floor_to, ceil_to)}[entry]
    prices = (
        round_to(to_decimal(price), tick_size) if math.isfinite(price) else None
        for price, round_to in zip((stop_price, take_profit_price), early, strict=True)
    )
    return Bracket(*prices)


def looser(stop: Order, price: Decimal) -> bool:
    """Whether a stop at the price would give its position up later than this one."""
    if stop.stop_price is None:
        return False
    return price < stop.stop_price if stop.side is Side.SELL else price > stop.stop_price


def in_order(parent_id: str, legs: Iterable[Leg]) -> list[Leg]:
    """Legs of a parent from the first of each role to the newest, whenever they were stored."""
    known = {leg.order.client_order_id: leg for leg in legs}
    found = []
    for role in sorted(PROTECTIVE):
        own = sum(leg.order.role is role for leg in known.values())
        ids = (linked_order_id(parent_id, role, revision) for revision in range(own))
        found += [known[name] for name in ids if name in known]
    return found


def refusals(legs: Sequence[Leg], role: OrderRole) -> int:
    """How many of the newest legs of a role the venue has refused in a row; one that expired unfilled is one."""
    own = [leg.life for leg in legs if leg.order.role is role]
    return next((count for count, life in enumerate(reversed(own)) if not _refused(life)), len(own))


def _refused(life: Life) -> bool:
    expired = life.state is OrderState.EXPIRED and life.filled == 0
    return expired or life.state is OrderState.REJECTED


def bracket_steps(
    parent: Order,
    parent_life: Life,
    bracket: Bracket,
    legs: Sequence[Leg],
    created_at_ms: int,
    *,
    held: Decimal | None = None,
) -> BracketSteps:
    """What to do next, so that each leg covers exactly what of the parent is still held.

    More fills of the parent add an order to each leg and cancel none, so that what was protected stays
    so. A fill of one leg makes the other too large: its newest orders are cancelled, and what they
    covered too much of is placed again once the cancel is proven. While an order of a leg is in doubt or
    being cancelled, nothing is added to that leg. All are reduce-only.

    A stop that the venue refused `MOST_REFUSED` times in a row cannot rest there (the market is beyond it,
    say): what it should cover is closed at the market. That is tried as often, and then every
    `RETRY_MS`. A refused take-profit is tried again as seldom.

    Parameters
    ----------
    legs
        Those of the parent, as `in_order` sorts them.
    held
        What of the parent's fills is still there (base, on the lot grid); by default all of them less
        what the legs took home.
    """
    if held is None:
        held = parent_life.filled - sum((leg.life.filled for leg in legs), Decimal(0))
    cancel: list[str] = []
    place: list[Order] = []
    for role in (OrderRole.STOP, OrderRole.TAKE_PROFIT):
        own = [leg for leg in legs if leg.order.role is role]
        live = [leg for leg in own if not leg.life.state.terminal]
        resting = [leg for leg in live if leg.rests]
        excess = _covered(resting) - held
        for leg in reversed(resting):
            if excess <= 0:
                break
            excess -= leg.life.remaining
            cancel.append(leg.order.client_order_id)
        price, order_type = bracket.price(role), _next_type(own, role, created_at_ms)
        settled = not any(leg.life.cancel_requested or leg.life.state in _IN_DOUBT for leg in live)
        bare = held - _covered(live)
        if price is None or order_type is None or bare <= 0 or not settled or set(cancel) & _ids(own):
            continue
        leg_order = _leg(parent, role, price, bare, len(own), created_at_ms)
        if order_type is OrderType.MARKET:
            leg_order = replace(leg_order, order_type=order_type, stop_price=None)
        place.append(leg_order)
    return BracketSteps(tuple(cancel), tuple(place))


def _covered(legs: Iterable[Leg]) -> Decimal:
    return sum((leg.life.remaining for leg in legs), Decimal(0))


def _next_type(own: Sequence[Leg], role: OrderRole, now_ms: int) -> OrderType | None:
    """How the next order of a leg goes out; None: not now."""
    refused = refusals(own, role)
    if refused < MOST_REFUSED:
        return _TYPE_OF[role]
    closes = role is OrderRole.STOP
    often = refused >= (2 * MOST_REFUSED if closes else MOST_REFUSED)
    if often and now_ms - own[-1].order.created_at_ms < RETRY_MS:
        return None
    return OrderType.MARKET if closes else _TYPE_OF[role]


def _ids(legs: Sequence[Leg]) -> set[str]:
    return {leg.order.client_order_id for leg in legs}


def _leg(
    parent: Order, role: OrderRole, price: Decimal, quantity: Decimal, revision: int, created_at_ms: int
) -> Order:
    return replace(
        parent,
        client_order_id=linked_order_id(parent.client_order_id, role, revision),
        side=_other(parent.side),
        quantity=quantity,
        reference_price=price,
        state=OrderState.INTENT,
        created_at_ms=created_at_ms,
        # The market before it was there cannot have met it.
        not_before_ms=created_at_ms,
        order_type=_TYPE_OF[role],
        limit_price=None,
        stop_price=price,
        reduce_only=True,
        role=role,
        parent_id=parent.client_order_id,
        signature="",
        sending_at_ms=None,
    )


def next_revision(leg: Order, rest: Decimal, price: Decimal, revision: int, created_at_ms: int) -> Order:
    """The order that takes a leg's place at another price, once the leg is proven cancelled.

    Parameters
    ----------
    rest
        What the leg has left unfilled (base).
    revision
        How many orders the role has had.
    """
    renamed = replace(leg, client_order_id=leg.parent_id, side=_other(leg.side))
    return _leg(renamed, leg.role, price, rest, revision, created_at_ms)


def _other(side: Side) -> Side:
    return Side.SELL if side is Side.BUY else Side.BUY
