"""Whole ticks of a desk that protects its entries: placed, moved by hand, and out of the way of the exit."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

from typer.testing import CliRunner

from apps.cli.main import app
from apps.sandbox.server import EmbeddedSandbox
from tests.instance import OPEN_DAY, ROOT, Home, at, decide, rows, run_job
from warehouse.ledger import audit, portfolio
from warehouse.ledger.backend import Ledger
from warehouse.ledger.digest import content_digest

DESK = ROOT / "tests" / "stopped_desk.py"


def resting(ledger: Ledger, role: str) -> dict[str, dict[str, Any]]:
    """The open protective orders of a role by symbol."""
    found = rows(ledger, "select * from orders where role = :role and state = 'open'", role=role)
    assert len({row["symbol"] for row in found}) == len(found), "one a holding"
    return {row["symbol"]: row for row in found}


def held(ledger: Ledger) -> dict[str, Decimal]:
    with ledger.read() as tx:
        return {item.symbol: item.quantity for item in portfolio.positions(tx) if item.desk == "stopped"}


def orders_command(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["orders", *arguments, "--json"], catch_exceptions=False)
    return done.exit_code, json.loads(done.stdout)


def test_stops_rest_while_a_desk_holds_and_go_when_it_sells(home: Home, exchange: EmbeddedSandbox) -> None:
    home.configure(desks=[{"use": f"{DESK}:Stopped"}])
    exchange.clock.set(at("00:35"))
    with home.instance() as (platform, instance):
        ledger = platform.ledger
        assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success
        assert decide(instance, at("00:30")).success
        bought = held(ledger)
        assert bought
        for role in ("stop", "take_profit"):
            assert {symbol: row["quantity"] for symbol, row in resting(ledger, role).items()} == bought
        once = content_digest(ledger)
        assert decide(instance, at("00:30")).success
        assert content_digest(ledger) == once, "the tick again places nothing again"

        code, listed = orders_command()
        assert code == 0
        assert {(row["role"], row["symbol"]) for row in listed["orders"]} == {
            (role, symbol) for role in ("stop", "take_profit") for symbol in bought
        }
        symbol, old = sorted(resting(ledger, "stop").items())[0]
        tick = platform.instruments()[symbol].tick_size
        lower, higher = str(old["stop_price"] - tick), str(old["stop_price"] + tick)
        code, refused = orders_command("replace", old["client_order_id"], "--stop-price", lower, "--yes")
        assert (code, refused["error"]["kind"]) == (1, "BadData")
        assert "--loosen" in refused["error"]["message"]
        code, wrong = orders_command("replace", old["client_order_id"], "--limit-price", higher, "--yes")
        assert (code, "say --stop-price" in wrong["error"]["message"]) == (1, True)
        code, moved = orders_command("replace", old["client_order_id"][:20], "--stop-price", higher, "--yes")
        assert (code, moved["order"]["state"], moved["now"]["state"]) == (0, "cancelled", "open")
        assert resting(ledger, "stop")[symbol]["stop_price"] == Decimal(higher)
        target = resting(ledger, "take_profit")[symbol]["client_order_id"]
        declined = CliRunner().invoke(app, ["orders", "cancel", target], input="n\n")
        assert (declined.exit_code, len(resting(ledger, "take_profit"))) == (0, len(bought))
        code, taken_off = orders_command("cancel", target, "--reason", "it may run", "--yes")
        assert (code, taken_off["now"]["state"]) == (0, "cancelled")
        assert run_job(instance, "reconcile").success
        assert symbol not in resting(ledger, "take_profit"), "what was taken off by hand stays off"
        assert symbol in CliRunner().invoke(app, ["orders"]).stdout

        exchange.clock.set(at("00:50"))
        assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success
        assert decide(instance, at("00:45")).success
        now = held(ledger)
        assert now
        assert not bought.keys() & now.keys(), "what was held is sold"
        for role in ("stop", "take_profit"):
            assert {name: row["quantity"] for name, row in resting(ledger, role).items()} == now
        assert rows(ledger, "select * from breaks") == []
        assert rows(ledger, "select * from alerts where dedupe_key like 'unprotected:%'") == []
        sold = rows(ledger, "select symbol, count(*) as n from fills where side = 'sell' group by symbol")
        assert {row["symbol"]: row["n"] for row in sold}.keys() >= bought.keys()
        assert audit.verify(ledger).intact


def test_a_halt_keeps_the_stops_and_a_stop_that_is_hit_is_seen_at_the_next_tick(
    home: Home, exchange: EmbeddedSandbox
) -> None:
    """The target is so near that the market meets it soon."""
    home.configure(desks=[{"use": f"{DESK}:Stopped", "settings": {"target_fraction": 0.0005}}])
    exchange.clock.set(at("00:35"))
    with home.instance() as (platform, instance):
        ledger = platform.ledger
        assert run_job(instance, "intraday", partition_key=OPEN_DAY.isoformat()).success
        assert decide(instance, at("00:30")).success
        bought = held(ledger)
        assert bought
        assert resting(ledger, "stop").keys() == bought.keys()
        CliRunner().invoke(app, ["halt", "--reason", "test"])
        assert run_job(instance, "cancel_open_orders").success
        assert resting(ledger, "stop").keys() == bought.keys()
        exchange.clock.set(at("00:45"))
        assert run_job(instance, "reconcile").success
        hit = bought.keys() - held(ledger).keys()
        assert hit
        assert not hit & resting(ledger, "stop").keys(), "the other leg goes too"
        assert rows(ledger, "select * from breaks") == []
