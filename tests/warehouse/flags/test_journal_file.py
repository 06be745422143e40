"""The local journal and heartbeats: torn tails, edits, full disks."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from trading.errors import BadData, FixConfiguration
from warehouse.flags import heartbeat
from warehouse.flags.files import write_whole
from warehouse.flags.heartbeat import Beat, Heartbeat
from warehouse.flags.journal import Journal, parsed, read_journal


def a_journal(path: Path, records: int = 5) -> Journal:
    journal = Journal(path, 1)
    for number in range(records):
        journal.append("acted", f"subject-{number}", {"n": number, "words": "line\nbreak"}, number + 2)
    return journal


def test_records_are_there_after_a_restart_and_the_chain_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "guard.journal"
    first = a_journal(path)
    first.close()
    again = Journal(path, 99)
    assert again.records == first.records
    assert again.journal_id == first.journal_id
    again.append("more", "x", {}, 100)
    assert [record.sequence for record in read_journal(path)] == [1, 2, 3, 4, 5, 6, 7]


def test_a_line_that_a_crash_cut_short_is_cut_off_and_said(tmp_path: Path) -> None:
    path = tmp_path / "guard.journal"
    a_journal(path).close()
    content = path.read_bytes()
    for cut in (1, 20, 90):
        path.write_bytes(content[:-cut])
        assert [record.sequence for record in read_journal(path)] == [1, 2, 3, 4, 5]
        again = Journal(path, 99)
        again.close()
        assert [record.kind for record in again.records[-2:]] == ["acted", "torn_tail"]
        assert read_journal(path) == again.records


def test_every_change_in_the_middle_is_seen_and_the_guard_still_gets_a_journal(tmp_path: Path) -> None:
    path = tmp_path / "guard.journal"
    a_journal(path).close()
    content = path.read_bytes()
    chance = random.Random(3)
    for _ in range(200):
        place, bit = chance.randrange(len(content) - 1), 1 << chance.randrange(8)
        changed = bytearray(content)
        changed[place] ^= bit
        whole = bytes(changed[: changed.rfind(b"\n") + 1])
        with pytest.raises(BadData):
            parsed(whole)
    path.write_bytes(content.replace(b"subject-2", b"subject-9"))
    journal = Journal(path, 1234)
    journal.append("acted", "x", {}, 5)
    assert "edited" in read_journal(path)[0].payload
    assert (tmp_path / "guard.journal.broken-1234").exists()


def test_a_full_disk_leaves_the_journal_as_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "guard.journal"
    journal = a_journal(path)
    before = list(journal.records)

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(OSError, match="No space"):
            journal.append("acted", "lost", {}, 9)
    assert journal.records == before
    journal.append("acted", "kept", {}, 10)
    assert [record.subject for record in read_journal(path)][-1] == "kept"
    assert len(read_journal(path)) == len(before) + 1


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "file"
    write_whole(path, b"old")

    def full(descriptor: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as disk:
        disk.setattr(os, "fsync", full)
        with pytest.raises(FixConfiguration, match="No space left"):
            write_whole(path, b"new")
    assert path.read_bytes() == b"old"
    assert [item.name for item in tmp_path.iterdir()] == ["file"]


def test_beats_rise_over_restarts_and_what_cannot_be_read_is_silence(tmp_path: Path) -> None:
    heart = Heartbeat(tmp_path, "live")
    heart.beat(10)
    heart.beat(11, bar_close_ms=900)
    heart.beat(12)
    assert heartbeat.read(tmp_path, "live") == Beat(3, 12, 900, ended=False)
    again = Heartbeat(tmp_path, "live")
    again.end(13)
    assert heartbeat.read(tmp_path, "live") == Beat(4, 13, 900, ended=True)
    again.beat(14)
    assert heartbeat.read(tmp_path, "live") == Beat(5, 14, 900, ended=False)
    heartbeat.beat_path(tmp_path, "live").write_text("{")
    assert heartbeat.read(tmp_path, "live") is None
    assert heartbeat.read(tmp_path, "nobody") is None
