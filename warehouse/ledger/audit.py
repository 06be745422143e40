"""The audit trail: every record seals the one before it; see `trading.ledger.chain`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from trading.errors import HaltTrading
from trading.ledger.chain import Anchor, AuditRecord, ChainReport, seal
from trading.ledger.chain import verify as verify_chain
from trading.model.canonical import canonical_json
from warehouse.ledger.backend import Ledger, Transaction

_COLUMNS = "sequence, at_ms, kind, subject, payload, previous_hash, hash"
_PAGE = 5_000


@dataclass(frozen=True, slots=True)
class Entry:
    """What happened: a kind, the id of what it happened to, and a payload that canonical JSON can hold."""

    kind: str
    subject: str
    payload: Any


def append(tx: Transaction, kind: str, subject: str, payload: Any, at_ms: int) -> AuditRecord:
    """Seal one record onto the chain."""
    return append_all(tx, [Entry(kind, subject, payload)], at_ms)[0]


def append_all(tx: Transaction, entries: Sequence[Entry], at_ms: int) -> list[AuditRecord]:
    """Seal records onto the chain in the given order; an empty sequence changes nothing.

    Raises
    ------
    HaltTrading
        If the head row is missing: the chain cannot be continued.
    """
    if not entries:
        return []
    last = head(tx)
    if last is None:
        raise HaltTrading("the audit head row is missing: run `tidemill audit verify` and restore the ledger")
    records = []
    for entry in entries:
        record = seal(last, at_ms, entry.kind, entry.subject, canonical_json(entry.payload))
        last = Anchor(record.sequence, record.hash)
        records.append(record)
    tx.execute_many(
        f"insert into audit ({_COLUMNS}) values"
        " (:sequence, :at_ms, :kind, :subject, :payload, :previous_hash, :hash)",
        [
            {
                "sequence": record.sequence,
                "at_ms": record.at_ms,
                "kind": record.kind,
                "subject": record.subject,
                "payload": record.payload,
                "previous_hash": record.previous_hash,
                "hash": record.hash,
            }
            for record in records
        ],
    )
    tx.execute(
        "update audit_head set sequence = :sequence, hash = :hash where only_row = 1",
        {"sequence": last.sequence, "hash": last.hash},
    )
    return records


def head(tx: Transaction) -> Anchor | None:
    """The newest record's sequence and hash, to be anchored elsewhere; None when the head row is missing."""
    rows = tx.query("select sequence, hash from audit_head where only_row = 1")
    return Anchor(rows[0]["sequence"], rows[0]["hash"]) if rows else None


def after(tx: Transaction, sequence: int, *, besides: Sequence[str]) -> list[AuditRecord]:
    """Records after a place in the trail that are not of some kinds, in order."""
    kinds = {f"kind{index}": kind for index, kind in enumerate(besides)}
    others = ", ".join(f":{name}" for name in kinds)
    rows = tx.query(
        f"select {_COLUMNS} from audit where sequence > :sequence and kind not in ({others}) order by sequence",
        {"sequence": sequence, **kinds},
    )
    return [AuditRecord(**row) for row in rows]


def ledger_id(tx: Transaction) -> str:
    """Identity of the ledger that the chain lives in, under which its anchors are kept."""
    return str(tx.query("select ledger_id from ledger_identity")[0]["ledger_id"])


def for_subject(tx: Transaction, subject: str) -> list[AuditRecord]:
    """Every record about one subject (a decision, order or fill id), oldest first."""
    rows = tx.query(
        f"select {_COLUMNS} from audit where subject = :subject order by sequence", {"subject": subject}
    )
    return [AuditRecord(**row) for row in rows]


def verify(ledger: Ledger, anchors: Iterable[Anchor] = ()) -> ChainReport:
    """Check the whole chain on one consistent state, a page of records at a time."""
    with ledger.read() as tx:
        return verify_in(tx, anchors)


def verify_in(tx: Transaction, anchors: Iterable[Anchor] = ()) -> ChainReport:
    """Check the whole chain as an open transaction sees it."""
    return verify_chain(_stream(tx), head(tx), anchors)


def _stream(tx: Transaction) -> Iterator[AuditRecord]:
    # From below any sequence that the chain gives out, so that a forged one is read as well. Each page is
    # bounded on both sides: with a limit instead, every page would look through all the rest.
    after = -(2**63)
    while True:
        first = tx.query(
            "select min(sequence) as first from audit where sequence > :after", {"after": after}
        )[0]["first"]
        if first is None:
            return
        after = min(first + _PAGE - 1, 2**63 - 1)
        for row in tx.query(
            f"select {_COLUMNS} from audit where sequence between :first and :last order by sequence",
            {"first": first, "last": after},
        ):
            yield AuditRecord(**row)
