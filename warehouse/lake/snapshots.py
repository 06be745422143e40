"""Contents of snapshots, each under its own hash; which tick has which stands in the ledger."""

from __future__ import annotations

import gzip
import zlib

from trading.errors import BadData, HaltTrading
from trading.model.days import day_at
from trading.model.snapshot import Snapshot
from trading.model.snapshot_codec import from_json, is_intact
from warehouse.lake.store import ObjectStore
from warehouse.ledger.snapshots import SnapshotRecord


def key_of(snapshot_id: str, bar_close_ms: int) -> str:
    """Key of the compressed canonical JSON, under the UTC day that the bar belongs to."""
    return f"snapshots/date={day_at(bar_close_ms - 1).isoformat()}/{snapshot_id}.json.gz"


def write(store: ObjectStore, snapshot_id: str, bar_close_ms: int, content: str) -> None:
    """Store a snapshot's canonical JSON, durably; the same snapshot again changes nothing."""
    data = gzip.compress(content.encode(), compresslevel=6, mtime=0)
    store.replace(key_of(snapshot_id, bar_close_ms), data)


def read(store: ObjectStore, record: SnapshotRecord) -> Snapshot:
    """The snapshot that a tick decided on.

    Raises
    ------
    HaltTrading
        If it is missing, unreadable, or no longer what its id is the hash of.
    """
    if record.content:
        return from_json(record.content)
    key = key_of(record.snapshot_id, record.bar_close_ms)
    found = store.read(key)
    if found is None:
        raise HaltTrading(
            f"{store.uri(key)}: the snapshot that the ledger names is missing; restore the lake"
        )
    try:
        snapshot = from_json(gzip.decompress(found[0]).decode())
    except (OSError, EOFError, zlib.error, ValueError, BadData) as error:
        raise HaltTrading(f"{store.uri(key)}: cannot be read ({error}); restore the lake") from error
    if snapshot.snapshot_id != record.snapshot_id or not is_intact(snapshot):
        raise HaltTrading(f"{store.uri(key)}: was changed after the tick stored it; restore the lake")
    return snapshot
