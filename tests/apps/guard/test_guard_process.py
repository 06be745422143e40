"""The guard as a real process: halts, dead heartbeats, a venue that is away, kill -9 in the middle."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path

import pytest
from guard_runs import ROOT, Start, kinds, now_ms, stop, until
from guard_venue import Book, HttpVenue, a_position, an_order

from trading.model.order import OrderType, Side
from warehouse.flags import heartbeat, kill_flag
from warehouse.flags.journal import read_journal


def a_full_book(book: Book) -> Book:
    """Five entries, a position behind its stop, one without any, and a take-profit."""
    return book.add(
        *(an_order(f"entry-{number}") for number in range(4)),
        an_order("stop-entry", Side.BUY, OrderType.STOP, symbol="SOLUSDT", stop_price="120"),
        a_position("2", "ETHUSDT"),
        an_order(
            "eth-stop", Side.SELL, OrderType.STOP, "2", symbol="ETHUSDT", reduce_only=True, stop_price="95"
        ),
        an_order("eth-profit", Side.SELL, OrderType.LIMIT, "2", symbol="ETHUSDT", reduce_only=True),
        a_position("-3", "XRPUSDT"),
    )


def contained(folder: Path) -> bool:
    return "contained" in kinds(folder)


def test_a_halt_ends_with_no_entry_and_every_position_protected(
    start: Start, book: Book, folder: Path
) -> None:
    a_full_book(book)
    process = start()
    kill_flag.halt(folder, "test", "tester", now_ms())
    until(lambda: contained(folder), process)
    assert book.entries == []
    stops = {(order.symbol, order.side, order.quantity, order.stop_price) for order in book.stops}
    assert ("ETHUSDT", Side.SELL, Decimal(2), Decimal(95)) in stops
    assert ("XRPUSDT", Side.BUY, Decimal(3), Decimal(105)) in stops
    assert "eth-profit" in book.orders
    assert set(book.calls) == {"cancel", "protect"}
    assert stop(process) == [], "the guard must work without Dagster and without any ledger"


def test_an_entry_that_turns_up_later_is_cancelled_too(start: Start, book: Book, folder: Path) -> None:
    process = start()
    kill_flag.halt(folder, "test", "tester", now_ms())
    until(lambda: contained(folder), process)
    book.add(an_order("late"))
    until(lambda: not book.orders, process)


def test_a_heart_that_stops_is_a_halt_and_stays_one(start: Start, book: Book, folder: Path) -> None:
    book.add(an_order("entry"))
    process = start(heartbeat_timeout_seconds=1.5)
    heart = heartbeat.Heartbeat(folder, "live")
    for _ in range(5):
        heart.beat(now_ms())
        time.sleep(0.1)
    assert book.entries == ["entry"], "a heart that beats is left alone"
    until(lambda: not book.orders, process)
    flag = kill_flag.read(folder)
    assert (flag.halted, flag.by) == (True, "guard")
    assert "heartbeat 'live' is dead" in flag.reason
    heart.beat(now_ms())
    assert kill_flag.read(folder) == flag, "only a person re-arms"


def test_a_heart_that_ended_in_order_is_not_missed(start: Start, book: Book, folder: Path) -> None:
    book.add(an_order("entry"))
    heart = heartbeat.Heartbeat(folder, "live")
    heart.beat(now_ms())
    heart.end(now_ms())
    process = start(heartbeat_timeout_seconds=0.2)
    time.sleep(0.6)
    assert process.poll() is None
    assert book.entries == ["entry"]


def test_a_flag_that_cannot_be_read_is_a_halt(start: Start, book: Book, folder: Path) -> None:
    book.add(an_order("entry"))
    process = start()
    (folder / kill_flag.FLAG_FILE).write_text('{"halted": fal')
    until(lambda: not book.orders, process)


def test_a_venue_that_is_away_is_asked_until_it_is_back(
    start: Start, venue: HttpVenue, book: Book, folder: Path
) -> None:
    book.add(an_order("entry"))
    venue.down = True
    process = start()
    kill_flag.halt(folder, "test", "tester", now_ms())
    until(lambda: "problem" in kinds(folder), process)
    assert book.entries == ["entry"]
    venue.down = False
    until(lambda: contained(folder), process)
    assert book.entries == []


@pytest.mark.parametrize(
    ("policy", "dies_at", "when"),
    [("keep_stops", 3, "after"), ("keep_stops", 6, "after"), ("flatten", 7, "before")],
)
def test_killed_in_the_middle_and_started_again_it_finishes(
    start: Start, venue: HttpVenue, book: Book, folder: Path, policy: str, dies_at: int, when: str
) -> None:
    a_full_book(book)
    sizes = {symbol: abs(position.quantity) for symbol, position in book.positions.items()}
    process = start(policy=policy, stages=["0.5", "1"], stage_seconds=0.3)
    commands = 0

    def die(name: str, moment: str) -> None:
        nonlocal commands
        commands += moment == "before"
        if commands == dies_at and moment == when:
            process.kill()
            process.wait()

    venue.on_command = die
    kill_flag.halt(folder, "test", "tester", now_ms())
    process.wait(20)
    assert process.returncode == -9
    venue.on_command = lambda name, moment: None
    assert not contained(folder)
    again = start(policy=policy, stages=["0.5", "1"], stage_seconds=0.3)
    until(lambda: contained(folder), again)
    assert book.entries == []
    assert book.calls.count("cancel") <= 5 + 4, "at most the calls that were under way are made twice"
    records = read_journal(folder / "guard.journal")
    baselines = [record for record in records if record.kind == "baseline"]
    assert len(baselines) == 1, "stages are shares of what was held at first, over a restart too"
    if policy == "flatten":
        assert book.positions == {}
    else:
        assert {symbol: abs(item.quantity) for symbol, item in book.positions.items()} == sizes
        for symbol, size in sizes.items():
            covered = [
                o.quantity for o in book.stops if o.symbol == symbol and o.order_type is OrderType.STOP
            ]
            assert sum(covered) == size, "nothing unprotected, and no stop twice"
    assert stop(again) == []


def test_two_guards_never_work_at_once(start: Start, folder: Path) -> None:
    start()
    second = start(wait=False)
    _, error = second.communicate(timeout=20)
    assert second.returncode == 1
    assert "another guard is at work" in error


def test_countdowns_run_where_no_stop_can_be_lost(start: Start, book: Book, folder: Path) -> None:
    a_full_book(book)
    process = start(countdown_ms=60_000)
    until(lambda: len(book.countdowns) == 4, process)
    assert book.countdowns == {"BTCUSDT": 60_000, "SOLUSDT": 60_000, "ETHUSDT": 0, "XRPUSDT": 0}


def test_the_evidence_says_what_was_done(start: Start, book: Book, folder: Path) -> None:
    book.add(an_order("entry"))
    process = start()
    kill_flag.halt(folder, "looks odd", "tester", now_ms())
    until(lambda: contained(folder), process)
    process.kill()
    process.wait()
    records = read_journal(folder / "guard.journal")
    assert [record.kind for record in records][:5] == ["journal_opened", "started", "halt", "acting", "acted"]
    (done,) = json.loads(records[4].payload)
    assert (done["do"], done["client_order_id"], done["error"]) == ("cancel", "entry", "")
    assert json.loads(records[2].payload)["reason"] == "looks odd"
    torn = folder / "guard.journal"
    torn.write_bytes(torn.read_bytes()[:-9])
    start()
    kept = [record.kind for record in records[:-1]]
    assert kinds(folder)[: len(records) + 1] == [*kept, "torn_tail", "started"]


def test_the_process_that_is_shipped_says_what_it_lacks(tmp_path: Path) -> None:
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "tidemill.yaml").write_text("venue:\n  kind: binance_usdm\n")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMILL_")}
    done = subprocess.run(
        [sys.executable, "-m", "apps.guard"],
        cwd=ROOT,
        env={**environment, "TIDEMILL_HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "TIDEMILL_GUARD_KEY" in done.stderr
