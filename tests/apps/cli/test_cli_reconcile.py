"""`tidemill reconcile` over a paper account that agrees, and over one that lost a fill."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

from typer.testing import Result

from apps.cli.boundary import FAILED, OK
from trading.model.account import FillCause
from trading.model.order import Fill, Side
from warehouse.ledger import fills
from warehouse.ledger.backend import open_ledger
from warehouse.ledger.fills import Owner

Cli = Callable[..., Result]


def test_an_account_without_history_agrees(cli: Cli) -> None:
    done = cli("reconcile", "--json")
    assert done.exit_code == OK
    assert json.loads(done.stdout)["breaks"] == []
    assert "0 break(s) open" in cli("reconcile").stdout


def alerts_in(home: Path) -> list[str]:
    ledger = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    with ledger.read() as tx:
        rows = tx.query("select title from alerts order by created_at_ms, title")
    ledger.close()
    return [row["title"] for row in rows]


def test_people_are_told_once_even_of_what_a_process_booked_that_then_died(
    cli: Cli, home: Path, book: dict[str, str]
) -> None:
    ledger = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    taken = Fill(
        "paper",
        "liq",
        "autoclose-1",
        "BTCUSDT",
        Side.SELL,
        Decimal(2),
        Decimal(90),
        Decimal(1),
        "USDT",
        1,
        0.0,
    )
    with ledger.transaction() as tx:
        fills.adopt(
            tx,
            taken,
            Owner("venue", "", shorts=True),
            cause=FillCause.LIQUIDATION,
            venue_order_id="1",
            at_ms=1,
        )
    ledger.close()
    expected = [
        "Ledger and venue disagree: coin BTC",
        "Ledger and venue disagree: offset BTCUSDT",
        "liquidation: sell 2 BTCUSDT was not ours",
    ]
    for _ in range(2):
        assert cli("reconcile").exit_code == FAILED
        assert sorted(alerts_in(home)) == expected


def test_a_holding_that_the_venue_does_not_know_is_shown_and_fails(cli: Cli, book: dict[str, str]) -> None:
    done = cli("reconcile", "--json")
    assert done.exit_code == FAILED
    found = json.loads(done.stdout)
    (only,) = found["breaks"]
    shown = {
        name: only["content"][name] for name in ("kind", "subject", "symbol", "severity", "ours", "theirs")
    }
    assert shown == {
        "kind": "coin", "subject": "BTC", "symbol": "BTCUSDT", "severity": "blocks", "ours": "5", "theirs": "absent",
    }  # fmt: skip
    assert found["reconciled"]["blocking"] == 1
    again = cli("reconcile")
    assert again.exit_code == FAILED
    assert "1 break(s) open, 1 of them forbid new risk" in again.stdout
    assert "BTC" in again.stdout
    refused = cli("reconcile", "--net", "BTCUSDT")
    assert refused.exit_code == FAILED
    assert "nothing to net" in refused.stderr
