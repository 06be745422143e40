"""kill -9 anywhere in the decision job and a rerun: nothing is doubled, nothing is lost."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest

from apps.sandbox.server import EmbeddedSandbox
from resources.lake import open_lake
from tests.instance import OPEN_DAY, OWN_VARIABLES, ROOT, Home, at, decide, run_job, twin
from tests.postgres_server import postgres_url  # noqa: F401
from trading.ledger.chain import Anchor
from warehouse.datasets.research import AUDIT_ANCHORS
from warehouse.ledger import audit
from warehouse.ledger.backend import Ledger, open_ledger
from warehouse.ledger.digest import table_digests

SCRIPT = Path(__file__).parent / "decision_process.py"
OPS = (
    "take_snapshot",
    "decide",
    "judge_risk",
    "commit_intents",
    "send_orders",
    "settle_orders",
    "close_tick",
)
MOMENTS = ("sending", "accepted", "answered")
BAR = at("00:30")
#: What says how an outcome came about. The way may differ after a crash; the outcome may not. The lives of
#: strategies come from the search before, which the ledger on Postgres did not see.
HISTORY = (
    "strategies",
    "strategy_events",
    "schema_migrations",
    "ledger_identity",
    "audit",
    "audit_head",
    "order_events",
    "orders.updated_at_ms",
)


#: Runs the decision job in a process of its own, up to a place; returns the exit status.
Run = Callable[..., int]


@pytest.fixture(scope="module")
def run() -> Iterator[Run]:
    inherited = {key: value for key, value in os.environ.items() if key not in OWN_VARIABLES}
    with subprocess.Popen(
        [sys.executable, SCRIPT],
        cwd=ROOT,
        env=inherited | {"PYTHONPATH": str(ROOT)},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None

        def ask(home: Home, place: str = "") -> int:
            log = home.root / "decision.log"
            line = {
                "environment": home.environment,
                "bar_close_ms": BAR,
                "place": place,
                "log": str(log),
            }
            server.stdin.write(json.dumps(line) + "\n")
            code = int(server.stdout.readline())
            assert code in {0, -signal.SIGKILL}, log.read_text()[-3000:]
            return code

        yield ask
        server.stdin.close()


@dataclass(frozen=True)
class Undisturbed:
    """A home before the tick, and what an undisturbed tick makes of its ledger."""

    before: Home
    outcome: dict[str, str]
    whole: dict[str, str]


@pytest.fixture(scope="module")
def undisturbed(
    built: Home, exchange: EmbeddedSandbox, run: Run, tmp_path_factory: pytest.TempPathFactory
) -> Undisturbed:
    """At 00:35 with two positions held: the tick sells both and buys two others."""
    base = tmp_path_factory.mktemp("undisturbed")
    exchange.clock.set(at("00:35"))
    before = twin(built, base / "before", exchange)
    with before.instance() as (_, instance):
        assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success
    after = before.copy(base / "after")
    assert run(after) == 0
    once = table_digests(_ledger(after))
    assert run(after) == 0
    assert table_digests(_ledger(after)) == once, "the whole job again in a fresh process"
    ledger = _ledger(after)
    with ledger.read() as tx:
        sides = tx.query("select side, state, count(*) as n from orders group by side, state order by side")
    assert sides == [
        {"side": "buy", "state": "filled", "n": 4},
        {"side": "sell", "state": "filled", "n": 2},
    ]
    return Undisturbed(before, table_digests(ledger, HISTORY), table_digests(ledger))


@pytest.mark.parametrize("op", OPS)
def test_killed_after_an_op(
    op: str, undisturbed: Undisturbed, exchange: EmbeddedSandbox, run: Run, tmp_path: Path
) -> None:
    exchange.clock.set(at("00:35"))
    home = undisturbed.before.copy(tmp_path / "home")
    assert run(home, op) == -signal.SIGKILL
    assert run(home) == 0
    # Between two ops nothing is under way, so that even the audit trail is the same.
    assert table_digests(_ledger(home)) == undisturbed.whole
    _assert_chain_whole(home)


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_while_an_order_is_sent(
    moment: str, undisturbed: Undisturbed, exchange: EmbeddedSandbox, run: Run, tmp_path: Path
) -> None:
    exchange.clock.set(at("00:35"))
    home = undisturbed.before.copy(tmp_path / "home")
    assert run(home, moment) == -signal.SIGKILL
    ledger = _ledger(home)
    with ledger.read() as tx:
        states = [row["state"] for row in tx.query("select state from orders where state <> 'filled'")]
    assert sorted(states) == ["intent", "intent", "sending"], "the second of four orders was under way"
    assert run(home) == 0
    assert table_digests(ledger, HISTORY) == undisturbed.outcome
    with ledger.read() as tx:
        doubts = tx.query("select client_order_id from order_events where to_state = 'unknown'")
    assert len(doubts) == (moment == "sending"), "only an order that never arrived is sent again"
    _assert_chain_whole(home)


@pytest.mark.slow
def test_killed_at_every_place_in_turn_on_postgres(
    built: Home,
    undisturbed: Undisturbed,
    exchange: EmbeddedSandbox,
    run: Run,
    tmp_path: Path,
    postgres_url: str,  # noqa: F811
) -> None:
    url = _schema(postgres_url)
    exchange.clock.set(at("00:20"))
    first = twin(built, tmp_path / "first", exchange, ledger=False, ledger_url=url)
    with first.instance() as (_, instance):
        assert decide(instance, at("00:15")).success
    exchange.clock.set(at("00:35"))
    home = undisturbed.before.copy(tmp_path / "home", ledger=False, ledger_url=url)
    for place in (*OPS[:4], *MOMENTS, *OPS[4:]):
        assert run(home, place) == -signal.SIGKILL, place
    assert run(home) == 0
    ledger = open_ledger(url)
    try:
        assert table_digests(ledger, HISTORY) == undisturbed.outcome
        _assert_chain_whole(home, ledger)
    finally:
        ledger.close()


def _ledger(home: Home) -> Ledger:
    return open_ledger(f"duckdb:///{home.root}/var/ledger.duckdb")


def _schema(url: str) -> str:
    schema = f"crash_{uuid.uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f"create schema {schema}")
    return f"{url}?options=-csearch_path%3D{schema}"


def _assert_chain_whole(home: Home, ledger: Ledger | None = None) -> None:
    ledger = ledger or _ledger(home)
    with ledger.read() as tx:
        identity = audit.ledger_id(tx)
    anchored = open_lake(str(home.root / "var" / "lake")).read(AUDIT_ANCHORS, OPEN_DAY)
    own = anchored.filter(anchored["ledger_id"] == identity)
    anchors = [Anchor(row["sequence"], row["hash"]) for row in own.iter_rows(named=True)]
    report = audit.verify(ledger, anchors)
    assert report.intact, report
    assert len(anchors) >= 1
