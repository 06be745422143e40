"""halt and the two steps of resume: file and ledger, codes, and what a crash or a new halt leaves."""

from __future__ import annotations

import getpass
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest
from typer.testing import Result

from apps.cli import controls
from warehouse.flags import kill_flag, rearm

Cli = Callable[..., Result]
CliJson = Callable[..., Any]

_HOLD = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"


@contextmanager
def locked(home: Path) -> Iterator[None]:
    """Another program has the ledger's file open."""
    (home / "var").mkdir(exist_ok=True)
    command = [sys.executable, "-c", _HOLD, str(home / "var" / "ledger.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            yield
        finally:
            holder.kill()


def audited(home: Path) -> list[str]:
    with duckdb.connect(str(home / "var" / "ledger.duckdb"), read_only=True) as connection:
        return [kind for (kind,) in connection.execute("select kind from audit order by sequence").fetchall()]


def flag_of(home: Path) -> kill_flag.KillFlag:
    return kill_flag.read(home / "var" / "control")


def code(cli_json: CliJson) -> str:
    return str(cli_json("resume")["code"])


def test_halt_sets_file_and_ledger_and_keeps_the_first_reason(
    cli: Cli, cli_json: CliJson, home: Path
) -> None:
    first = cli_json("halt", "--reason", "feed looks wrong")
    assert first["reached"] == {"flag_file": True, "ledger": True, "guard": False}
    assert (first["changed"], first["by"], first["problems"]) == (True, getpass.getuser(), [])
    again = cli_json("halt", "--reason", "another")
    assert (again["changed"], again["reason"]) == (False, "feed looks wrong")
    assert flag_of(home).reason == "feed looks wrong"
    shown = cli("halt")
    assert shown.exit_code == 0
    assert "exits, stops" in shown.stdout
    assert cli_json("status")["controls"]["reason"] == "feed looks wrong"
    assert "HALTED" in cli("status").stdout


def test_resume_takes_two_steps(cli: Cli, cli_json: CliJson, home: Path, book: dict[str, str]) -> None:
    cli("halt", "--reason", "drill")
    shown = cli("resume").stdout
    assert "Open orders: none" in shown
    assert "BTCUSDT" in shown
    assert flag_of(home).halted, "the first step changes nothing"
    given = code(cli_json)
    assert cli("resume", "--confirm", "00000000").exit_code == 1
    done = cli("resume", "--confirm", given, "--reason", "drill over")
    assert done.exit_code == 0
    assert "drill" in done.stdout
    assert not flag_of(home).halted
    assert cli_json("status")["controls"]["halted"] is False
    assert [kind for kind in audited(home) if kind in ("halt", "resume") or kind.startswith("rearm")] == [
        "halt",
        "rearm_requested",
        "rearm_requested",
        "rearm_refused",
        "resume",
    ]
    assert cli_json("audit", "verify")["intact"] is True
    assert "not halted" in cli("resume").stdout


def test_a_code_is_good_once_and_for_the_halt_that_was_shown(cli: Cli, cli_json: CliJson, home: Path) -> None:
    cli("halt")
    used = code(cli_json)
    assert cli("resume", "--confirm", used).exit_code == 0
    cli("halt", "--reason", "again")
    assert "nobody asked" in cli("resume", "--confirm", used).stderr
    stale = code(cli_json)
    cli("resume", "--confirm", code(cli_json))
    assert cli("resume", "--confirm", stale).exit_code == 1, "a later code replaces it"
    cli("halt")
    overtaken = code(cli_json)
    folder = home / "var" / "control"
    kill_flag.lift(folder, flag_of(home), "elsewhere", "somebody", 1)
    kill_flag.halt(folder, "anew", "guard", 2)
    refused = cli("resume", "--confirm", overtaken)
    assert refused.exit_code == 1
    assert "halted anew" in refused.stderr
    assert flag_of(home).reason == "anew"


def test_a_code_runs_out_and_wrong_ones_make_it_void(
    cli: Cli, cli_json: CliJson, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    cli("halt")
    given = code(cli_json)
    now_ms = controls._now_ms()
    with monkeypatch.context() as later:
        later.setattr(controls, "_now_ms", lambda: now_ms + 10 * 60_000 + 1_000)
        assert "run out" in cli("resume", "--confirm", given).stderr
    given = code(cli_json)
    for _ in range(5):
        assert cli("resume", "--confirm", "deadbeef").exit_code == 1
    assert "nobody asked" in cli("resume", "--confirm", given).stderr
    assert flag_of(home).halted
    assert given not in (home / "var" / "control" / "rearm.json").read_text()


def test_halt_works_while_another_program_has_the_ledger(
    cli: Cli, cli_json: CliJson, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(controls, "_HALT_LEDGER_SECONDS", 0.2)
    with locked(home):
        done = cli("halt", "--reason", "odd", "--json")
        state = json.loads(done.stdout)
        assert done.exit_code == 0
        assert state["reached"] == {"flag_file": True, "ledger": False, "guard": False}
        assert "open in another program" in state["problems"][0]
        assert "ledger: NOT SET" in cli("halt").stdout
    given = code(cli_json)  # the first step brings the halt into the ledger
    assert audited(home) == ["halt", "rearm_requested"]
    assert cli_json("status")["controls"]["reason"] == "odd"
    assert cli("resume", "--confirm", given).exit_code == 0


def test_halt_works_with_a_broken_configuration(cli: Cli, home: Path) -> None:
    (home / "config" / "tidemill.yaml").write_text("frobnicate: 1\n")
    done = cli("halt")
    assert done.exit_code == 0
    assert "flag file: set" in done.stdout
    assert "frobnicate" in done.stdout
    assert flag_of(home).halted


def test_a_flag_that_cannot_be_written_is_said_and_the_ledger_still_halts(
    cli: Cli, cli_json: CliJson, home: Path
) -> None:
    (home / "var").mkdir(exist_ok=True)
    (home / "var" / "control").write_text("no folder")
    done = cli("halt", "--json")
    assert done.exit_code == 1
    assert json.loads(done.stdout)["reached"]["ledger"] is True
    assert cli_json("status")["controls"]["halted"] is True


def test_nothing_is_re_armed_without_the_ledger(cli: Cli, cli_json: CliJson, home: Path) -> None:
    cli("halt")
    given = code(cli_json)
    text = (home / "config" / "tidemill.yaml").read_text()
    (home / "config" / "tidemill.yaml").write_text(text + "\nledger: {lock_timeout_seconds: 0.2}\n")
    with locked(home):
        assert cli("resume").exit_code == 1
        assert cli("resume", "--confirm", given).exit_code == 1
    assert flag_of(home).halted
    assert cli("resume", "--confirm", given).exit_code == 0, "the code was not used up"


def test_a_crash_between_ledger_and_file_leaves_it_halted(
    cli: Cli, cli_json: CliJson, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Crash(BaseException):
        pass

    def crash(*arguments: object) -> None:
        raise Crash

    cli("halt", "--reason", "first")
    given = code(cli_json)
    with monkeypatch.context() as killed:
        killed.setattr(kill_flag, "lift", crash)
        with pytest.raises(Crash):
            cli("resume", "--confirm", given)
    assert flag_of(home).halted
    assert code(cli_json), "it is still halted, and can be re-armed"
    assert cli_json("status")["controls"]["halted"] is True


def test_two_requests_never_share_a_code(tmp_path: Path) -> None:
    codes = {
        rearm.issue(tmp_path, flag_changed_at_ms=1, control_changed_at_ms=1, now_ms=1, valid_ms=5)[0]
        for _ in range(20)
    }
    assert len(codes) == 20


def test_guard_check_says_that_none_is_at_work(cli: Cli) -> None:
    done = cli("guard", "--check")
    assert done.exit_code == 1
    assert "not at work" in done.stdout
