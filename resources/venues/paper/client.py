"""The paper venue's durable book: its only I/O, two tables of the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace

from resources.venues.paper.parse import fill_content, order_content, read_fill, read_order
from trading.model.order import Fill, Order, OrderState
from trading.ports import OrderReport
from warehouse.ledger.backend import Transaction


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One order of the book, with the text it was submitted as and its fills so far, oldest first."""

    order: Order
    content: str
    reason: str
    fills: tuple[Fill, ...]

    @property
    def report(self) -> OrderReport:
        """What the venue says of the order."""
        return OrderReport(self.order.client_order_id, self.order.state, self.fills, self.reason)


def read_entry(transaction: Transaction, client_order_id: str) -> BookEntry | None:
    """The order of that id; None when it never arrived."""
    rows = transaction.query(
        "select content, state, accepted_at_ms, reason from paper_orders where client_order_id = :id",
        {"id": client_order_id},
    )
    if not rows:
        return None
    row = rows[0]
    fills = transaction.query(
        "select content from paper_fills where client_order_id = :id order by filled_at_ms, venue_fill_id",
        {"id": client_order_id},
    )
    return BookEntry(
        order=read_order(row["content"], row["state"], row["accepted_at_ms"]),
        content=row["content"],
        reason=row["reason"],
        fills=tuple(read_fill(fill["content"]) for fill in fills),
    )


def read_open(transaction: Transaction) -> list[BookEntry]:
    """Every order at work, oldest first."""
    rows = transaction.query(
        "select client_order_id from paper_orders where state in ('open', 'partially_filled')"
        " order by accepted_at_ms, client_order_id"
    )
    entries = (read_entry(transaction, row["client_order_id"]) for row in rows)
    return [entry for entry in entries if entry is not None]


def read_fills(transaction: Transaction, since_ms: int = 0) -> list[Fill]:
    """Every fill from a moment on, oldest first."""
    rows = transaction.query(
        "select content from paper_fills where filled_at_ms >= :since order by filled_at_ms, venue_fill_id",
        {"since": since_ms},
    )
    return [read_fill(row["content"]) for row in rows]


def insert_order(
    transaction: Transaction, order: Order, state: OrderState, reason: str, now_ms: int
) -> BookEntry:
    """Book a new order."""
    transaction.execute(
        "insert into paper_orders"
        " (client_order_id, content, state, accepted_at_ms, updated_at_ms, reason)"
        " values (:id, :content, :state, :now_ms, :now_ms, :reason)",
        {
            "id": order.client_order_id,
            "content": order_content(order),
            "state": state.value,
            "now_ms": now_ms,
            "reason": reason,
        },
    )
    booked = replace(order, state=state, created_at_ms=now_ms)
    return BookEntry(booked, order_content(order), reason, ())


def insert_fills(transaction: Transaction, fills: tuple[Fill, ...]) -> None:
    """Book fills; an id that exists already is refused by the table's key."""
    for fill in fills:
        transaction.execute(
            "insert into paper_fills (venue_fill_id, client_order_id, content, filled_at_ms)"
            " values (:fill_id, :order_id, :content, :filled_at_ms)",
            {
                "fill_id": fill.venue_fill_id,
                "order_id": fill.client_order_id,
                "content": fill_content(fill),
                "filled_at_ms": fill.filled_at_ms,
            },
        )


def set_state(
    transaction: Transaction, client_order_id: str, state: OrderState, reason: str, now_ms: int
) -> None:
    """Move an order on."""
    transaction.execute(
        "update paper_orders set state = :state, reason = :reason, updated_at_ms = :now_ms"
        " where client_order_id = :id",
        {"id": client_order_id, "state": state.value, "reason": reason, "now_ms": now_ms},
    )
