"""The guard of the paper venue: entries are cancelled in the ledger, as soon as it answers, and no key is needed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from guard_runs import ROOT, kinds, until

from apps.guard.evidence import Evidence
from apps.guard.ledger_response import LedgerResponse
from resources.clock import SystemClock
from trading.guard.settings import GuardSettings
from trading.model.order import Order, OrderState, OrderType, Side
from warehouse.flags import heartbeat, kill_flag
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.journal import Journal, read_journal
from warehouse.flags.kill_flag import KillFlag
from warehouse.ledger import orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

NOW_MS = 1_767_139_200_000
CONFIGURATION = """
market_data: {{source: files, files: {{folder: {folder}}}}}
ledger: {{lock_timeout_seconds: 0.5}}
guard: {{heartbeat_timeout_seconds: 1.5, poll_seconds: 0.02, recheck_seconds: 0.5}}
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    (tmp_path / "config").mkdir()
    (tmp_path / "klines").mkdir()
    (tmp_path / "klines" / "BTCUSDT-1m.csv").write_text(
        f"open_time,open,high,low,close,volume\n{NOW_MS - 60_000},110,110,110,110,1\n"
    )
    (tmp_path / "config" / "tidemill.yaml").write_text(
        CONFIGURATION.format(folder=tmp_path / "klines"), encoding="utf-8"
    )
    return tmp_path


@pytest.fixture
def ledger(home: Path) -> Iterator[Ledger]:
    opened = open_ledger(f"duckdb:///{home}/var/ledger.duckdb", lock_timeout_seconds=5)
    opened.migrate()
    with opened.transaction() as tx:
        portfolio.deposit(tx, "initial-deposit", Decimal(10_000), "USDT", NOW_MS)
    yield opened
    opened.close()


def intend(ledger: Ledger, name: str, side: Side) -> None:
    """Commit an order that nobody has sent yet."""
    order = Order(
        client_order_id=name,
        decision_id="",
        tick_id="",
        venue="paper",
        desk="fork",
        strategy_id="",
        symbol="BTCUSDT",
        side=side,
        quantity=Decimal(1),
        reference_price=Decimal(100),
        state=OrderState.INTENT,
        created_at_ms=NOW_MS,
        not_before_ms=NOW_MS,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(90),
        reduce_only=side is Side.SELL,
    )
    with ledger.transaction() as tx:
        orders.commit_orders(tx, [order], NOW_MS)


def states(ledger: Ledger) -> dict[str, OrderState]:
    with ledger.read() as tx:
        return {order.client_order_id: order.state for order in orders.in_states(tx, tuple(OrderState))}


@pytest.fixture
def guard(home: Path) -> Iterator[subprocess.Popen[str]]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMILL_")}
    process = subprocess.Popen(
        [sys.executable, "-m", "apps.guard"],
        cwd=ROOT,
        env={**environment, "TIDEMILL_HOME": str(home), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    until(lambda: heartbeat.read(home / "var" / "control", "guard"), process)
    yield process
    process.kill()
    process.communicate()


def checked(home: Path) -> int:
    """Exit code of the health check."""
    command = [sys.executable, "-m", "apps.cli.main", "guard", "--check"]
    environment = {**os.environ, "TIDEMILL_HOME": str(home), "DAGSTER_STATE": str(home / "var" / "dagster")}
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, check=False).returncode


def test_a_dead_heart_cancels_entries_once_the_ledger_answers(
    home: Path, ledger: Ledger, guard: subprocess.Popen[str]
) -> None:
    folder = home / "var" / "control"
    assert checked(home) == 0
    for name, side in (("entry", Side.BUY), ("another", Side.BUY), ("exit", Side.SELL)):
        intend(ledger, name, side)
    ledger.close()
    hold = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", hold, str(home / "var" / "ledger.duckdb")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        Heartbeat(folder, "live").beat(time.time_ns() // 1_000_000)
        until(lambda: "problem" in kinds(folder), guard, seconds=60)
        told = next(record for record in read_journal(folder / "guard.journal") if record.kind == "problem")
        assert "nothing is cancelled in the ledger until it answers" in told.payload
        assert kill_flag.read(folder).by == "guard"
        assert "contained" not in kinds(folder)
        holder.kill()
    until(lambda: "contained" in kinds(folder), guard, seconds=60)
    assert states(ledger) == {
        "entry": OrderState.CANCELLED,
        "another": OrderState.CANCELLED,
        "exit": OrderState.INTENT,
    }


class Passes:
    """An answer to a halt whose command is a line of Python, with the test's time."""

    def __init__(self, folder: Path, code: str) -> None:
        self.now = 0.0
        self.folder = folder
        clock = SystemClock()
        self.response = LedgerResponse(
            KillFlag(True, "test", "tester", 1),
            (sys.executable, "-c", code),
            Evidence(Journal(folder / "guard.journal", 1), clock),
            GuardSettings(recheck_seconds=7.0),
            clock=clock,
            monotonic=lambda: self.now,
        )

    def finished(self) -> float:
        """Rounds until the pass that is begun now has ended; what it asks to wait."""
        for _ in range(1_000):
            pause = self.response.round()
            if self.response._pass is None:
                return pause
            time.sleep(0.01)
        raise AssertionError("the pass does not end")


def test_a_pass_that_fails_is_tried_ever_slower_and_told_once(tmp_path: Path) -> None:
    passes = Passes(tmp_path, 'print(\'{"error": "RetryLater: busy"}\'); exit(1)')
    assert [passes.finished() for _ in range(5)] == [0.5, 1.0, 2.0, 4.0, 4.0]
    assert kinds(tmp_path).count("problem") == 1


@pytest.mark.parametrize("code", ["exit(3)", "print('no json')", "import os; os.kill(os.getpid(), 9)"])
def test_a_pass_that_says_nothing_is_a_failure(tmp_path: Path, code: str) -> None:
    assert Passes(tmp_path, code).finished() == 0.5
    assert "ended with exit code" in read_journal(tmp_path / "guard.journal")[-1].payload


def test_a_pass_that_leaves_entries_is_followed_by_another(tmp_path: Path) -> None:
    left = '{"cancelled": 1, "new_fills": 0, "open_entries": 1}'
    passes = Passes(tmp_path, f"print({left!r})")
    assert passes.finished() == 0.5
    assert "contained" not in kinds(tmp_path)


def test_what_is_contained_is_looked_at_again_and_told_once(tmp_path: Path) -> None:
    done = '{"cancelled": 0, "new_fills": 0, "open_entries": 0}'
    passes = Passes(tmp_path, f"print({done!r})")
    assert [passes.finished(), passes.finished()] == [7.0, 7.0]
    assert kinds(tmp_path).count("contained") == 1


def test_a_pass_that_hangs_is_ended(tmp_path: Path) -> None:
    passes = Passes(tmp_path, "import time; time.sleep(600)")
    assert passes.response.round() == 0.1
    passes.now = 121.0
    assert passes.finished() == 0.5
    passes.response.round()
    hanging = passes.response._pass
    assert hanging is not None
    passes.response.close()
    assert hanging.poll() is not None
