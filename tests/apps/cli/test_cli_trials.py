"""`tidemill trials`: what was tried, and the proof that nothing of it is gone."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from typer.testing import Result

from trading.factory.trials.fingerprint import fingerprint
from trading.factory.trials.record import BY_HAND, Outcome, Trial, crashed
from warehouse.datasets.trials import TRIALS

Cli = Callable[..., Result]
DAY = date(2025, 12, 31)


@pytest.fixture
def tried(home: Path) -> None:
    """Four trials of one day and one of the day before, a crash by hand among them."""
    from resources.factory.trials import TrialBook
    from resources.platform import open_platform

    platform = open_platform()
    book = TrialBook(platform.lake, platform.ledger)
    rng = np.random.default_rng(0)
    for day, count in ((DAY - timedelta(days=1), 1), (DAY, 3)):
        trials = [
            Trial(
                strategy_id=f"{place:032x}",
                genome="{}",
                proposer="search",
                parents=(),
                day=day,
                outcome=Outcome.SCORED,
                trades=12,
                sharpe=float(place),
                total_return_fraction=0.01,
                max_drawdown_fraction=0.02,
                returns=fingerprint(rng.normal(0, 0.01, 90), day - timedelta(days=89)),
            )
            for place in range(count)
        ]
        if day == DAY:
            trials.append(crashed("c" * 32, "{", "no bars", day=day, proposer=BY_HAND))
        book.append(trials, 1_767_139_200_000)


@pytest.mark.usefixtures("tried")
def test_verify_says_what_is_proven(cli: Cli, cli_json: Callable[..., Any]) -> None:
    result = cli("trials", "verify")
    assert result.exit_code == 0
    assert "5 records in 2 segment(s)" in result.stdout
    assert cli_json("trials", "verify") == {
        "intact": True,
        "segments": 2,
        "records": 5,
        "unsealed": 0,
        "problem": "",
        "broken_at_segment": None,
        "audit_intact": True,
    }


@pytest.mark.usefixtures("tried")
def test_a_deleted_trial_fails_the_command(cli: Cli, cli_json: Callable[..., Any]) -> None:
    from resources.platform import open_platform

    lake = open_platform().lake
    lake.write(TRIALS, DAY, lake.read(TRIALS, DAY).filter(pl.col("strategy_id") != "c" * 32))
    result = cli("trials", "verify")
    assert result.exit_code == 1
    assert "TRIAL LEDGER BROKEN" in result.stdout
    assert cli_json("trials", "verify")["broken_at_segment"] == 2


@pytest.mark.usefixtures("tried")
def test_a_deleted_seal_fails_the_command(cli: Cli) -> None:
    from resources.platform import open_platform

    with open_platform().ledger.transaction() as tx:
        tx.execute("delete from audit where subject = 'trials/2'")
    result = cli("trials", "verify")
    assert result.exit_code == 1
    assert "AUDIT CHAIN BROKEN" in result.stdout


@pytest.mark.usefixtures("tried")
def test_list_counts_and_shows_the_best_first(cli: Cli, cli_json: Callable[..., Any]) -> None:
    listed = cli_json("trials", "list", "--day", DAY.isoformat(), "--limit", "2")
    assert listed["trials"] == 4
    assert listed["outcomes"] == {"crashed": 1, "scored": 3}
    assert listed["count"]["recorded"] == 5
    assert listed["count"]["able"] == 4
    assert [trial["sharpe"] for trial in listed["best"]] == [2.0, 1.0]
    text = cli("trials", "list").stdout
    assert "5 trials: 1 crashed, 4 scored" in text
    assert "hand" in text


def test_without_trials_nothing_is_wrong(cli: Cli, cli_json: Callable[..., Any]) -> None:
    assert cli("trials", "verify").exit_code == 0
    assert cli_json("trials", "list")["trials"] == 0
    assert "0 trials" in cli("trials", "list").stdout
