"""`tidemill explain` of entries that go short or are protected at the venue."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from typer.testing import Result

from tests.trading_scenario import decision
from trading.model.check import must_be
from trading.model.decision import Check, Direction, Outcome
from warehouse.ledger import decisions
from warehouse.ledger.backend import open_ledger

Cli = Callable[..., Result]
CliJson = Callable[..., Any]


def recorded(home: Path, **changes: Any) -> str:
    made = decision("1000PEPEUSDT", **changes)
    ledger = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    with ledger.transaction() as tx:
        decisions.record(tx, [made], made.bar_close_ms)
    ledger.close()
    return made.decision_id


def test_direction_and_protection_are_told(
    home: Path, book: dict[str, str], cli: Cli, cli_json: CliJson
) -> None:
    above = Check("stop_price", False, 90.0, 100.0, ">")
    name = recorded(home, direction=Direction.SHORT, stop_price=103.5, checks=(above,))
    shown = cli("explain", name).stdout
    assert "fork: enter short 1000PEPEUSDT, fired" in shown
    assert "to rest at the venue: stop 103.5\n" in shown
    assert "> 100" in shown
    told = cli_json("explain", name)["decision"]
    assert (told["direction"], told["stop_price"], told["take_profit_price"]) == ("short", 103.5, None)
    both = recorded(home, bar_close_ms=1, stop_price=90.0, take_profit_price=120.0)
    assert "to rest at the venue: stop 90, take-profit 120\n" in cli("explain", both).stdout
    assert "to rest at the venue" not in cli("explain", book["bought"]).stdout


def test_a_short_on_spot_says_what_would_have_had_to_change(
    home: Path, book: dict[str, str], cli: Cli
) -> None:
    name = recorded(
        home,
        direction=Direction.SHORT,
        outcome=Outcome.SKIPPED,
        reason_code="no_shorts_on_spot",
        checks=(must_be("market", "spot", "usdm", "for a short"),),
    )
    shown = cli("explain", name).stdout
    assert "reason no_shorts_on_spot" in shown
    assert "would have traded had market been usdm for a short (was spot)" in shown
