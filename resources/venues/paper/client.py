"""The paper venue's durable book: its only I/O, two tables of the ledger."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal

from resources.venues.paper.parse import fill_content, order_content, read_fill, read_order
from trading.errors import BadData
from trading.ledger.accounting import signed_quantity
from trading.model.order import Fill, Order, OrderState
from trading.ports import OrderReport
from warehouse.ledger.backend import Transaction


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One order of the book, with the text it was submitted as and its fills so far, oldest first.

    Attributes
    ----------
    seen_until_ms
        Bars that open earlier have been looked at: the order was not set off in them.
    """

    order: Order
    content: str
    reason: str
    fills: tuple[Fill, ...]
    seen_until_ms: int = 0

    @property
    def report(self) -> OrderReport:
        """What the venue says of the order."""
        return OrderReport(self.order.client_order_id, self.order.state, self.fills, self.reason)


def read_entry(transaction: Transaction, client_order_id: str) -> BookEntry | None:
    """The order of that id; None when it never arrived."""
    rows = transaction.query(
        "select content, state, accepted_at_ms, updated_at_ms, reason from paper_orders"
        " where client_order_id = :id",
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
        seen_until_ms=row["updated_at_ms"] if row["updated_at_ms"] != row["accepted_at_ms"] else 0,
    )


def require_entry(transaction: Transaction, client_order_id: str) -> BookEntry:
    """The order of that id, which is known to have arrived."""
    entry = read_entry(transaction, client_order_id)
    if entry is None:
        raise BadData(f"paper book: order {client_order_id} has vanished; restore the ledger")
    return entry


def read_open(transaction: Transaction, symbol: str | None = None) -> list[BookEntry]:
    """Every order at work, of a symbol or of all, oldest first."""
    rows = transaction.query(
        "select client_order_id from paper_orders where state in ('open', 'partially_filled')"
        " and content like :pattern order by accepted_at_ms, client_order_id",
        {"pattern": _of_symbol(symbol)},
    )
    entries = (read_entry(transaction, row["client_order_id"]) for row in rows)
    return [entry for entry in entries if entry is not None and symbol in (None, entry.order.symbol)]


def read_fills(transaction: Transaction, since_ms: int = 0) -> list[Fill]:
    """Every fill from a moment on, oldest first."""
    rows = transaction.query(
        "select content from paper_fills where filled_at_ms >= :since order by filled_at_ms, venue_fill_id",
        {"since": since_ms},
    )
    return [read_fill(row["content"]) for row in rows]


def net_quantity(transaction: Transaction, order: Order, currency: str) -> Decimal:
    """What the book's fills have brought of an order's symbol (base, signed).

    For an order that protects an entry only what its desk and strategy hold counts, else all.
    """
    rows = transaction.query(
        "select f.content, o.content as ordered from paper_fills f"
        " join paper_orders o on o.client_order_id = f.client_order_id where f.content like :pattern",
        {"pattern": _of_symbol(order.symbol)},
    )
    total = Decimal(0)
    for row in rows:
        owner, fill = read_order(row["ordered"], OrderState.OPEN, 0), read_fill(row["content"])
        own = (owner.desk, owner.strategy_id) == (order.desk, order.strategy_id) or not order.parent_id
        if own and fill.symbol == order.symbol:
            total += signed_quantity(fill, currency)
    return total


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


def set_seen(transaction: Transaction, client_order_id: str, until_ms: int) -> None:
    """Note until when bars have been looked at for an order that waits for a price."""
    transaction.execute(
        "update paper_orders set updated_at_ms = :until_ms where client_order_id = :id",
        {"id": client_order_id, "until_ms": until_ms},
    )


def _of_symbol(symbol: str | None) -> str:
    """A pattern that every content of the symbol fits, and hardly any other."""
    return "%" if symbol is None else f'%"symbol":"{symbol}"%'


def set_state(
    transaction: Transaction, client_order_id: str, state: OrderState, reason: str, now_ms: int
) -> None:
    """Move an order on."""
    transaction.execute(
        "update paper_orders set state = :state, reason = :reason, updated_at_ms = :now_ms"
        " where client_order_id = :id",
        {"id": client_order_id, "state": state.value, "reason": reason, "now_ms": now_ms},
    )
