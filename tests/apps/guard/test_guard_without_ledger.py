"""Halting at a real venue while the ledger is down, and what the ledger is told once it is back."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest
from guard_runs import ROOT, Start, kinds, until
from guard_venue import Book, a_position, an_order

from resources.killswitch.evidence import catch_up
from tests.postgres_server import PostgresServer
from trading.errors import RetryLater
from trading.model.order import OrderType, Side
from warehouse.flags import kill_flag
from warehouse.flags.journal import read_journal
from warehouse.ledger import audit, controls
from warehouse.ledger.backend import open_ledger


@contextmanager
def postgres_dead(home: Path) -> Iterator[str]:
    """A ledger on a server that was stopped for real."""
    server = PostgresServer()
    server.start()
    try:
        ledger = open_ledger(server.url, lock_timeout_seconds=20)
        ledger.migrate()
        ledger.close()
        url = server.url
    finally:
        server.stop()
    yield url


@contextmanager
def duckdb_locked(home: Path) -> Iterator[str]:
    """A ledger whose file another process keeps open."""
    path = home / "var" / "ledger.duckdb"
    hold = (
        f"import duckdb, sys; c = duckdb.connect({str(path)!r}); print('held', flush=True); sys.stdin.read()"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    ledger = open_ledger(f"duckdb:///{path}")
    ledger.migrate()
    ledger.close()
    with subprocess.Popen(
        [sys.executable, "-c", hold], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        try:
            with pytest.raises(duckdb.IOException):
                duckdb.connect(str(path))
            yield f"duckdb:///{path}"
        finally:
            holder.kill()


@pytest.mark.parametrize("down", [postgres_dead, duckdb_locked])
def test_a_halt_reaches_the_venue_while_the_ledger_is_down(
    start: Start, book: Book, folder: Path, tmp_path: Path, down: object
) -> None:
    book.add(
        *(an_order(f"entry-{number}") for number in range(5)),
        a_position("2"),
        an_order("stop", Side.SELL, OrderType.STOP, "2", reduce_only=True, stop_price="95"),
    )
    process = start()
    with down(tmp_path) as url:  # type: ignore[operator] # either context manager
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMILL_")}
        done = subprocess.run(
            [sys.executable, "-m", "apps.cli.main", "halt", "--reason", "ledger is gone", "--json"],
            cwd=ROOT,
            env={**environment, "TIDEMILL_HOME": str(tmp_path), "TIDEMILL_LEDGER_URL": url},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["reached"] == {"flag_file": True, "ledger": False, "guard": True}
        until(lambda: "contained" in kinds(folder), process)
        assert book.entries == []
        assert [order.client_order_id for order in book.stops] == ["stop"]


def test_a_ledger_that_is_back_learns_of_everything_once(
    start: Start, book: Book, folder: Path, tmp_path: Path
) -> None:
    book.add(an_order("entry"))
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb", lock_timeout_seconds=1)
    ledger.migrate()
    process = start()
    kill_flag.halt(folder, "ledger was away", "tester", 1_700_000_000_000)
    until(lambda: "contained" in kinds(folder), process)
    process.kill()
    process.wait()
    records = read_journal(folder / "guard.journal")
    first = catch_up(ledger, folder, 1_700_000_100_000)
    assert (first.carried, first.controls.reason) == (len(records), "ledger was away")
    assert catch_up(ledger, folder, 1_700_000_200_000).carried == 0
    with ledger.read() as tx:
        assert controls.current(tx).halted
        carried = [json.loads(record.payload) for record in audit.for_subject(tx, records[0].subject)]
        assert audit.verify_in(tx).intact
    assert [item["hash"] for item in carried] == [record.hash for record in records]


def test_a_halt_that_only_the_ledger_knows_reaches_the_file(folder: Path, tmp_path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    ledger.migrate()
    with ledger.transaction() as tx:
        controls.halt(tx, "by another machine", "somebody", 5)
    catch_up(ledger, folder, 10)
    assert kill_flag.read(folder).reason == "by another machine"
    with ledger.transaction() as tx:
        controls.resume(tx, "fine", "somebody", 20)
    again = catch_up(ledger, folder, 30)
    assert again.controls.halted, "while the two differ, halted wins"


def test_an_edited_journal_is_said_and_keeps_nobody_from_halting(folder: Path, tmp_path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb", lock_timeout_seconds=1)
    ledger.migrate()
    kill_flag.halt(folder, "odd", "tester", 5)
    (folder / "guard.journal").write_text('{"sequence":1}\n')
    caught = catch_up(ledger, folder, 10)
    assert caught.controls.halted
    assert "no record" in caught.problem


def test_a_busy_ledger_is_told_to_the_caller(folder: Path, tmp_path: Path) -> None:
    kill_flag.halt(folder, "odd", "tester", 5)
    with duckdb_locked(tmp_path) as url, pytest.raises(RetryLater):
        catch_up(open_ledger(url, lock_timeout_seconds=0.1), folder, 10)
