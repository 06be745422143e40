"""The flag's file: whole or not at all, and closed when in doubt."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import FixConfiguration, RetryLater
from trading.model.snapshot import Controls
from warehouse.flags import kill_flag
from warehouse.flags.kill_flag import FLAG_FILE, KillFlag, merged


def test_a_flag_that_was_never_raised_is_off(tmp_path: Path) -> None:
    assert kill_flag.read(tmp_path / "nowhere") == KillFlag(halted=False)


def test_halting_keeps_the_first_reason_and_lifting_needs_what_was_seen(tmp_path: Path) -> None:
    before, after = kill_flag.halt(tmp_path, "first", "me", 10)
    assert (before.halted, after) == (False, KillFlag(True, "first", "me", 10))
    assert kill_flag.halt(tmp_path, "second", "you", 11) == (after, after)
    with pytest.raises(RetryLater, match="changed since it was shown: first"):
        kill_flag.lift(tmp_path, before, "fine", "me", 12)
    lifted = kill_flag.lift(tmp_path, after, "fine", "me", 12)
    assert kill_flag.read(tmp_path) == lifted == KillFlag(False, "fine", "me", 12)
    _, again = kill_flag.halt(tmp_path, "third", "me", 3)
    assert again.changed_at_ms > lifted.changed_at_ms, "a clock that was set back gives no id twice"


@pytest.fixture(scope="module")
def control(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("control")


@settings(deadline=None)
@given(
    st.one_of(
        st.binary(max_size=40),
        st.dictionaries(
            st.sampled_from(("halted", "reason", "by", "changed_at_ms")),
            st.one_of(st.none(), st.integers(0, 1), st.text(max_size=5), st.lists(st.integers(), max_size=1)),
        ).map(lambda content: json.dumps(content).encode()),
    )
)
def test_whatever_else_the_file_says_is_a_halt(control: Path, content: bytes) -> None:
    (control / FLAG_FILE).write_bytes(content)
    flag = kill_flag.read(control)
    assert (flag.halted, flag.readable) == (True, False)


def test_a_flag_that_cannot_be_read_is_written_anew(tmp_path: Path) -> None:
    (tmp_path / FLAG_FILE).write_text('{"halted": fal')
    before, after = kill_flag.halt(tmp_path, "anew", "me", 5)
    assert not before.readable
    assert kill_flag.read(tmp_path) == after == KillFlag(True, "anew", "me", 5)


def test_a_file_that_cannot_be_opened_is_a_halt(tmp_path: Path) -> None:
    (tmp_path / FLAG_FILE).mkdir()
    assert kill_flag.read(tmp_path).halted
    with pytest.raises(FixConfiguration, match="cannot be written"):
        kill_flag.halt(tmp_path, "x", "me", 1)


def test_another_user_can_read_the_flag(tmp_path: Path) -> None:
    kill_flag.halt(tmp_path, "x", "me", 1)
    assert (tmp_path / FLAG_FILE).stat().st_mode & 0o777 == 0o644


def test_a_hanging_change_does_not_hold_a_halt_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from filelock import FileLock

    monkeypatch.setattr(kill_flag, "_TURN_SECONDS", 0.05)
    hangs = FileLock(tmp_path / f"{FLAG_FILE}.lock")
    hangs.acquire()
    _, flag = kill_flag.halt(tmp_path, "now", "me", 1)
    assert kill_flag.read(tmp_path).halted
    with pytest.raises(RetryLater, match="another process"):
        kill_flag.lift(tmp_path, flag, "fine", "me", 2)
    hangs.release()


def test_many_halts_at_once_are_one(tmp_path: Path) -> None:
    seen: list[KillFlag] = []
    threads = [
        threading.Thread(target=lambda n=n: seen.append(kill_flag.halt(tmp_path, f"r{n}", "me", n + 1)[1]))
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(seen)) == 1
    assert kill_flag.read(tmp_path) == seen[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == [FLAG_FILE, f"{FLAG_FILE}.lock"]


@pytest.mark.parametrize(
    ("flag", "control", "expected"),
    [
        (KillFlag(False), Controls(False), Controls(False)),
        (KillFlag(True, "file", "me", 5), Controls(False), Controls(True, "file", 5)),
        (KillFlag(False), Controls(True, "ledger", 5), Controls(True, "ledger", 5)),
        (KillFlag(True, "file", "me", 5), Controls(True, "ledger", 3), Controls(True, "ledger", 3)),
        (KillFlag(True, "file", "me", 2), Controls(True, "ledger", 3), Controls(True, "file", 2)),
    ],
)
def test_either_halts(flag: KillFlag, control: Controls, expected: Controls) -> None:
    assert merged(flag, control) == expected
