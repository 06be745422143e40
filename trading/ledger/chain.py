"""The audit trail as a hash chain: every record seals the one before it.

The chain alone shows edits, deletions and reordering inside it. A cut tail, or a chain rewritten
from some record on, shows only against witnesses kept elsewhere: the head row, and anchors copied
out of the ledger (daily to the lake).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256
from json.encoder import encode_basestring

#: The hash before the first record.
GENESIS = "0" * 64


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """One sealed record; ``payload`` is the canonical JSON text exactly as stored."""

    sequence: int
    at_ms: int
    kind: str
    subject: str
    payload: str
    previous_hash: str
    hash: str


@dataclass(frozen=True, slots=True)
class Anchor:
    """A witness: the hash of the record with this sequence, as it once was. Sequence 0 is `GENESIS`."""

    sequence: int
    hash: str


@dataclass(frozen=True, slots=True)
class ChainReport:
    """What a verification found.

    Attributes
    ----------
    records
        Records proven before the verification ended: all of them if the chain is intact.
    problem
        The first contradiction in words, empty if there is none.
    broken_at
        The sequence at which it shows; None if there is none.
    anchors
        How many anchored records agreed with their anchor.
    """

    intact: bool
    records: int
    head: Anchor
    anchors: int = 0
    problem: str = ""
    broken_at: int | None = None


def record_hash(
    previous_hash: str, sequence: int, at_ms: int, kind: str, subject: str, payload_json: str
) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of all fields and the previous hash."""
    # Written out: texts and whole numbers have one form, and verifying reads records by the million.
    text = ",".join(
        (
            encode_basestring(previous_hash),
            int.__repr__(sequence),
            int.__repr__(at_ms),
            encode_basestring(kind),
            encode_basestring(subject),
            encode_basestring(payload_json),
        )
    )
    return sha256(f"[{text}]".encode()).hexdigest()


def seal(previous: Anchor, at_ms: int, kind: str, subject: str, payload_json: str) -> AuditRecord:
    """Make the record that follows ``previous``."""
    sequence = previous.sequence + 1
    sealed = record_hash(previous.hash, sequence, at_ms, kind, subject, payload_json)
    return AuditRecord(sequence, at_ms, kind, subject, payload_json, previous.hash, sealed)


def verify(
    records: Iterable[AuditRecord], head: Anchor | None, anchors: Iterable[Anchor] = ()
) -> ChainReport:
    """Check a chain against itself, its head row and the anchors, reading each record once.

    Parameters
    ----------
    records
        The records in the order of their sequence.
    head
        The head row; None when it is missing, which is a break of its own.
    anchors
        Witnesses from outside the ledger, in any order.
    """
    witnesses: dict[int, set[str]] = {}
    for anchor in anchors:
        witnesses.setdefault(anchor.sequence, set()).add(anchor.hash)
    agreed = len(witnesses)
    last = Anchor(0, GENESIS)
    if not witnesses.pop(0, {GENESIS}) <= {GENESIS}:
        return ChainReport(False, 0, last, 0, "the anchor of the empty chain is not the genesis hash", 0)
    for record in records:
        problem = _contradiction(record, last)
        if not problem and witnesses.pop(record.sequence, {record.hash}) != {record.hash}:
            problem = f"record {record.sequence} differs from its anchor: the chain was rewritten"
        if problem:
            at = min(record.sequence, last.sequence + 1)
            return ChainReport(False, last.sequence, last, 0, problem, at)
        last = Anchor(record.sequence, record.hash)
    problem = _cut(last, head, witnesses)
    if problem:
        return ChainReport(False, last.sequence, last, 0, problem, last.sequence + 1)
    return ChainReport(True, last.sequence, last, agreed)


def _cut(last: Anchor, head: Anchor | None, unseen: dict[int, set[str]]) -> str:
    if head is None:
        return "the head row is missing"
    if head.sequence > last.sequence or unseen:
        newest = max(head.sequence, *unseen) if unseen else head.sequence
        return f"the tail was cut: the chain ends at {last.sequence} but {newest} records existed"
    if head != last:
        return f"the head row says {head.sequence} {head.hash[:12]}, the chain ends at {last.sequence} {last.hash[:12]}"
    return ""


def _contradiction(record: AuditRecord, last: Anchor) -> str:
    if record.sequence != last.sequence + 1:
        return f"record {last.sequence + 1} is missing: {record.sequence} follows {last.sequence}"
    if record.previous_hash != last.hash:
        return f"record {record.sequence} does not continue record {last.sequence}: one of them was changed"
    expected = record_hash(
        record.previous_hash, record.sequence, record.at_ms, record.kind, record.subject, record.payload
    )
    if record.hash != expected:
        return f"record {record.sequence} was edited: its content does not give its hash"
    return ""
