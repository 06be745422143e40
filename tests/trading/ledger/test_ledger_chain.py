from __future__ import annotations

import hashlib
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ledger.chain import GENESIS, Anchor, AuditRecord, record_hash, seal, verify
from trading.model.canonical import canonical_json


def chain(length: int) -> tuple[list[AuditRecord], Anchor]:
    records, last = [], Anchor(0, GENESIS)
    for number in range(length):
        record = seal(last, 1000 + number, "fill", f"tm-{number}", f'{{"n":{number}}}')
        records.append(record)
        last = Anchor(record.sequence, record.hash)
    return records, last


def test_the_formula_is_fixed() -> None:
    """Anchors already taken depend on it: computed here from the bytes alone."""
    text = f'["{GENESIS}",1,1000,"fill","tm-é","{{\\"n\\":0}}"]'
    assert (
        record_hash(GENESIS, 1, 1000, "fill", "tm-é", '{"n":0}') == hashlib.sha256(text.encode()).hexdigest()
    )


@given(st.lists(st.text(), min_size=4, max_size=4), st.integers(), st.integers())
def test_a_record_is_hashed_as_the_canonical_json_of_its_fields(
    texts: list[str], sequence: int, at_ms: int
) -> None:
    previous, kind, subject, payload = texts
    whole = canonical_json([previous, sequence, at_ms, kind, subject, payload])
    expected = hashlib.sha256(whole.encode()).hexdigest()
    assert record_hash(previous, sequence, at_ms, kind, subject, payload) == expected


def test_ten_thousand_tamperings_are_all_found() -> None:
    """Single bits of any field, deletions, swaps and cut tails, drawn by a fixed seed."""
    records, head = chain(30)
    draw = random.Random(20_261_121)
    for _ in range(10_000):
        forged = list(records)
        at = draw.randrange(len(forged))
        match draw.choice(["bit", "bit", "bit", "delete", "swap", "cut"]):
            case "bit":
                forged[at] = flipped(forged[at], draw)
            case "delete":
                del forged[at]
            case "swap":
                other = draw.choice([index for index in range(len(forged)) if index != at])
                forged[at], forged[other] = forged[other], forged[at]
            case _:
                del forged[at:]
        assert not verify(forged, head).intact, forged


def flipped(record: AuditRecord, draw: random.Random) -> AuditRecord:
    name = draw.choice(AuditRecord.__slots__)
    value = getattr(record, name)
    if isinstance(value, int):
        return replace(record, **{name: value ^ 1 << draw.randrange(63)})
    at = draw.randrange(len(value))
    return replace(
        record, **{name: value[:at] + chr(ord(value[at]) ^ 1 << draw.randrange(8)) + value[at + 1 :]}
    )


@pytest.mark.parametrize("length", [0, 1, 7])
def test_an_untouched_chain_is_intact(length: int) -> None:
    records, head = chain(length)
    anchors = [Anchor(record.sequence, record.hash) for record in records[::2]]
    report = verify(iter(records), head, anchors)
    assert (report.intact, report.records, report.head) == (True, length, head)
    assert (report.anchors, report.problem, report.broken_at) == (len(anchors), "", None)


FIELDS = st.sampled_from(["sequence", "at_ms", "kind", "subject", "payload", "previous_hash", "hash"])


@given(st.data(), st.integers(1, 12))
def test_any_edit_is_found_where_it_was_made(data: st.DataObject, length: int) -> None:
    records, head = chain(length)
    index, name = data.draw(st.integers(0, length - 1)), data.draw(FIELDS)
    old = getattr(records[index], name)
    new = data.draw(
        (st.integers() if isinstance(old, int) else st.text(max_size=70)).filter(lambda value: value != old)
    )
    records[index] = replace(records[index], **{name: new})
    report = verify(records, head)
    assert not report.intact
    assert report.records == index
    assert report.broken_at is not None
    assert report.broken_at <= index + 1
    assert report.problem


@given(st.data(), st.integers(2, 12))
def test_a_deletion_is_found(data: st.DataObject, length: int) -> None:
    records, head = chain(length)
    index = data.draw(st.integers(0, length - 1))
    del records[index]
    report = verify(records, head)
    assert (report.intact, report.broken_at) == (False, index + 1)


@given(st.data(), st.integers(2, 12), st.booleans())
def test_a_swap_is_found_even_when_renumbered(data: st.DataObject, length: int, renumber: bool) -> None:
    records, head = chain(length)
    first = data.draw(st.integers(0, length - 2))
    second = data.draw(st.integers(first + 1, length - 1))
    records[first], records[second] = records[second], records[first]
    if renumber:
        records = [replace(record, sequence=number) for number, record in enumerate(records, 1)]
    report = verify(records, head)
    assert (report.intact, report.broken_at) == (False, first + 1)


@given(st.data(), st.integers(1, 12))
def test_a_cut_tail_is_found(data: st.DataObject, length: int) -> None:
    records, head = chain(length)
    kept = records[: data.draw(st.integers(0, length - 1))]
    assert verify(kept, head).broken_at == len(kept) + 1
    forged_head = Anchor(kept[-1].sequence, kept[-1].hash) if kept else Anchor(0, GENESIS)
    assert verify(kept, forged_head).intact, "without a witness from outside it cannot be seen"
    assert not verify(kept, forged_head, [Anchor(length, head.hash)]).intact


@given(st.data(), st.integers(1, 12))
def test_a_rewritten_chain_is_found_by_any_later_anchor(data: st.DataObject, length: int) -> None:
    records, _ = chain(length)
    index = data.draw(st.integers(0, length - 1))
    forged = records[:index]
    last = Anchor(index, forged[-1].hash if forged else GENESIS)
    for record in records[index:]:
        forged.append(seal(last, record.at_ms, record.kind, "forged", record.payload))
        last = Anchor(forged[-1].sequence, forged[-1].hash)
    witness = records[data.draw(st.integers(index, length - 1))]
    report = verify(forged, last, [Anchor(witness.sequence, witness.hash)])
    assert (report.intact, report.broken_at) == (False, witness.sequence)


@given(st.integers(0, 12), st.integers(-3, 20), st.text(max_size=64))
def test_an_edited_head_is_found(length: int, sequence: int, digest: str) -> None:
    records, head = chain(length)
    forged = Anchor(sequence, digest)
    assert verify(records, forged).intact is (forged == head)
    assert not verify(records, Anchor(head.sequence, digest)).intact
    assert not verify(records, Anchor(head.sequence + 1, head.hash)).intact
    assert verify(records, None).problem == "the head row is missing"


def test_a_forged_record_before_the_first_is_found() -> None:
    records, head = chain(3)
    for sequence in (0, -5):
        assert not verify([replace(records[0], sequence=sequence), *records], head).intact
    assert not verify(records, head, [Anchor(0, "f" * 64)]).intact
    assert verify(records, head, [Anchor(0, GENESIS)]).intact
