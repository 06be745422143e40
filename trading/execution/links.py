"""Linked orders: replacements, and brackets of a stop and a take-profit around an entry.

A link is the parent's client order id and a role; ids derive from them and a revision, so that a rerun
gives the same orders. Nothing here sends or cancels: the functions say what should be.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.errors import BadData
from trading.execution.lifecycle import Life
from trading.model.canonical import digest
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side

_IN_DOUBT = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
_TYPE_OF = {OrderRole.STOP: OrderType.STOP, OrderRole.TAKE_PROFIT: OrderType.TAKE_PROFIT}


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


@dataclass(frozen=True, slots=True)
class Leg:
    """One order of a bracket and where it is."""

    order: Order
    life: Life


@dataclass(frozen=True, slots=True)
class BracketSteps:
    """What brings a bracket in line with its parent: ids to cancel, and intents to place."""

    cancel: tuple[str, ...] = ()
    place: tuple[Order, ...] = ()


def bracket_steps(
    parent: Order, parent_life: Life, bracket: Bracket, legs: Sequence[Leg], created_at_ms: int
) -> BracketSteps:
    """What to do next, so that each leg covers exactly what the parent filled and no leg took home yet.

    More fills of the parent add an order to each leg and cancel none, so that what was protected stays
    so. A fill of one leg makes the other too large: its newest orders are cancelled, and what they
    covered too much of is placed again once the cancel is proven. While an order of a leg is in doubt or
    being cancelled, nothing is added to that leg. All are reduce-only.
    """
    held = parent_life.filled - sum((leg.life.filled for leg in legs), Decimal(0))
    cancel: list[str] = []
    place: list[Order] = []
    for role, price in (
        (OrderRole.STOP, bracket.stop_price),
        (OrderRole.TAKE_PROFIT, bracket.take_profit_price),
    ):
        own = [leg for leg in legs if leg.order.role is role]
        live = [leg for leg in own if not leg.life.state.terminal]
        excess = sum((leg.life.remaining for leg in live), Decimal(0)) - held
        for leg in reversed(live):
            if excess <= 0:
                break
            excess -= leg.life.remaining
            if not leg.life.cancel_requested:
                cancel.append(leg.order.client_order_id)
        settled = not any(leg.life.cancel_requested or leg.life.state in _IN_DOUBT for leg in live)
        if price is not None and excess < 0 and settled and not set(cancel) & _ids(own):
            place.append(_leg(parent, role, price, -excess, len(own), created_at_ms))
    return BracketSteps(tuple(cancel), tuple(place))


def _ids(legs: Sequence[Leg]) -> set[str]:
    return {leg.order.client_order_id for leg in legs}


def _leg(
    parent: Order, role: OrderRole, price: Decimal, quantity: Decimal, revision: int, created_at_ms: int
) -> Order:
    return replace(
        parent,
        client_order_id=linked_order_id(parent.client_order_id, role, revision),
        side=Side.SELL if parent.side is Side.BUY else Side.BUY,
        quantity=quantity,
        reference_price=price,
        state=OrderState.INTENT,
        created_at_ms=created_at_ms,
        order_type=_TYPE_OF[role],
        limit_price=None,
        stop_price=price,
        reduce_only=True,
        role=role,
        parent_id=parent.client_order_id,
        signature="",
        sending_at_ms=None,
    )
