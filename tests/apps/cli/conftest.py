"""A home folder for the command line, and a ledger that a real tick could have written."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from apps.cli.main import app
from trading.ledger.accounting import mark
from trading.model.canonical import client_order_id, decision_id
from trading.model.check import at_least, at_most
from trading.model.decision import Action, Decision, Outcome, Verdict, VerdictKind
from trading.model.order import Fill, Order, OrderState, Side
from trading.model.snapshot import Controls, Portfolio, Snapshot
from trading.model.snapshot_codec import seal, to_json

Cli = Callable[..., Result]

CLOSE_MS = 1_767_139_200_000  # 2025-12-31 00:00 UTC
DAY_MS = 86_400_000
TICK = "a" * 32

CONFIGURATION = """
market_data:
  source: files
  files:
    folder: {folder}
universe:
  max_symbols: 3
desks:
  - use: fork
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty home folder that the environment points at."""
    (tmp_path / "config").mkdir()
    (tmp_path / "klines").mkdir()
    (tmp_path / "klines" / "BTCUSDT-1m.csv").write_text(
        f"open_time,open,high,low,close,volume\n{CLOSE_MS - 60_000},110,110,110,110,1\n"
    )
    (tmp_path / "config" / "tidemill.yaml").write_text(CONFIGURATION.format(folder=tmp_path / "klines"))
    for name in (
        "TIDEMILL_CONFIG",
        "TIDEMILL_LEDGER_URL",
        "TIDEMILL_SOURCE",
        "DAGSTER_HOME",
        "DAGSTER_STATE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("DAGSTER_STATE", str(tmp_path / "var" / "dagster"))
    monkeypatch.setenv("DAGSTER_HOME", str(Path(__file__).resolve().parents[3]))
    return tmp_path


@pytest.fixture
def cli(home: Path) -> Cli:
    """Run a command in the home folder; a failure that is no reported error is raised."""

    def run(*arguments: str, input: str | None = None) -> Result:
        result = CliRunner().invoke(app, list(arguments), input=input)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture
def cli_json(cli: Cli) -> Callable[..., Any]:
    """Run a command with --json and parse what it prints."""

    def run(*arguments: str) -> Any:
        return json.loads(cli(*arguments, "--json").stdout)

    return run


def a_decision(symbol: str, *, fired: bool, score: float, action: Action = Action.ENTER) -> Decision:
    """A decision of the fork desk at `CLOSE_MS`."""
    return Decision(
        decision_id=decision_id(
            desk="fork", symbol=symbol, bar_close_ms=CLOSE_MS, action=action.value, configuration_hash="c"
        ),
        tick_id=TICK,
        snapshot_id="b" * 64,
        desk="fork",
        strategy_id="",
        symbol=symbol,
        action=action,
        outcome=Outcome.FIRED if fired else Outcome.SKIPPED,
        reason_code="fork_entry" if fired else "fork_score_low",
        bar_close_ms=CLOSE_MS,
        quote_amount=Decimal(500) if fired else Decimal(0),
        reference_price=100.0,
        checks=(at_least("fork_score", score, 0.85),),
        inputs={"fork_score": score, "fork_adjusted": score + 0.1, "confidence": 0.61, "close": 100.0},
    )


@pytest.fixture
def book(home: Path) -> dict[str, str]:
    """A tick in the ledger: BTCUSDT bought, ETHUSDT refused, SOLUSDT skipped. Ids by role."""
    from warehouse.lake import snapshots as snapshot_files
    from warehouse.lake.lake import open_lake
    from warehouse.ledger import fills, orders, portfolio, snapshots
    from warehouse.ledger.backend import open_ledger
    from warehouse.ledger.snapshots import SnapshotRecord

    ledger = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    ledger.migrate()
    bought, refused, skipped = (
        a_decision("BTCUSDT", fired=True, score=0.91),
        a_decision("ETHUSDT", fired=True, score=0.88),
        a_decision("SOLUSDT", fired=False, score=0.71),
    )
    gate = at_most("position_fraction", 0.31, 0.20, "of equity")
    verdicts = [
        Verdict(
            bought.decision_id, VerdictKind.APPROVED, "approved", Decimal(500), (at_least("cash", 10_000, 0),)
        ),
        Verdict(refused.decision_id, VerdictKind.REFUSED, "position_too_large", Decimal(0), (gate,)),
    ]
    order = Order(
        client_order_id=client_order_id(bought.decision_id),
        decision_id=bought.decision_id,
        tick_id=TICK,
        venue="paper",
        desk="fork",
        strategy_id="",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(5),
        reference_price=Decimal(100),
        state=OrderState.INTENT,
        created_at_ms=CLOSE_MS,
        not_before_ms=CLOSE_MS,
    )
    fill = Fill(
        venue="paper",
        venue_fill_id="f1",
        client_order_id=order.client_order_id,
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(5),
        price=Decimal("100.05"),
        fee=Decimal("0.5"),
        fee_currency="USDT",
        filled_at_ms=CLOSE_MS + 60_000,
        slippage_bps=5.0,
    )
    snapshot = Snapshot(
        snapshot_id="",
        tick_id=TICK,
        bar_close_ms=CLOSE_MS,
        taken_at_ms=CLOSE_MS + 5_000,
        btc_condition="neutral",
        symbols={},
        strategies=(),
        instruments={},
        portfolio=Portfolio(Decimal(10_000), (), Decimal(10_000), None),
        controls=Controls(False),
        configuration_hash="c",
        sources={"bars/interval=15m/date=2025-12-30": "d" * 64},
    )
    snapshot = seal(snapshot)
    store = open_lake(f"{home}/var/lake").store
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "initial-deposit", Decimal(10_000), "USDT", CLOSE_MS)
        snapshot_files.write(store, snapshot.snapshot_id, CLOSE_MS, to_json(snapshot))
        snapshots.save(tx, SnapshotRecord(TICK, snapshot.snapshot_id, CLOSE_MS, CLOSE_MS + 5_000))
        orders.commit_intents(tx, [bought, refused, skipped], verdicts, [order], CLOSE_MS)
        orders.transition(tx, order.client_order_id, OrderState.SENDING, "sending", CLOSE_MS)
        fills.record(tx, fill, order, CLOSE_MS + 60_000)
        marked = mark(portfolio.positions(tx), portfolio.cash(tx), {"BTCUSDT": 110.0})
        portfolio.record_equity(tx, TICK, CLOSE_MS + 60_000, marked)
    ledger.close()
    return {
        "bought": bought.decision_id,
        "refused": refused.decision_id,
        "skipped": skipped.decision_id,
        "order": order.client_order_id,
    }


@pytest.fixture
def lake_of_a_day(home: Path) -> str:
    """Four minutes of two symbols, on the day before `CLOSE_MS`, in the lake; returns the day."""
    from datetime import date

    import polars as pl

    from warehouse.datasets.market import KLINES
    from warehouse.lake.lake import open_lake

    rows = [
        {"symbol": symbol, "open_time": CLOSE_MS - minutes * 60_000, "close": close}
        for symbol, closes in (("BTCUSDT", (105.0, 110.0)), ("ETHUSDT", (20.0, 21.0)))
        for minutes, close in zip((2, 1), closes, strict=True)
    ]
    frame = pl.DataFrame(rows).with_columns(
        *(pl.col("close").alias(name) for name in ("open", "high", "low")),
        pl.lit(1.0).alias("volume"),
        *(
            pl.lit(None).alias(name)
            for name in ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
        ),
        pl.lit("sandbox").alias("source"),
        (pl.col("open_time") + 60_000).alias("known_at"),
    )
    day = date(2025, 12, 30)
    open_lake(str(home / "var" / "lake")).write(
        KLINES, day, frame.select(list(KLINES.schema)).cast(dict(KLINES.schema))
    )
    return day.isoformat()
