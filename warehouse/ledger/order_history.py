"""An order's past: what its events and fills say of where it is."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.execution.lifecycle import Life
from trading.model.order import Order, OrderState
from warehouse.ledger.backend import Transaction
from warehouse.ledger.lookup import in_chunks

#: States that only an order which the venue took gets into.
_ACCEPTED = (OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.FILLED)


def life(tx: Transaction, order: Order) -> Life:
    """Where an order is, from its events and fills."""
    past = tx.query(
        "select max(case when to_state in ('open', 'partially_filled', 'filled') then 1 else 0 end) as accepted,"
        " max(case when to_state = from_state then 1 else 0 end) as asked,"
        " max(case when to_state = 'sending' then 1 else 0 end) as sent,"
        " (select coalesce(sum(quantity), 0) from fills where client_order_id = :id) as filled"
        " from order_events where client_order_id = :id",
        {"id": order.client_order_id},
    )[0]
    return Life(
        client_order_id=order.client_order_id,
        quantity=order.quantity,
        state=order.state,
        filled=Decimal(past["filled"]),
        sent=bool(past["sent"]),
        accepted=bool(past["accepted"]),
        cancel_requested=bool(past["asked"]),
    )


def lives(tx: Transaction, orders: Iterable[Order]) -> dict[str, Life]:
    """Where each of several orders is, by client order id, in two queries."""
    known = {order.client_order_id: order for order in orders}
    filled = dict.fromkeys(known, Decimal(0))
    for row in in_chunks(tx, "select client_order_id, quantity from fills where client_order_id in", known):
        filled[row["client_order_id"]] += Decimal(row["quantity"])
    past: dict[str, list[tuple[str | None, str]]] = {name: [] for name in known}
    columns = "client_order_id, from_state, to_state"
    for row in in_chunks(tx, f"select {columns} from order_events where client_order_id in", known):
        past[row["client_order_id"]].append((row["from_state"], row["to_state"]))
    return {
        name: Life(
            client_order_id=name,
            quantity=order.quantity,
            state=order.state,
            filled=filled[name],
            sent=any(after == OrderState.SENDING for _, after in past[name]),
            accepted=any(after in _ACCEPTED for _, after in past[name]),
            cancel_requested=any(before == after for before, after in past[name]),
        )
        for name, order in known.items()
    }


def sending_at_ms(tx: Transaction, client_order_id: str) -> int | None:
    """When the newest attempt to send an order was committed; None when there was none."""
    at_ms: int | None = tx.query(
        "select max(at_ms) as at_ms from order_events where client_order_id = :id and to_state = :state",
        {"id": client_order_id, "state": OrderState.SENDING},
    )[0]["at_ms"]
    return at_ms


def append_event(
    tx: Transaction,
    client_order_id: str,
    from_state: OrderState,
    to_state: OrderState,
    cause: str,
    at_ms: int,
) -> None:
    """Write one event behind the ones that an order has."""
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
