"""The promotion gate: what passes, what each failure looks like, and that missing is never passed."""

from __future__ import annotations

import dataclasses
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.factory.gate.evidence import Evidence
from trading.factory.gate.judge import ON_PAPER, QUESTIONS, Judgement, Severity, Stage, deflated, judge
from trading.factory.gate.settings import GateSettings
from trading.factory.trials.count import TrialCount
from trading.statistics.sample import moments
from trading.statistics.track_record import probabilistic_sharpe
from trading.statistics.trials import expected_maximum_sharpe

SETTINGS = GateSettings()
DAYS = 90
NAMES = [field.name for field in dataclasses.fields(Evidence) if field.name != "strategy_id"]


def strong(**changes: Any) -> Evidence:
    """Evidence that passes everything: a Sharpe ratio of about 19 a year, which nobody has."""
    rng = np.random.default_rng(3)
    noise = rng.standard_normal(DAYS + 10)
    returns = 0.01 * (1.0 + noise - noise[:DAYS].mean())
    around = 0.01 * (0.9 + 0.8 * noise[:DAYS, None] + 0.6 * rng.standard_normal((DAYS, 24)))
    evidence = Evidence(
        strategy_id="a" * 32,
        returns=returns[:DAYS],
        unseen_days=45,
        trades=200,
        trials=TrialCount(15_000, 14_000, 4_000.0, 3.6),
        pbo=0.05,
        neighbours=around,
        stressed=returns[:DAYS] - 0.002,
        capacity_quote=50_000.0,
        paper_returns=returns[DAYS:],
    )
    return dataclasses.replace(evidence, **changes)


def check(judgement: Judgement, name: str) -> Any:
    return next(item.check for item in judgement.checks if item.check.name == name)


@pytest.mark.parametrize("stage", Stage)
def test_strong_evidence_passes_every_check(stage: Stage) -> None:
    judgement = judge(strong(), SETTINGS, stage)
    assert judgement.promoted, judgement.failed
    expected = [name for name in QUESTIONS if stage is Stage.LIVE or name not in ON_PAPER]
    assert [item.check.name for item in judgement.checks] == expected


def test_paper_is_asked_of_the_live_only() -> None:
    evidence = strong(paper_returns=None)
    assert judge(evidence, SETTINGS, Stage.PAPER).promoted
    assert judge(evidence, SETTINGS, Stage.LIVE).failed == ("paper_days", "paper_agreement")


@pytest.mark.parametrize("name", NAMES)
def test_missing_evidence_is_not_promoted(name: str) -> None:
    judgement = judge(strong(**{name: None}), SETTINGS, Stage.LIVE)
    assert not judgement.promoted
    for item in judgement.checks:
        if item.check.name in judgement.failed:
            assert item.check.value is None, item


def test_no_pair_of_missing_evidence_is_promoted_or_raises() -> None:
    for names in itertools.combinations(NAMES, 2):
        assert not judge(strong(**dict.fromkeys(names)), SETTINGS, Stage.LIVE).promoted
    assert not judge(Evidence(strategy_id="a"), SETTINGS, Stage.LIVE).promoted


@pytest.mark.parametrize("broken", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(
    "name", ["returns", "stressed", "neighbours", "paper_returns", "pbo", "capacity_quote"]
)
def test_a_hole_in_the_evidence_is_not_promoted(name: str, broken: float) -> None:
    value = getattr(strong(), name)
    if isinstance(value, np.ndarray):
        value = value.copy()
        value[3] = broken
    else:
        value = broken
    assert not judge(strong(**{name: value}), SETTINGS, Stage.LIVE).promoted


FLAT = np.zeros(DAYS)
LOSS = -strong().returns  # type: ignore[operator]


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        (
            {
                "returns": strong().returns[-40:],
                "neighbours": strong().neighbours[-40:],
                "paper_returns": None,
            },
            "days",
        ),
        ({"trades": 29}, "trades"),
        ({"returns": LOSS}, "psr"),
        ({"returns": FLAT}, "plateau_fraction"),
        (
            {
                "trials": TrialCount(10**15, 10**15, 1e15, 8.0),
                "returns": 0.01 + 2.2 * (strong().returns - 0.01),
            },
            "dsr",
        ),
        ({"trials": TrialCount(5, 0, 1.0, 0.0)}, "dsr"),
        ({"pbo": 0.51}, "pbo"),
        ({"neighbours": strong().neighbours - 0.006}, "plateau_fraction"),
        ({"neighbours": np.zeros((DAYS, 24))}, "plateau_fraction"),
        ({"stressed": strong().returns - 0.01}, "stressed_sharpe"),
        ({"capacity_quote": 9_999.0}, "capacity_quote"),
        ({"paper_returns": strong().paper_returns[:6]}, "paper_days"),
        ({"paper_returns": strong().paper_returns - 0.02}, "paper_agreement"),
    ],
)
def test_each_weakness_fails_its_check(changes: dict[str, Any], failed: str) -> None:
    judgement = judge(strong(**changes), SETTINGS, Stage.LIVE)
    assert failed in judgement.failed
    assert not judgement.promoted


def test_an_edge_of_the_first_days_only_fails_the_walk_forward() -> None:
    returns = strong().returns.copy()
    returns[18:] -= 0.011
    returns[:18] += 0.05
    never_searched = strong(returns=returns, neighbours=returns[:, None] * np.ones(24), unseen_days=DAYS)
    judgement = judge(never_searched, SETTINGS, Stage.PAPER)
    assert "walk_forward_sharpe" in judgement.failed
    assert check(judgement, "psr").passed


def test_days_that_follow_each_other_only_warn() -> None:
    returns = 0.01 + 0.004 * np.sin(np.arange(DAYS) / 5)
    judgement = judge(strong(returns=returns, paper_returns=None), SETTINGS, Stage.PAPER)
    (warned,) = [item for item in judgement.checks if item.severity is Severity.WARN]
    assert warned.check.name == "autocorrelation"
    assert not warned.check.passed
    assert "autocorrelation" not in judgement.failed


def test_what_the_search_climbed_on_is_no_evidence() -> None:
    """Splendid on the days that the search saw and nothing on the others: luck, however few the trials."""
    rng = np.random.default_rng(8)
    seen, unseen = 0.005 * rng.standard_normal((2, 45))
    returns = np.append(0.02 + seen, unseen - unseen.mean())
    alone = TrialCount(1, 1, 1.0, 0.0)
    weak = strong(returns=returns, trials=alone, paper_returns=None)
    judgement = judge(weak, SETTINGS, Stage.PAPER)
    assert {"psr", "dsr"} <= set(judgement.failed)
    assert check(judgement, "dsr").detail.startswith("≥ on 45 days that no search saw")
    seen = judge(dataclasses.replace(weak, unseen_days=DAYS), SETTINGS, Stage.PAPER)
    assert check(seen, "dsr").passed, "it is those days that decide"


@pytest.mark.parametrize("unseen_days", [-1, DAYS + 1])
def test_impossible_unseen_days_are_unknown(unseen_days: int) -> None:
    evidence = strong(unseen_days=unseen_days)
    assert evidence.unseen is None
    assert {"psr", "dsr"} <= set(judge(evidence, SETTINGS, Stage.LIVE).failed)


def test_paper_alone_is_unseen_where_the_search_saw_the_whole_window() -> None:
    evidence = strong(unseen_days=0)
    np.testing.assert_array_equal(evidence.unseen, strong().paper_returns)
    assert dataclasses.replace(evidence, paper_returns=None).unseen is None


@pytest.mark.parametrize(("days", "kept"), [(90, 45), (7, 4), (2, 1), (1, 0), (0, 0)])
def test_some_days_are_kept_from_the_search_and_never_all(days: int, kept: int) -> None:
    assert SETTINGS.unseen_days(days) == kept
    assert dataclasses.replace(SETTINGS, unseen_fraction=0.999).unseen_days(days) == max(days - 1, 0)
    assert dataclasses.replace(SETTINGS, unseen_fraction=0.001).unseen_days(days) == min(1, max(days - 1, 0))


def test_the_deflated_ratio_is_the_probability_against_the_best_of_luck() -> None:
    record = strong().unseen
    assert record is not None
    sample = moments(record)
    assert record.size == 45 + 10
    bar = expected_maximum_sharpe(4_000.0, 1 / (sample.periods - 1))
    expected = probabilistic_sharpe(
        sample.sharpe, bar, periods=sample.periods, skewness=sample.skewness, kurtosis=sample.kurtosis
    )
    assert deflated(record, 4_000.0) == expected
    judgement = judge(strong(), SETTINGS, Stage.LIVE)
    assert check(judgement, "dsr").value == expected
    assert check(judgement, "dsr").detail == (
        "≥ on 55 days that no search saw, after 15000 trials, like 4000 independent ones"
    )


def test_the_first_days_of_a_ledger_are_judged_by_the_month_that_is_planned() -> None:
    first_day = TrialCount(500, 480, 170.0, 2.7)
    judgement = judge(strong(trials=first_day), SETTINGS, Stage.LIVE)
    assert check(judgement, "dsr").value == deflated(strong().unseen, SETTINGS.minimum_equivalent_trials)
    alone = dataclasses.replace(SETTINGS, minimum_equivalent_trials=1.0)
    judgement = judge(strong(trials=first_day), alone, Stage.LIVE)
    assert check(judgement, "dsr").value == deflated(strong().unseen, 170.0)


@given(st.floats(1, 1e12), st.floats(1, 1e12))
def test_more_trials_never_help(one: float, other: float) -> None:
    record = strong().returns
    fewer, more = sorted([one, other])
    assert deflated(record, more) <= deflated(record, fewer)
