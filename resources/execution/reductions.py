"""What may still be closed of a holding, and which orders protect it."""

from __future__ import annotations

from decimal import Decimal

from trading.execution.links import PROTECTIVE, Leg
from trading.model.order import Order, OrderState, Side
from trading.reconciliation.state import FOREIGN_DESKS
from warehouse.ledger import order_history, orders, portfolio
from warehouse.ledger.backend import Transaction

_SENT = tuple(state for state in OrderState if not state.terminal and state is not OrderState.INTENT)
_LIVE = (OrderState.INTENT, *_SENT)


def closable(tx: Transaction, desk: str, strategy_id: str, symbol: str, side: Side) -> Decimal:
    """What a desk holds (base) that an order of this side would close, as far as others have not closed it."""
    towards = 1 if side is Side.SELL else -1
    held = portfolio.position(tx, desk, strategy_id, symbol)
    foreign = portfolio.quantity_of(tx, symbol, FOREIGN_DESKS) * towards
    own = Decimal(0) if held is None else held.quantity * towards
    return max(own + min(foreign, Decimal(0)), Decimal(0))


def reducible(tx: Transaction, order: Order) -> Decimal:
    """What of the order's holding no other order that was sent is about to close.

    Stop and take-profit of a holding cover the same quantity, and what protects it gives way to an order
    that closes it.
    """
    role = order.role if order.role in PROTECTIVE else None
    spoken_for = sum(
        (
            order_history.life(tx, other).remaining
            for other in _of_holding(tx, _holding(order), order.side, _SENT)
            if (other.role not in PROTECTIVE or other.role is role)
            and other.client_order_id != order.client_order_id
        ),
        Decimal(0),
    )
    return closable(tx, order.desk, order.strategy_id, order.symbol, order.side) - spoken_for


def unspoken_for(tx: Transaction, desk: str, strategy_id: str, symbol: str, side: Side) -> Decimal:
    """What a desk holds (base) that no order sent to close it at once is about to: what wants protection."""
    closing = (
        order_history.life(tx, other).remaining
        for other in _of_holding(tx, (desk, strategy_id, symbol), side, _SENT)
        if other.role not in PROTECTIVE
    )
    return max(closable(tx, desk, strategy_id, symbol, side) - sum(closing, Decimal(0)), Decimal(0))


def protecting(tx: Transaction, order: Order) -> list[Leg]:
    """The live protective orders of the holding that an order closes."""
    return [
        Leg(other, order_history.life(tx, other))
        for other in _of_holding(tx, _holding(order), order.side, _LIVE)
        if other.role in PROTECTIVE and other.client_order_id != order.client_order_id
    ]


def _of_holding(
    tx: Transaction, holding: tuple[str, str, str], side: Side, states: tuple[OrderState, ...]
) -> list[Order]:
    """Orders of the states that close a holding."""
    return [
        order
        for order in orders.in_states(tx, states)
        if order.reduce_only and order.side is side and _holding(order) == holding
    ]


def _holding(order: Order) -> tuple[str, str, str]:
    return (order.desk, order.strategy_id, order.symbol)
