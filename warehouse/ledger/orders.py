"""Orders: intent before effect, and every change of state as an event."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from trading.errors import BadData, HaltTrading
from trading.ledger.accounting import exact
from trading.ledger.transitions import require_legal
from trading.model.decision import Decision, Verdict
from trading.model.order import Order, OrderState, Side
from warehouse.ledger import audit, decisions
from warehouse.ledger.backend import Transaction

_COLUMNS = (
    "client_order_id, decision_id, tick_id, venue, desk, strategy_id, symbol, side, quantity,"
    " reference_price, state, created_at_ms, not_before_ms"
)


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One change of an order's state; ``from_state`` is None for its birth."""

    sequence: int
    from_state: OrderState | None
    to_state: OrderState
    cause: str
    at_ms: int


def commit_intents(
    tx: Transaction,
    tick_decisions: Iterable[Decision],
    verdicts: Iterable[Verdict],
    orders: Iterable[Order],
    at_ms: int,
) -> list[Order]:
    """Make decisions, verdicts and order intents durable together, before anything is sent.

    Committing the same again changes nothing, the audit trail included.

    Returns
    -------
    list
        The orders that are new, in state ``intent``.

    Raises
    ------
    BadData
        If an order is not in state ``intent`` or its amounts have more than 18 decimals.
    """
    decisions.record(tx, tick_decisions, at_ms)
    decisions.record_verdicts(tx, verdicts, at_ms)
    fresh = _new(tx, {order.client_order_id: order for order in orders})
    _insert(tx, fresh, at_ms)
    audit.append_all(
        tx, [audit.Entry("order_intent", order.client_order_id, asdict(order)) for order in fresh], at_ms
    )
    return fresh


def transition(tx: Transaction, client_order_id: str, to_state: OrderState, cause: str, at_ms: int) -> Order:
    """Move an order to a state, with its event and audit record; to its own state is no change.

    Returns
    -------
    Order
        The order as it now is.

    Raises
    ------
    HaltTrading
        If the order is not in the ledger or cannot make this transition.
    """
    order = by_id(tx, client_order_id)
    if order is None:
        raise HaltTrading(f"order {client_order_id} is not in the ledger: reconcile it with the venue")
    if order.state is to_state:
        return order
    require_legal(client_order_id, order.state, to_state)
    tx.execute(
        "update orders set state = :state, updated_at_ms = :at_ms where client_order_id = :id",
        {"state": to_state, "at_ms": at_ms, "id": client_order_id},
    )
    _append_event(tx, client_order_id, order.state, to_state, cause, at_ms)
    audit.append(
        tx, "order_state", client_order_id, {"from": order.state, "to": to_state, "cause": cause}, at_ms
    )
    return replace(order, state=to_state)


def by_id(tx: Transaction, client_order_id: str) -> Order | None:
    """One order; None when there is none."""
    rows = tx.query(f"select {_COLUMNS} from orders where client_order_id = :id", {"id": client_order_id})
    return _order(rows[0]) if rows else None


def in_states(tx: Transaction, states: Collection[OrderState]) -> list[Order]:
    """Orders in any of the states, oldest first."""
    if not states:
        return []
    params = {f"state{index}": state for index, state in enumerate(states)}
    places = ", ".join(f":{name}" for name in params)
    rows = tx.query(
        f"select {_COLUMNS} from orders where state in ({places}) order by created_at_ms, client_order_id",
        params,
    )
    return [_order(row) for row in rows]


def for_tick(tx: Transaction, tick_id: str) -> list[Order]:
    """Orders of a tick, by id."""
    rows = tx.query(
        f"select {_COLUMNS} from orders where tick_id = :tick_id order by client_order_id",
        {"tick_id": tick_id},
    )
    return [_order(row) for row in rows]


def for_decision(tx: Transaction, decision_id: str) -> list[Order]:
    """Orders that a decision led to, by id."""
    rows = tx.query(
        f"select {_COLUMNS} from orders where decision_id = :id order by client_order_id", {"id": decision_id}
    )
    return [_order(row) for row in rows]


def find(tx: Transaction, id_prefix: str) -> Order | None:
    """The order whose client order id starts so; None when there is none, `BadData` when several do."""
    rows = tx.query(
        f"select {_COLUMNS} from orders where starts_with(client_order_id, :prefix)", {"prefix": id_prefix}
    )
    if len(rows) > 1:
        raise BadData(f"order {id_prefix!r} is ambiguous: {len(rows)} ids start so; give more characters")
    return _order(rows[0]) if rows else None


def events(tx: Transaction, client_order_id: str) -> list[OrderEvent]:
    """An order's changes of state, oldest first."""
    rows = tx.query(
        "select sequence, from_state, to_state, cause, at_ms from order_events"
        " where client_order_id = :id order by sequence",
        {"id": client_order_id},
    )
    return [
        OrderEvent(
            sequence=row["sequence"],
            from_state=OrderState(row["from_state"]) if row["from_state"] else None,
            to_state=OrderState(row["to_state"]),
            cause=row["cause"],
            at_ms=row["at_ms"],
        )
        for row in rows
    ]


def _new(tx: Transaction, given: dict[str, Order]) -> list[Order]:
    """Those that the ledger lacks. Writers take turns, so the answer holds until the commit."""
    for order in given.values():
        if order.state is not OrderState.INTENT:
            raise BadData(f"order {order.client_order_id} is {order.state}: only an intent can be committed")
    if not given:
        return []
    params = {f"id{index}": key for index, key in enumerate(given)}
    places = ", ".join(f":{name}" for name in params)
    rows = tx.query(f"select client_order_id from orders where client_order_id in ({places})", params)
    stored = {row["client_order_id"] for row in rows}
    return [order for key, order in given.items() if key not in stored]


def _insert(tx: Transaction, fresh: list[Order], at_ms: int) -> None:
    rows = []
    for order in fresh:
        row = asdict(order)
        for name in ("quantity", "reference_price"):
            row[name] = exact(f"order {order.client_order_id}: {name}", row[name])
        rows.append({**row, "updated_at_ms": at_ms})
    places = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
    tx.execute_many(f"insert into orders ({_COLUMNS}, updated_at_ms) values ({places}, :updated_at_ms)", rows)
    tx.execute_many(
        "insert into order_events (client_order_id, sequence, from_state, to_state, cause, at_ms)"
        " values (:client_order_id, 1, null, :state, 'decided', :updated_at_ms)",
        rows,
    )


def _append_event(
    tx: Transaction,
    client_order_id: str,
    from_state: OrderState,
    to_state: OrderState,
    cause: str,
    at_ms: int,
) -> None:
    tx.execute(
        "insert into order_events (client_order_id, sequence, from_state, to_state, cause, at_ms)"
        " select :id, max(sequence) + 1, cast(:from_state as text), cast(:to_state as text),"
        " cast(:cause as text), cast(:at_ms as bigint) from order_events where client_order_id = :id",
        {
            "id": client_order_id,
            "from_state": from_state,
            "to_state": to_state,
            "cause": cause,
            "at_ms": at_ms,
        },
    )


def _order(row: dict[str, Any]) -> Order:
    return Order(**{**row, "side": Side(row["side"]), "state": OrderState(row["state"])})
