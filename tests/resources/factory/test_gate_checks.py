"""Results for asset checks: they fail where something moved on without its evidence."""

from __future__ import annotations

import json

import numpy as np
import pytest

from resources.factory.gate_checks import (
    GATE_CHECKS,
    TRIALS_COUNTED,
    evidence_table,
    gate_results,
    trials_result,
)
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.judge import QUESTIONS, Stage, judge
from trading.factory.gate.settings import GateSettings
from trading.factory.trials.chain import TrialReport
from trading.factory.trials.count import TrialCount

RETURNS = np.random.default_rng(1).normal(0.0, 0.01, 90)
WEAK = judge(Evidence(strategy_id="weak", returns=RETURNS, trades=50, pbo=0.2), GateSettings(), Stage.PAPER)
BARE = judge(Evidence(strategy_id="bare"), GateSettings(), Stage.PAPER)
COUNT = TrialCount(500, 480, 120.5, 2.6)


def test_a_held_back_candidate_fails_no_check() -> None:
    results = gate_results([WEAK, BARE], moved_on=[])
    assert [result.name for result in results] == list(GATE_CHECKS)
    assert all(result.passed for result in results)
    trades = next(result for result in results if result.name == "gate_trades")
    assert trades.metadata["judged"] == 2
    assert trades.metadata["passed"] == 1
    assert "weak" in str(trades.metadata["table"])
    assert json.dumps(trades.metadata)


def test_what_moved_on_without_evidence_fails_the_checks_that_it_failed() -> None:
    by_name = {result.name: result for result in gate_results([WEAK, BARE], moved_on=["weak"])}
    failed = {name for name, result in by_name.items() if not result.passed}
    assert failed == {f"gate_{item.check.name}" for item in WEAK.checks if not item.check.passed}
    assert "gate_dsr" in failed
    assert "gate_trades" not in failed
    assert "weak" in by_name["gate_dsr"].description
    assert by_name["gate_dsr"].blocks
    assert not by_name["gate_autocorrelation"].blocks


def test_what_moved_on_unjudged_fails_every_check() -> None:
    assert not any(result.passed for result in gate_results([WEAK], moved_on=["stranger"]))
    assert not any(result.passed for result in gate_results([], moved_on=["stranger"]))
    assert all(result.passed for result in gate_results([], moved_on=[]))


def test_the_table_has_a_row_per_candidate_and_check() -> None:
    table = evidence_table([WEAK, BARE])
    asked = len(WEAK.checks)
    assert table.height == 2 * asked
    assert set(table["check"]) < set(QUESTIONS)
    assert table.filter(strategy_id="bare")["value"].null_count() == asked
    assert not table["promoted"].any()


@pytest.mark.parametrize(
    ("report", "expected", "passed"),
    [
        (TrialReport(True, 2, 500), 500, True),
        (TrialReport(True, 2, 500), 501, False),
        (TrialReport(True, 0, 0), 0, False),
        (TrialReport(False, 1, 400, 0, "record 7 of segment 2 was edited", 2), 500, False),
    ],
)
def test_the_trials_of_the_day_are_in_a_whole_ledger(
    report: TrialReport, expected: int, passed: bool
) -> None:
    result = trials_result(report, COUNT, expected)
    assert (result.name, result.passed, result.blocks) == (TRIALS_COUNTED, passed, True)
    assert result.metadata["equivalent_trials"] == 120.5
    assert report.problem in result.description
