"""`tidemill strategies` on a real ledger: what it shows, and what a person may and may not do."""

from __future__ import annotations

import getpass
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import Result

Cli = Callable[..., Result]
CliJson = Callable[..., Any]


@pytest.fixture
def strategies_of_a_night(home: Path) -> list[str]:
    """Three strategies in the home's ledger: a live candidate, one on paper, one back-tested only."""
    from resources.factory.lifecycle import Tested, enter, move
    from trading.factory.genes.draw import Draw, random_genome
    from trading.factory.genes.genome import Timeframe
    from trading.factory.lifecycle.states import State
    from warehouse.ledger.backend import open_ledger

    draw = Draw(np.random.default_rng(3))
    genomes = [random_genome(draw, tuple(Timeframe)) for _ in range(3)]
    ledger = open_ledger(f"duckdb:///{home}/var/ledger.duckdb")
    ledger.migrate()
    night = [
        Tested(
            genome.strategy_id, genome.json, "seed", {"sharpe": 1.9}, number < 2, "by the gate", {"dsr": 0.96}
        )
        for number, genome in enumerate(genomes)
    ]
    enter(ledger, night, 1_767_100_000_000)
    move(ledger, genomes[0].strategy_id, State.LIVE_CANDIDATE, "ann", "two good weeks", 1_767_110_000_000)
    ledger.close()
    return [genome.strategy_id for genome in genomes]


def test_list_shows_who_trades_and_who_waits(
    cli: Cli, cli_json: CliJson, strategies_of_a_night: list[str]
) -> None:
    candidate, paper, tested = strategies_of_a_night
    found = cli_json("strategies", "list")
    assert found["counts"] == {"live_candidate": 1, "paper": 1, "backtested": 1}
    assert [row["strategy_id"] for row in found["strategies"]] == [paper, candidate]
    assert found["strategies"][1]["reason"] == "two good weeks"
    assert found["strategies"][0]["grade"] is None
    shown = cli("strategies", "list").stdout
    assert candidate[:12] in shown
    assert tested[:12] not in shown
    assert f"Waiting for a place or for you: {candidate[:12]}" in shown
    only = cli_json("strategies", "list", "--state", "backtested")
    assert [row["strategy_id"] for row in only["strategies"]] == [tested]
    few = cli_json("strategies", "list", "--limit", "1")
    assert (few["found"], len(few["strategies"])) == (2, 1)
    assert cli("strategies", "list", "--state", "dead").exit_code == 2


def test_list_of_an_empty_ledger(cli: Cli, cli_json: CliJson) -> None:
    assert cli_json("strategies", "list") == {"counts": {}, "found": 0, "strategies": []}
    assert "none yet" in cli("strategies", "list").stdout


def test_show_tells_rules_and_steps_with_figures(
    cli: Cli, cli_json: CliJson, strategies_of_a_night: list[str]
) -> None:
    candidate, paper, _ = strategies_of_a_night
    found = cli_json("strategies", "show", candidate[:8])
    assert found["strategy"]["strategy_id"] == candidate
    assert [each["to_state"] for each in found["events"]] == [
        "generated",
        "backtested",
        "paper",
        "live_candidate",
    ]
    assert found["events"][1]["evidence"] == {"sharpe": 1.9}
    shown = cli("strategies", "show", paper[:8]).stdout
    assert " · stop " in shown
    assert "by the gate" in shown
    assert "0.96" in shown
    unknown = cli("strategies", "show", "0000")
    assert (unknown.exit_code, unknown.stdout) == (1, "")
    assert "knows none whose id begins so" in unknown.stderr


def test_a_person_takes_a_candidate_live_and_back(
    cli: Cli, cli_json: CliJson, strategies_of_a_night: list[str]
) -> None:
    candidate = strategies_of_a_night[0]
    refused = cli("strategies", "approve", candidate, input="n\n")
    assert refused.exit_code == 1
    assert "Nothing was changed." in refused.stderr
    event = cli_json("strategies", "approve", candidate[:8], "--yes", "--reason", "I looked")
    assert (event["from_state"], event["to_state"]) == ("live_candidate", "live")
    assert event["actor"] == f"person:{getpass.getuser()}"
    assert event["reason"] == "I looked"
    assert cli("strategies", "approve", candidate, "-y").exit_code == 1
    assert cli_json("strategies", "pause", candidate)["to_state"] == "paused"
    assert cli_json("strategies", "approve", candidate, "-y")["to_state"] == "paper"
    said = cli("strategies", "retire", candidate, input="y\n").stdout
    assert f"{candidate}: paper → retired by person:{getpass.getuser()}: by hand" in said
    assert "is retired; only a live candidate" in cli("strategies", "approve", candidate, "-y").stderr
    assert "after retired may come: nothing" in cli("strategies", "pause", candidate).stderr
    assert cli_json("audit", "verify")["intact"] is True


def test_nothing_goes_live_while_halted(cli: Cli, strategies_of_a_night: list[str]) -> None:
    cli("halt")
    refused = cli("strategies", "approve", strategies_of_a_night[0], "--yes")
    assert refused.exit_code == 1
    assert "trading is halted" in refused.stderr
