"""Trials as a hash chain in segments: what was tried cannot be untried.

Every record's link seals the one before it. The records of one append are a segment; its head, length and
number are sealed in the ledger's audit chain, so that lake and ledger witness each other: an edited, deleted
or moved record breaks a link or a head, and a cut tail is missing from what was sealed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from hashlib import sha256

from trading.ledger.chain import GENESIS


@dataclass(frozen=True, slots=True)
class Segment:
    """The seal of one append.

    Attributes
    ----------
    number
        Position among the segments, from 1.
    day
        Partition that holds the records.
    records
        How many there are, at least 1.
    previous, head
        Link of the last record of the segment before (`GENESIS` before the first), and of the last one here.
    """

    number: int
    day: date
    records: int
    previous: str
    head: str


#: Stands before the first segment.
NOTHING = Segment(0, date.min, 0, GENESIS, GENESIS)


@dataclass(frozen=True, slots=True)
class Stored:
    """One record as the lake holds it: its place, the hash of its content, and the link that it claims."""

    position: int
    content: str
    link: str


@dataclass(frozen=True, slots=True)
class TrialReport:
    """What a verification found.

    Attributes
    ----------
    segments, records
        Proven before the verification ended: all of them if the ledger of trials is intact.
    unsealed
        Records behind the last seal that continue the chain: an append was cut off before its seal. The
        next append seals them.
    problem
        The first contradiction in words, empty if there is none.
    broken_at
        The segment that it shows in; None if there is none.
    """

    intact: bool
    segments: int
    records: int
    unsealed: int = 0
    problem: str = ""
    broken_at: int | None = None


def link(previous: str, content: str) -> str:
    """SHA-256 (64 hex digits) of the link before and the record's content hash."""
    return sha256(f"{previous}{content}".encode()).hexdigest()


def links(previous: str, contents: Sequence[str]) -> list[str]:
    """The links of records that follow ``previous``, in their order."""
    made = []
    for content in contents:
        previous = link(previous, content)
        made.append(previous)
    return made


def contradiction(segment: Segment, stored: Sequence[Stored]) -> str:
    """What is wrong with a segment's records, in the order of their position; empty if they are as sealed."""
    last = segment.previous
    for place, record in enumerate(stored, start=1):
        if record.position != place:
            return f"record {place} of segment {segment.number} ({segment.day}) is missing"
        last = link(last, record.content)
        if record.link != last:
            return f"record {place} of segment {segment.number} ({segment.day}) was edited, moved or replaced"
    if len(stored) != segment.records:
        return (
            f"segment {segment.number} ({segment.day}) was sealed with {segment.records} records "
            f"and holds {len(stored)}"
        )
    if last != segment.head:
        return f"segment {segment.number} ({segment.day}) was rewritten: its head is not the sealed one"
    return ""


def seals_contradiction(segments: Sequence[Segment]) -> tuple[str, int | None]:
    """What is wrong with the seals themselves, and at which segment; empty and None if they follow on."""
    last = NOTHING
    for segment in segments:
        if segment.number != last.number + 1:
            return f"the seal of segment {last.number + 1} is missing", last.number + 1
        if segment.previous != last.head:
            return f"segment {segment.number} does not continue segment {last.number}", segment.number
        last = segment
    return "", None


def misplaced(segments: Sequence[Segment], found: Mapping[int, set[date]]) -> tuple[str, int | None]:
    """Records in a day that their segment was not sealed for.

    Parameters
    ----------
    found
        Days in whose partitions records of a segment lie, by its number.
    """
    sealed = {segment.number: segment.day for segment in segments}
    for number, days in sorted(found.items()):
        if number in sealed and (strays := days - {sealed[number]}):
            return f"records of segment {number} lie in {min(strays)}, sealed was {sealed[number]}", number
        if number not in sealed and number != len(sealed) + 1:
            return f"records of segment {number} lie in {min(days)} and were never sealed", number
    return "", None
