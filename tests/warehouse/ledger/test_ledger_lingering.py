"""Keeping the DuckDB file open between transactions: nobody waits for it longer, and nothing is lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import duckdb
import pytest

from trading.errors import RetryLater
from warehouse.ledger.backend import open_ledger

_OPEN = "import duckdb, sys; duckdb.connect(sys.argv[1]).close()"

_ADD = """
import sys
from warehouse.ledger.backend import open_ledger
ledger = open_ledger(sys.argv[1], lock_timeout_seconds=60)
with ledger.lingering(float(sys.argv[2])):
    for _ in range(10):
        with ledger.transaction() as tx:
            amount = tx.query("select amount from note where id = 1")[0]["amount"]
            tx.execute("update note set amount = :amount where id = 1", {"amount": amount + 1})
    print("done", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "ledger.duckdb"
    with open_ledger(f"duckdb:///{path}").transaction() as tx:
        tx.execute("create table note (id bigint primary key, amount bigint)")
        tx.execute("insert into note (id, amount) values (1, 0)")
    return path


def _run(script: str, *arguments: str) -> subprocess.Popen[str]:
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.Popen(command, stdin=pipe, stdout=pipe, stderr=pipe, text=True)


def _free(path: Path) -> bool:
    """Whether a program that knows nothing of our lock could open the file."""
    return _run(_OPEN, str(path)).communicate(timeout=60)[1] == ""


def _amount(path: Path) -> int:
    with open_ledger(f"duckdb:///{path}").read() as tx:
        return int(tx.query("select amount from note where id = 1")[0]["amount"])


def test_the_file_stays_open_until_the_block_ends(path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{path}")
    with ledger.lingering(600.0):
        with ledger.read():
            pass
        assert not _free(path)
        with ledger.transaction() as tx:
            tx.execute("update note set amount = 7 where id = 1")
    assert _free(path)
    assert _amount(path) == 7


def test_an_idle_file_is_let_go_of(path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{path}")
    with ledger.lingering(0.02):
        for _ in range(3):  # it lingers again after it was let go of
            with ledger.read():
                pass
            deadline = time.monotonic() + 60
            while not _free(path):
                assert time.monotonic() < deadline


def test_who_waits_gets_it_long_before_it_would_be_let_go_of(path: Path) -> None:
    ledger, other = (
        open_ledger(f"duckdb:///{path}"),
        open_ledger(f"duckdb:///{path}", lock_timeout_seconds=30),
    )
    with ledger.lingering(600.0):
        for number in range(5):
            with ledger.transaction() as tx:
                tx.execute("update note set amount = :number where id = 1", {"number": number})
            with other.read() as tx:  # in another process it would be the same lock
                assert tx.query("select amount from note") == [{"amount": number}]
    assert _free(path)


def test_an_error_lets_go_of_the_file(path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{path}")
    with ledger.lingering(600.0):
        with pytest.raises(ZeroDivisionError), ledger.transaction() as tx:
            tx.execute("update note set amount = 7 where id = 1")
            raise ZeroDivisionError
        assert _free(path)
        assert _amount(path) == 0


def test_processes_that_all_linger_lose_nothing(path: Path) -> None:
    workers = [_run(_ADD, f"duckdb:///{path}", "600") for _ in range(4)]
    for worker in workers:
        assert worker.stdout.readline() == "done\n", worker.stderr.read()
    assert _amount(path) == 40
    for worker in workers:
        worker.communicate("")


def test_a_killed_process_had_committed_what_it_said(path: Path) -> None:
    worker = _run(_ADD, f"duckdb:///{path}", "600")
    assert worker.stdout.readline() == "done\n", worker.stderr.read()
    assert not _free(path)
    os.kill(worker.pid, signal.SIGKILL)
    worker.communicate()
    assert _amount(path) == 10


_FORK = """
import os, sys
from warehouse.ledger.backend import open_ledger
ledger = open_ledger(sys.argv[1], lock_timeout_seconds=30)
with ledger.lingering(600.0):
    with ledger.read():
        pass
    child = os.fork()
    with ledger.transaction() as tx:
        tx.execute("update note set amount = amount + 1 where id = 1")
    if child == 0:
        ledger.close()
        os._exit(0)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_fork_lets_go_first(path: Path) -> None:
    out, err = _run(_FORK, f"duckdb:///{path}").communicate(timeout=60)
    assert out.strip() == "0", err
    assert _amount(path) == 2


def test_a_foreign_program_that_comes_in_between_is_waited_for(path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{path}", lock_timeout_seconds=0.3)
    with ledger.lingering(600.0):
        with ledger.read():
            pass
        ledger.close()
        foreign = _run(
            "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('open', flush=True); sys.stdin.read()",
            str(path),
        )
        assert foreign.stdout.readline() == "open\n"
        with pytest.raises(RetryLater, match="open in another program"), ledger.read():
            pass
        foreign.communicate("")
        with ledger.read() as tx:
            assert tx.query("select count(*) as n from note") == [{"n": 1}]
    assert duckdb.connect(str(path)).execute("select amount from note").fetchall() == [(0,)]
