"""One hash over the ledger's content: equal ledgers give equal hashes, on either backend."""

from __future__ import annotations

import hashlib
from collections.abc import Collection

from trading.model.canonical import canonical_json
from warehouse.ledger.backend import Ledger, Transaction

#: What differs between two ledgers that were told the same story.
IDENTITY = ("schema_migrations", "ledger_identity")
#: What belongs to processes and keys and is no part of any story; never counted.
_UNTOLD = frozenset({"leases", "order_signatures", "reconciled_accounts"})


def tables(tx: Transaction) -> list[str]:
    """The ledger's tables, sorted."""
    rows = tx.query(
        "select table_name from information_schema.tables"
        " where table_schema = current_schema() and table_type = 'BASE TABLE'"
    )
    return sorted(row["table_name"] for row in rows)


def table_digests(ledger: Ledger, exclude: Collection[str] = IDENTITY) -> dict[str, str]:
    """SHA-256 of each table's rows, in an order that does not depend on when they were written.

    Parameters
    ----------
    exclude
        Tables (``"audit"``), columns of every table (``"recorded_at_ms"``) or of one
        (``"orders.updated_at_ms"``) to leave out.
    """
    digests = {}
    with ledger.read() as tx:
        for table in tables(tx):
            if table in exclude or table in _UNTOLD:
                continue
            lines = []
            for row in tx.query(f"select * from {table}"):
                kept = {
                    name: value
                    for name, value in row.items()
                    if name not in exclude and f"{table}.{name}" not in exclude
                }
                lines.append(canonical_json(kept))
            digests[table] = hashlib.sha256("\n".join(sorted(lines)).encode()).hexdigest()
    return digests


def content_digest(ledger: Ledger, exclude: Collection[str] = IDENTITY) -> str:
    """SHA-256 over all of `table_digests`."""
    return hashlib.sha256(canonical_json(table_digests(ledger, exclude)).encode()).hexdigest()
