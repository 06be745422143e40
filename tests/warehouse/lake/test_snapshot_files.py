"""Snapshots in the lake: what a tick knew comes back whole, or not at all."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from tests.trading_scenario import snapshot
from trading.errors import HaltTrading
from trading.model.snapshot_codec import seal, to_json
from warehouse.lake import snapshots
from warehouse.lake.lake import Lake
from warehouse.ledger.snapshots import SnapshotRecord

KNOWN = seal(snapshot())
RECORD = SnapshotRecord(KNOWN.tick_id, KNOWN.snapshot_id, KNOWN.bar_close_ms, KNOWN.taken_at_ms)
KEY = snapshots.key_of(KNOWN.snapshot_id, KNOWN.bar_close_ms)


@pytest.fixture
def stored(lake: Lake) -> Lake:
    snapshots.write(lake.store, KNOWN.snapshot_id, KNOWN.bar_close_ms, to_json(KNOWN))
    return lake


def test_a_snapshot_comes_back_as_it_was_and_twice_is_once(stored: Lake) -> None:
    first = stored.store.read(KEY)
    snapshots.write(stored.store, KNOWN.snapshot_id, KNOWN.bar_close_ms, to_json(KNOWN))
    assert stored.store.read(KEY) == first
    assert to_json(snapshots.read(stored.store, RECORD)) == to_json(KNOWN)


def test_a_ledger_of_an_earlier_version_keeps_its_contents(lake: Lake) -> None:
    old = replace(RECORD, content=to_json(KNOWN))
    assert to_json(snapshots.read(lake.store, old)) == to_json(KNOWN)


def test_a_missing_snapshot_halts(lake: Lake) -> None:
    with pytest.raises(HaltTrading, match=f"{KNOWN.snapshot_id}.*missing"):
        snapshots.read(lake.store, RECORD)


@pytest.mark.parametrize("kept", [0, 1, -1])
def test_a_cut_file_halts(stored: Lake, kept: int) -> None:
    data = stored.store.read(KEY)
    assert data is not None
    stored.store.replace(KEY, data[0][: len(data[0]) // 2 if kept == 1 else kept])
    with pytest.raises(HaltTrading, match="cannot be read"):
        snapshots.read(stored.store, RECORD)


def test_an_edited_snapshot_halts(stored: Lake) -> None:
    edited = replace(KNOWN, btc_condition="bullish" if KNOWN.btc_condition != "bullish" else "bearish")
    stored.store.replace(KEY, gzip.compress(to_json(edited).encode(), mtime=0))
    with pytest.raises(HaltTrading, match="was changed"):
        snapshots.read(stored.store, RECORD)
    other = seal(edited)
    stored.store.replace(KEY, gzip.compress(to_json(other).encode(), mtime=0))
    with pytest.raises(HaltTrading, match="was changed"):
        snapshots.read(stored.store, RECORD)
