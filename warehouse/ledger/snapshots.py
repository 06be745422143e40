"""Which snapshot each tick decided on, for ever; the contents are in the lake."""

from __future__ import annotations

from dataclasses import asdict, dataclass

from warehouse.ledger.backend import Transaction

_COLUMNS = "tick_id, snapshot_id, bar_close_ms, taken_at_ms, content"


@dataclass(frozen=True, slots=True)
class SnapshotRecord:
    """A tick's snapshot by its content hash.

    Attributes
    ----------
    content
        Canonical JSON where an earlier version kept it in the ledger; else empty, see
        `warehouse.lake.snapshots`. In the ledger it would be rewritten with its neighbours at every tick.
    """

    tick_id: str
    snapshot_id: str
    bar_close_ms: int
    taken_at_ms: int
    content: str = ""


def save(tx: Transaction, record: SnapshotRecord) -> SnapshotRecord:
    """Store the tick's snapshot unless it has one, and return the one that is stored.

    A tick that runs again decides on what it knew the first time: the existing one wins.
    """
    tx.execute(
        f"insert into snapshots ({_COLUMNS})"
        " values (:tick_id, :snapshot_id, :bar_close_ms, :taken_at_ms, :content) on conflict do nothing",
        asdict(record),
    )
    return load(tx, record.tick_id) or record


def load(tx: Transaction, tick_id: str) -> SnapshotRecord | None:
    """The snapshot of a tick; None when it has none."""
    rows = tx.query(f"select {_COLUMNS} from snapshots where tick_id = :tick_id", {"tick_id": tick_id})
    return SnapshotRecord(**rows[0]) if rows else None


def newest_bar_close_ms(tx: Transaction) -> int | None:
    """Bar close of the newest tick that took a snapshot; None in an empty ledger."""
    newest: int | None = tx.query("select max(bar_close_ms) as newest from snapshots")[0]["newest"]
    return newest
