"""The commit that starts an order: everything that must hold at that moment is looked at in it."""

from __future__ import annotations

from collections.abc import Callable

from resources.execution.leasing import AccountHold
from resources.execution.reductions import protecting, reducible
from trading.execution.approval import leg_objection, objection
from trading.execution.lifecycle import Event, EventKind
from trading.execution.links import PROTECTIVE
from trading.model.order import Order, OrderState
from warehouse.ledger import breaks, controls, decisions, order_history, orders
from warehouse.ledger.backend import Transaction

_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)
_AT_VENUE = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


def start(
    hold: AccountHold, client_order_id: str, key: bytes, now_ms: int, *, halted: Callable[[], bool]
) -> tuple[Order, str, list[Order]]:
    """Commit *sending*, or why not.

    Returns
    -------
    tuple
        The order as it then is, what is wrong with its approval, and the orders at the venue that have to be
        cancelled before it can be sent: the wish is committed.
    """
    with hold.transaction() as tx:
        order = orders.require(tx, client_order_id)
        if order.state is not OrderState.INTENT:
            return order, "", []
        wrong = _unapproved(tx, order, key)
        if wrong:
            return orders.append(tx, order, Event(EventKind.REJECT, f"not sent: {wrong}"), now_ms), wrong, []
        if order.adds_exposure:
            if halted() or controls.current(tx).halted:
                return _ended(tx, order, "halted before it was sent", now_ms), "", []
            if _in_doubt(tx, order) or _broken(tx, order):
                return order, "", []
        elif order.reduce_only:
            if order.role in PROTECTIVE and _is_awaited(tx, order):
                return order, "", []
            if reducible(tx, order) < order.quantity:
                return _ended(tx, order, "it would reduce more than is held", now_ms), "", []
            in_the_way = [] if order.role in PROTECTIVE else _take_away(tx, order, now_ms)
            if in_the_way:
                return order, "", [leg for leg in in_the_way if leg.state in _AT_VENUE]
        return orders.append(tx, order, Event(EventKind.SEND, "sending"), now_ms), "", []


def _unapproved(tx: Transaction, order: Order, key: bytes) -> str:
    """Why the risk gate has not approved an order as it stands in the ledger; empty when it has."""
    wrong = objection(orders.signed(tx, order), decisions.verdict(tx, order.decision_id), key)
    if wrong or order.role not in PROTECTIVE:
        return wrong
    parent = orders.require(tx, order.parent_id)
    return leg_objection(order, parent, order_history.life(tx, parent).filled)


def _in_doubt(tx: Transaction, order: Order) -> bool:
    """Whether the outcome of another order of the symbol is not known."""
    return any(
        other.symbol == order.symbol and (other.venue, other.account) == (order.venue, order.account)
        for other in orders.in_states(tx, _IN_DOUBT)
    )


def _broken(tx: Transaction, order: Order) -> bool:
    """Whether ledger and venue disagree on the symbol, or on the account's cash."""
    symbols, of_account = breaks.blocking(tx)
    return bool(of_account) or order.symbol in symbols


def _is_awaited(tx: Transaction, leg: Order) -> bool:
    """Whether one of its role, which it takes the place of, may still fill."""
    return any(other.order.role is leg.role and not other.rests for other in protecting(tx, leg))


def _take_away(tx: Transaction, order: Order, now_ms: int) -> list[Order]:
    """Commit the wish to cancel what protects the holding that an order closes; returns what is not gone yet."""
    asked = [_ended(tx, leg.order, "its holding is being closed", now_ms) for leg in protecting(tx, order)]
    return [leg for leg in asked if not leg.state.terminal]


def _ended(tx: Transaction, order: Order, cause: str, now_ms: int) -> Order:
    return orders.append(tx, order, Event(EventKind.REQUEST_CANCEL, cause), now_ms)
