"""Seals of the trial ledger's segments in the audit chain; see `trading.factory.trials.chain`."""

from __future__ import annotations

import json
from datetime import date

from trading.factory.trials.chain import NOTHING, Segment
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction

_KIND = "trials_sealed"


def seal(tx: Transaction, segment: Segment, at_ms: int) -> None:
    """Seal a segment whose records are in the lake."""
    payload = {
        "segment": segment.number,
        "day": segment.day.isoformat(),
        "records": segment.records,
        "previous": segment.previous,
        "head": segment.head,
    }
    audit.append(tx, _KIND, f"trials/{segment.number}", payload, at_ms)


def segments(tx: Transaction) -> list[Segment]:
    """Every seal, in the order of the audit chain."""
    rows = tx.query("select payload from audit where kind = :kind order by sequence", {"kind": _KIND})
    return [_segment(row["payload"]) for row in rows]


def last(tx: Transaction) -> Segment:
    """The newest seal; `NOTHING` where there is none."""
    rows = tx.query(
        "select payload from audit where kind = :kind order by sequence desc limit 1", {"kind": _KIND}
    )
    return _segment(rows[0]["payload"]) if rows else NOTHING


def _segment(payload: str) -> Segment:
    plain = json.loads(payload)
    return Segment(
        number=plain["segment"],
        day=date.fromisoformat(plain["day"]),
        records=plain["records"],
        previous=plain["previous"],
        head=plain["head"],
    )
