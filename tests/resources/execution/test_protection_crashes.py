"""kill -9 at every commit and every call of the protection step and of an exit: protected or closed, never both."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from tests.trading_scenario import CLOSE_MS
from trading.execution.links import PROTECTIVE
from trading.model.order import OrderState
from warehouse.ledger import audit, cash, orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

SCRIPT = Path(__file__).parent / "protection_process.py"
ROOT = Path(__file__).resolve().parents[3]
D = Decimal
BOUGHT = (0, 100.0, 101.0, 99.0)
QUIET = (1, 100.0, 101.0, 99.0)
CRASH = (1, 95.0, 96.0, 89.0)
#: The steps of a tick, as the decision job takes them.
HOLD = ("settle", "protect")
CLOSE = ("settle", "protect", "exit", "settle", "exit", "protect")

#: Takes steps on a ledger's file; returns the exit status.
Take = Callable[..., int]


@pytest.fixture(scope="module")
def take() -> Iterator[Take]:
    path = os.pathsep.join([str(ROOT), str(SCRIPT.parent)])
    with subprocess.Popen(
        [sys.executable, SCRIPT],
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": path},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def ask(url: str, rows: list[Any], steps: tuple[str, ...], die_at: int = 0) -> int:
            line = {"url": url, "rows": rows, "steps": steps, "die_at": die_at}
            server.stdin.write(json.dumps(line) + "\n")
            code = int(server.stdout.readline())
            assert code in {0, -signal.SIGKILL}, "the process's own words are on stderr"
            return code

        yield ask
        server.stdin.close()


@pytest.fixture(scope="module")
def bought(take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A ledger in which an entry is at the venue, and has filled there without our knowing."""
    path = tmp_path_factory.mktemp("bought") / "ledger.duckdb"
    ledger = _open(path)
    ledger.migrate()
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(100_000), "USDT", CLOSE_MS)
    ledger.close()
    assert take(_url(path), [(-1, 100.0, 100.0, 100.0)], ("entry",)) == 0
    return path


@pytest.fixture(scope="module")
def protected(bought: Path, take: Take, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with both legs resting."""
    path = _copy(bought, tmp_path_factory.mktemp("protected"))
    assert take(_url(path), [BOUGHT], HOLD) == 0
    return path


@pytest.mark.parametrize("every", [12, pytest.param(1, marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("start", "rows", "steps", "moments"),
    [
        ("bought", [BOUGHT], HOLD, 20),
        ("protected", [BOUGHT, QUIET], CLOSE, 25),
        ("protected", [BOUGHT, CRASH], HOLD, 10),
    ],
    ids=["protecting", "closing", "stopped out"],
)
def test_killed_anywhere_and_run_again(
    start: str,
    rows: list[Any],
    steps: tuple[str, ...],
    moments: int,
    every: int,
    take: Take,
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    """At one of so many moments, or at each; there are more of them than ``moments``."""
    before: Path = request.getfixturevalue(start)
    undisturbed = _copy(before, tmp_path / "undisturbed")
    assert take(_url(undisturbed), rows, steps) == 0
    expected = outcome(undisturbed)
    for moment in count(every, every):
        path = _copy(before, tmp_path / str(moment))
        if take(_url(path), rows, steps, moment) == 0:
            break
        assert take(_url(path), rows, steps) == 0
        assert outcome(path) == expected, f"killed at moment {moment}"
        shutil.rmtree(path.parent)
    assert moment > moments, "there must have been something to die between"


def outcome(path: Path) -> dict[str, Any]:
    """What is held and paid, and what protects it, once a tick has ended."""
    ledger = _open(path)
    try:
        with ledger.read() as tx:
            position = portfolio.position(tx, "fork", "", "AAAUSDT")
            live = orders.in_states(tx, [state for state in OrderState if not state.terminal])
            at_venue = tx.query(
                "select count(*) as n from paper_orders where state in ('open', 'partially_filled')"
            )
            found = {
                "held": None if position is None else position.quantity,
                "cash": portfolio.cash(tx),
                "reserved": cash.reserved(tx, "USDT"),
                "fills": tx.query("select count(*) as n from fills")[0]["n"],
                "protection": sorted(
                    (order.role, order.state, order.quantity, order.stop_price)
                    for order in live
                    if order.role in PROTECTIVE
                ),
                "others": [order.client_order_id for order in live if order.role not in PROTECTIVE],
                "at the venue": at_venue[0]["n"],
            }
        assert audit.verify(ledger).intact
        return found
    finally:
        ledger.close()


def _copy(path: Path, folder: Path) -> Path:
    folder.mkdir(exist_ok=True)
    return Path(shutil.copy(path, folder / path.name))


def _url(path: Path) -> str:
    return f"duckdb:///{path}"


def _open(path: Path) -> Ledger:
    return open_ledger(_url(path))
