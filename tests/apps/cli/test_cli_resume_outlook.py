"""What `tidemill resume` shows before its second step: doubt, disagreement, and what the halt has done."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import Result

from trading.model.order import Order, OrderState, OrderType, Side
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity
from warehouse.flags import kill_flag
from warehouse.flags.journal import Journal
from warehouse.ledger import breaks, orders
from warehouse.ledger.backend import Ledger, open_ledger

Cli = Callable[..., Result]
CliJson = Callable[..., Any]
NOW_MS = 1_767_139_300_000


@pytest.fixture
def ledger(home: Path, book: dict[str, str]) -> Iterator[Ledger]:
    opened = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    opened.migrate()
    yield opened
    opened.close()


def place(ledger: Ledger, name: str, *states: OrderState) -> None:
    """A small order that goes through these states."""
    order = Order(
        client_order_id=name,
        decision_id="",
        tick_id="",
        venue="paper",
        desk="fork",
        strategy_id="",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        reference_price=Decimal(100),
        state=OrderState.INTENT,
        created_at_ms=NOW_MS,
        not_before_ms=NOW_MS,
        order_type=OrderType.LIMIT,
        limit_price=Decimal(90),
    )
    with ledger.transaction() as tx:
        orders.commit_orders(tx, [order], NOW_MS)
        for state in states:
            orders.transition(tx, name, state, f"to {state}", NOW_MS)


def test_the_first_step_shows_doubt_disagreement_and_what_was_done(
    cli: Cli, cli_json: CliJson, home: Path, ledger: Ledger
) -> None:
    place(ledger, "gone-before", OrderState.SENDING, OrderState.OPEN, OrderState.CANCELLED)
    place(ledger, "in-doubt", OrderState.SENDING, OrderState.UNKNOWN)
    place(ledger, "entry", OrderState.SENDING, OrderState.OPEN)
    cli("halt", "--reason", "odd prices")
    with ledger.transaction() as tx:
        orders.transition(tx, "entry", OrderState.CANCELLED, "halted", NOW_MS)
        missing = Break(BreakKind.COIN, "BTC", "BTCUSDT", BreakSeverity.BLOCKS, "5", "4")
        breaks.update(tx, "paper", "main", [missing], NOW_MS)
    folder = home / "var" / "control"
    kill_id = kill_flag.read(folder).kill_id
    journal = Journal(folder / "guard.journal", NOW_MS)
    stop = {"do": "protect", "holding": "ETHUSDT/both", "side": "sell", "quantity": "2", "error": ""}
    cancel = {
        "do": "cancel",
        "symbol": "BTCUSDT",
        "side": "buy",
        "remaining": "0.5",
        "error": "HaltTrading: no",
    }
    for kill, items in (("earlier", [stop]), (kill_id, [cancel, stop])):
        named = [{**item, "client_order_id": f"{item['do']}-{kill}"} for item in items]
        journal.append("acted", kill, named, NOW_MS)
    journal.close()

    seen = cli_json("resume")
    assert seen["open_orders"] == ["in-doubt"]
    assert seen["unknown_orders"] == ["in-doubt"]
    assert [(item["client_order_id"], item["cause"]) for item in seen["cancelled"]] == [("entry", "halted")]
    assert [item["content"]["subject"] for item in seen["breaks"]] == ["BTC"]
    assert [(item["do"], item["symbol"], item["quantity"], item["error"]) for item in seen["by_guard"]] == [
        ("cancel", "BTCUSDT", "0.5", "HaltTrading: no"),
        ("protect", "ETHUSDT", "2", ""),
    ]
    shown = cli("resume").stdout
    for words in (
        "Open breaks",
        "Unknown orders",
        "Cancelled since the halt",
        "Done by the guard",
        "tidemill",
    ):
        assert words in shown
    assert "gone-before" not in shown
    assert "protect-earlier" not in shown


def test_where_nothing_is_open_each_list_says_so(cli: Cli, home: Path) -> None:
    cli("halt")
    shown = cli("resume").stdout
    for title in ("Open orders", "Positions", "Open breaks", "Cancelled since the halt", "Done by the guard"):
        assert any(line.startswith(title) and line.endswith(": none") for line in shown.splitlines()), title
    assert "Unknown orders" not in shown


def test_a_later_halt_shows_its_own_effects_only(cli: Cli, cli_json: CliJson, ledger: Ledger) -> None:
    cli("halt")
    place(ledger, "first", OrderState.CANCELLED)
    assert [item["client_order_id"] for item in cli_json("resume")["cancelled"]] == ["first"]
    cli("resume", "--confirm", cli_json("resume")["code"])
    assert cli_json("resume")["cancelled"] == []
    cli("halt", "--reason", "again")
    assert cli_json("resume")["cancelled"] == []
