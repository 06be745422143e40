"""Orders: intent before effect, and every change of state as an event."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import asdict, dataclass, replace
from typing import Any

from trading.errors import BadData, HaltTrading
from trading.execution.lifecycle import EVENT_OF, Event, EventKind, Life, apply
from trading.ledger import transfers
from trading.ledger.accounting import exact
from trading.model.decision import Decision, Verdict
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side
from trading.model.series import Market
from warehouse.ledger import audit, cash, decisions, order_history
from warehouse.ledger.backend import Transaction
from warehouse.ledger.lookup import in_chunks

_COLUMNS = (
    "client_order_id, decision_id, tick_id, venue, account, desk, strategy_id, symbol, side, order_type,"
    " quantity, limit_price, stop_price, reduce_only, role, parent_id, market, reference_price, state,"
    " created_at_ms, not_before_ms"
)
_SELECT = f"select {_COLUMNS} from orders"
_AMOUNTS = ("quantity", "reference_price", "limit_price", "stop_price")
# Left out of the audit trail: they say nothing of the order itself.
_UNAUDITED = ("signature", "sending_at_ms")


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """One event of an order: ``from_state`` is None for its birth, and its own state for a request to cancel."""

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
    *,
    currency: str = "USDT",
) -> list[Order]:
    """Make decisions, verdicts and order intents durable together, before anything is sent.

    Committing the same again changes nothing, the audit trail included.

    Returns
    -------
    list
        The orders that are new and may be sent, in state ``intent``.

    Raises
    ------
    BadData
        If an order is not in state ``intent`` or its amounts have more than 18 decimals.
    """
    decisions.record(tx, tick_decisions, at_ms)
    decisions.record_verdicts(tx, verdicts, at_ms)
    return commit_orders(tx, orders, at_ms, currency=currency)


def commit_orders(
    tx: Transaction, orders: Iterable[Order], at_ms: int, *, currency: str = "USDT"
) -> list[Order]:
    """Make order intents durable with the cash that they may spend; those that are stored stay as they are.

    An order whose value exceeds the free cash of its account is stored and rejected at once: it can never
    be sent.
    """
    fresh = _new(tx, {order.client_order_id: order for order in orders})
    _insert(tx, fresh, at_ms)
    audit.append_all(
        tx, [audit.Entry("order_intent", order.client_order_id, _audited(order)) for order in fresh], at_ms
    )
    return [order for order in fresh if _reserve(tx, order, currency, at_ms)]


def transition(tx: Transaction, client_order_id: str, to_state: OrderState, cause: str, at_ms: int) -> Order:
    """Move an order to a state, with its event and audit record; to its own state is no change.

    Fills move an order by `append`, since a fill has a quantity.

    Returns
    -------
    Order
        The order as it now is.

    Raises
    ------
    HaltTrading
        If the order is not in the ledger or cannot make this transition.
    """
    order = require(tx, client_order_id)
    if order.state is to_state:
        return order
    return append(tx, order, Event(EVENT_OF[to_state], cause), at_ms)


def append(tx: Transaction, order: Order, event: Event, at_ms: int, *, before: Life | None = None) -> Order:
    """Append an event to an order's life, with the state and the reservation that follow from it.

    Parameters
    ----------
    before
        The life so far, where the caller has it.

    Raises
    ------
    HaltTrading
        If the event cannot happen to the order as it is.
    """
    before = before or order_history.life(tx, order)
    after = apply(before, event)
    moved = replace(order, state=after.state)
    if after.state is not before.state:
        tx.execute(
            "update orders set state = :state, updated_at_ms = :at_ms where client_order_id = :id",
            {"state": after.state, "at_ms": at_ms, "id": order.client_order_id},
        )
    elif event.kind is not EventKind.REQUEST_CANCEL or before.cancel_requested:
        return moved
    order_history.append_event(tx, order.client_order_id, before.state, after.state, event.cause, at_ms)
    audit.append(
        tx,
        "order_state",
        order.client_order_id,
        {"from": before.state, "to": after.state, "cause": event.cause},
        at_ms,
    )
    if after.state.terminal and event.kind is not EventKind.FILL:
        cash.release_surplus(tx, order, order.quantity, order.client_order_id, at_ms)
    return moved


def require(tx: Transaction, client_order_id: str) -> Order:
    """One order; `HaltTrading` when the ledger has none of that id."""
    order = by_id(tx, client_order_id)
    if order is None:
        raise HaltTrading(f"order {client_order_id} is not in the ledger: reconcile it with the venue")
    return order


def by_id(tx: Transaction, client_order_id: str) -> Order | None:
    """One order; None when there is none."""
    rows = tx.query(f"{_SELECT} where client_order_id = :id", {"id": client_order_id})
    return _order(rows[0]) if rows else None


def by_ids(tx: Transaction, ids: Collection[str]) -> dict[str, Order]:
    """Those of the orders that the ledger has, by id."""
    return {
        row["client_order_id"]: _order(row)
        for row in in_chunks(tx, f"{_SELECT} where client_order_id in", ids)
    }


def changed_since(tx: Transaction, since_ms: int) -> set[str]:
    """Ids of the orders whose state changed from a moment on."""
    rows = tx.query("select client_order_id from orders where updated_at_ms >= :since", {"since": since_ms})
    return {row["client_order_id"] for row in rows}


def signed(tx: Transaction, order: Order) -> Order:
    """The order with the risk gate's signature, which is kept apart; without one where there is none."""
    rows = tx.query(
        "select signature from order_signatures where client_order_id = :id", {"id": order.client_order_id}
    )
    return replace(order, signature=rows[0]["signature"]) if rows else order


def in_states(tx: Transaction, states: Collection[OrderState]) -> list[Order]:
    """Orders in any of the states, oldest first."""
    if not states:
        return []
    params = {f"state{index}": state for index, state in enumerate(states)}
    places = ", ".join(f":{name}" for name in params)
    rows = tx.query(
        f"{_SELECT} where state in ({places}) order by created_at_ms, client_order_id",
        params,
    )
    return [_order(row) for row in rows]


def for_tick(tx: Transaction, tick_id: str) -> list[Order]:
    """Orders of a tick, by id."""
    rows = tx.query(
        f"{_SELECT} where tick_id = :tick_id order by client_order_id",
        {"tick_id": tick_id},
    )
    return [_order(row) for row in rows]


def for_decision(tx: Transaction, decision_id: str) -> list[Order]:
    """Orders that a decision led to, by id."""
    rows = tx.query(f"{_SELECT} where decision_id = :id order by client_order_id", {"id": decision_id})
    return [_order(row) for row in rows]


def linked(tx: Transaction, parent_id: str) -> list[Order]:
    """Orders that protect or replace an order, oldest first."""
    rows = tx.query(
        f"{_SELECT} where parent_id = :id order by created_at_ms, client_order_id", {"id": parent_id}
    )
    return [_order(row) for row in rows]


def find(tx: Transaction, id_prefix: str) -> Order | None:
    """The order whose client order id starts so; None when there is none, `BadData` when several do."""
    rows = tx.query(f"{_SELECT} where starts_with(client_order_id, :prefix)", {"prefix": id_prefix})
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
        del row["sending_at_ms"]
        for name in _AMOUNTS:
            if row[name] is not None:
                row[name] = exact(f"order {order.client_order_id}: {name}", row[name])
        rows.append({**row, "updated_at_ms": at_ms})
    places = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
    kept = [{name: value for name, value in row.items() if name != "signature"} for row in rows]
    tx.execute_many(f"insert into orders ({_COLUMNS}, updated_at_ms) values ({places}, :updated_at_ms)", kept)
    tx.execute_many(
        "insert into order_events (client_order_id, sequence, from_state, to_state, cause, at_ms)"
        " values (:client_order_id, 1, null, :state, 'decided', :at_ms)",
        [{"client_order_id": row["client_order_id"], "state": row["state"], "at_ms": at_ms} for row in rows],
    )
    tx.execute_many(
        "insert into order_signatures (client_order_id, signature) values (:client_order_id, :signature)",
        [
            {"client_order_id": order.client_order_id, "signature": order.signature}
            for order in fresh
            if order.signature
        ],
    )


def _reserve(tx: Transaction, order: Order, currency: str, at_ms: int) -> bool:
    """Set cash aside for an order; False when there is too little and the order was rejected."""
    if not order.adds_exposure:
        return True
    free = cash.spendable(tx, order.venue, order.account, currency)
    try:
        aside = transfers.reserve(order, free, currency, at_ms)
    except BadData as error:
        append(tx, order, Event(EventKind.REJECT, str(error)), at_ms)
        return False
    cash.post(tx, [aside])
    return True


def _audited(order: Order) -> dict[str, Any]:
    return {name: value for name, value in asdict(order).items() if name not in _UNAUDITED}


def _order(row: dict[str, Any]) -> Order:
    typed = {
        "side": Side(row["side"]),
        "state": OrderState(row["state"]),
        "order_type": OrderType(row["order_type"]),
        "role": OrderRole(row["role"]),
        "market": Market(row["market"]),
    }
    return Order(**{**row, **typed})
