"""What a halt has brought about: orders that were cancelled since, and what the guard did at the venue."""

from __future__ import annotations

import json
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trading.errors import TradingError
from trading.model.order import Order, OrderState
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.journal import read_journal
from warehouse.ledger import orders
from warehouse.ledger.backend import Transaction

#: Kinds of the guard's records that say what came of its actions, and of the audit's that are read here.
_ACTED = "acted"
_HALT, _ORDER_STATE = "halt", "order_state"


@dataclass(frozen=True, slots=True)
class CancelledOrder:
    """An order of ours that ended since the halt, with the cause that the ledger has."""

    order: Order
    cause: str
    at_ms: int


@dataclass(frozen=True, slots=True)
class GuardAction:
    """Something that the guard did at the venue in this halt.

    Attributes
    ----------
    do
        ``cancel``, ``protect`` or ``reduce``.
    quantity
        Base: what was left of a cancelled order, or what was protected or closed.
    error
        Why the venue did not take it; empty when it did.
    """

    do: str
    symbol: str
    side: str
    quantity: Decimal
    client_order_id: str
    at_ms: int
    error: str


def cancelled_since_halt(tx: Transaction) -> tuple[CancelledOrder, ...]:
    """Orders of ours that were cancelled after the newest halt, oldest first; none where nothing was halted.

    After means behind it in the audit trail, since orders live by the market's clock and a halt does not.
    """
    after = tx.query("select max(sequence) as last from audit where kind = :kind", {"kind": _HALT})[0]["last"]
    if after is None:
        return ()
    rows = tx.query(
        "select subject, payload, at_ms from audit where kind = :kind and sequence > :after order by sequence",
        {"kind": _ORDER_STATE, "after": after},
    )
    told = [(row["subject"], json.loads(row["payload"]), row["at_ms"]) for row in rows]
    return tuple(
        CancelledOrder(orders.require(tx, name), change["cause"], at_ms)
        for name, change, at_ms in told
        if change["to"] == OrderState.CANCELLED
    )


def done_by_guard(folder: Path, kill_id: str) -> tuple[GuardAction, ...]:
    """What the guard's journal says of a halt, oldest first; nothing where it cannot be read."""
    try:
        records = read_journal(folder / JOURNAL_FILE)
    except (OSError, TradingError):
        return ()
    return tuple(
        GuardAction(
            item["do"],
            item.get("symbol") or item["holding"].partition("/")[0],
            item["side"],
            Decimal(item["remaining"] if "remaining" in item else item["quantity"]),
            item["client_order_id"],
            record.at_ms,
            item["error"],
        )
        for record in records
        if record.kind == _ACTED and record.subject == kill_id
        for item in json.loads(record.payload)
    )
