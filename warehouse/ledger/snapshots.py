"""What each tick knew: one snapshot per tick, for ever."""

from __future__ import annotations

from warehouse.ledger.backend import Transaction


def save(
    tx: Transaction, tick_id: str, snapshot_id: str, bar_close_ms: int, taken_at_ms: int, content: str
) -> str:
    """Store the snapshot of a tick unless it has one, and return the content that is stored.

    A tick that runs again decides on what it knew the first time: the existing content wins.
    """
    tx.execute(
        "insert into snapshots (tick_id, snapshot_id, bar_close_ms, taken_at_ms, content)"
        " values (:tick_id, :snapshot_id, :bar_close_ms, :taken_at_ms, :content) on conflict do nothing",
        {
            "tick_id": tick_id,
            "snapshot_id": snapshot_id,
            "bar_close_ms": bar_close_ms,
            "taken_at_ms": taken_at_ms,
            "content": content,
        },
    )
    stored: str = tx.query("select content from snapshots where tick_id = :tick_id", {"tick_id": tick_id})[0][
        "content"
    ]
    return stored


def load(tx: Transaction, tick_id: str) -> str | None:
    """The content of a tick's snapshot (canonical JSON); None when the tick has none."""
    rows = tx.query("select content from snapshots where tick_id = :tick_id", {"tick_id": tick_id})
    return rows[0]["content"] if rows else None


def newest_bar_close_ms(tx: Transaction) -> int | None:
    """Bar close of the newest tick that took a snapshot; None in an empty ledger."""
    newest: int | None = tx.query("select max(bar_close_ms) as newest from snapshots")[0]["newest"]
    return newest
