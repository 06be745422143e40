"""Order intents committed a second beside bare inserts, and the risk gate's time: python -m benchmarks.orders."""

from __future__ import annotations

import json
import sqlite3
import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg

from tests import trading_scenario as scenario
from tests.postgres_server import PostgresServer
from trading.model.canonical import canonical_json
from trading.model.decision import Decision, Verdict, VerdictKind
from trading.model.order import Order, OrderState, Side
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits
from warehouse.ledger import orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

Intent = tuple[Decision, Verdict, Order]


def main() -> None:
    """Print the figures as JSON."""
    figures: dict[str, object] = {"gate": gate()}
    server = PostgresServer(durable=True)
    server.start()
    try:
        with TemporaryDirectory() as folder:
            figures["intents"] = intents(Path(folder), server.url)
    finally:
        server.stop()
    print(json.dumps(figures, indent=1))


def gate(symbols: int = 100, repetitions: int = 200) -> dict[str, float]:
    """Milliseconds a decision for a tick of 100 entries with 50 positions held, without I/O."""
    names = [f"S{number}USDT" for number in range(symbols)]
    held = tuple(scenario.position(name, quantity=Decimal(1)) for name in names[: symbols // 2])
    taken = scenario.snapshot(*map(scenario.view, names), portfolio={"positions": held})
    wanted = [scenario.decision(name, quote_amount=Decimal(50)) for name in names]
    limits = replace(RiskLimits(), max_open_positions=2 * symbols)
    took = []
    for _ in range(repetitions):
        begun = time.perf_counter()
        judge(wanted, taken, limits, scenario.NOW_MS)
        took.append((time.perf_counter() - begun) / symbols * 1000)
    return {
        "p50_ms": round(statistics.median(took), 4),
        "p99_ms": round(statistics.quantiles(took, n=100)[98], 4),
    }


def intents(folder: Path, postgres_url: str, count: int = 400) -> dict[str, float]:
    """Intents a second, each durable before the next and in ticks of 20, beside one bare row a commit."""
    rates: dict[str, float] = {}
    for name, url in (("duckdb", f"duckdb:///{folder}/ledger.duckdb"), ("postgres", postgres_url)):
        ledger = open_ledger(url)
        ledger.migrate()
        with ledger.transaction() as tx:
            portfolio.deposit(tx, "start", Decimal(10**9), "USDT", scenario.NOW_MS)
        made = [_intent(number) for number in range(2 * count)]
        rates[f"{name}, one a commit"] = _rate(
            made[:count], 1, lambda batch, kept=ledger: _commit(kept, batch)
        )
        rates[f"{name}, 20 a commit"] = _rate(
            made[count:], 20, lambda batch, kept=ledger: _commit(kept, batch)
        )
        ledger.close()
    rates["bare insert, SQLite WAL, one a commit"] = _sqlite(folder / "peer.sqlite", count)
    rates["bare insert, Postgres, one a commit"] = _postgres(postgres_url, count)
    return {name: round(rate) for name, rate in rates.items()}


def _commit(ledger: Ledger, batch: Sequence[Intent]) -> None:
    decided, verdicts, placed = zip(*batch, strict=True)
    with ledger.transaction() as tx:
        orders.commit_intents(tx, decided, verdicts, placed, scenario.NOW_MS)


def _rate(made: Sequence[Intent], size: int, commit: Callable[[Sequence[Intent]], None]) -> float:
    begun = time.perf_counter()
    for start in range(0, len(made), size):
        commit(made[start : start + size])
    return len(made) / (time.perf_counter() - begun)


def _sqlite(path: Path, count: int) -> float:
    rows = [
        (order.client_order_id, canonical_json(decision.checks))
        for decision, _, order in map(_intent, range(count))
    ]
    with sqlite3.connect(path) as connection:
        connection.execute("pragma journal_mode = wal")
        connection.execute("pragma synchronous = full")
        connection.execute("create table intents (id text primary key, content text)")
        connection.commit()
        begun = time.perf_counter()
        for row in rows:
            connection.execute("insert into intents values (?, ?)", row)
            connection.commit()
        return count / (time.perf_counter() - begun)


def _postgres(url: str, count: int) -> float:
    rows = [
        (order.client_order_id, canonical_json(decision.checks))
        for decision, _, order in map(_intent, range(count))
    ]
    with psycopg.connect(url) as connection:
        connection.execute("create table bare_intents (id text primary key, content text)")
        connection.commit()
        begun = time.perf_counter()
        for row in rows:
            connection.execute("insert into bare_intents values (%s, %s)", row)
            connection.commit()
        return count / (time.perf_counter() - begun)


def _intent(number: int) -> Intent:
    wanted = scenario.decision(f"S{number}USDT", quote_amount=Decimal(100))
    decided = replace(wanted, decision_id=f"{number:032x}")
    verdict = Verdict(
        decided.decision_id, VerdictKind.APPROVED, "within_limits", Decimal(100), decided.checks
    )
    order = Order(
        client_order_id=f"tm-{number:032x}",
        decision_id=decided.decision_id,
        tick_id=decided.tick_id,
        venue="paper",
        desk=decided.desk,
        strategy_id=decided.strategy_id,
        symbol=decided.symbol,
        side=Side.BUY,
        quantity=Decimal("1.5"),
        reference_price=Decimal(50),
        state=OrderState.INTENT,
        created_at_ms=scenario.NOW_MS,
        not_before_ms=scenario.NOW_MS,
    )
    return decided, verdict, order


if __name__ == "__main__":
    main()
