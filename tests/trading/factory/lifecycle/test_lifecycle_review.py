"""Grades by hand: points, bounds, what follows, and what is left out."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.errors import FixConfiguration
from trading.factory.lifecycle.review import Action, Grade, review
from trading.factory.lifecycle.settings import ReviewSettings
from trading.factory.lifecycle.track import TrackRecord
from trading.factory.lifecycle.weights import clamped, weighted

SETTINGS = ReviewSettings()
BEST = TrackRecord(
    days=30, trades=20, sharpe=2.5, total_return_fraction=0.1, max_drawdown_fraction=0.0, win_fraction=0.7
)


def test_points_by_hand() -> None:
    record = replace(BEST, sharpe=1.0, max_drawdown_fraction=0.12, win_fraction=0.45)
    found = review(record, SETTINGS, backtest_sharpe=2.0)
    assert found.points == pytest.approx({"sharpe": 20, "drawdown": 15, "win": 6, "degradation": 10})
    assert found.score == pytest.approx(51)
    assert (found.grade, found.action, found.missing) == (Grade.B, Action.OPTIMISE, ())
    assert found.allocation_after == 1.0


@pytest.mark.parametrize(
    ("sharpe", "grade", "action", "allocation"),
    [
        (2.0, Grade.A_PLUS, Action.KEEP, 1.2),
        (1.25, Grade.A_PLUS, Action.KEEP, 1.2),  # 40·0.625 + 60 = 85
        (1.2, Grade.A, Action.KEEP, 1.05),
        (0.5, Grade.A, Action.KEEP, 1.05),  # 70
        (0.49, Grade.B, Action.OPTIMISE, 1.0),
    ],
)
def test_bounds_of_the_grades(sharpe: float, grade: Grade, action: Action, allocation: float) -> None:
    found = review(replace(BEST, sharpe=sharpe), SETTINGS, backtest_sharpe=sharpe)
    assert (found.grade, found.action) == (grade, action)
    assert found.allocation_after == pytest.approx(allocation)


@pytest.mark.parametrize(
    ("win", "grade", "action", "allocation"),
    [(0.6, Grade.C, Action.MODIFY, 1.4), (0.35, Grade.D, Action.REPLACE, 0.6)],
)
def test_the_lower_grades_cost_allocation(
    win: float, grade: Grade, action: Action, allocation: float
) -> None:
    record = replace(BEST, sharpe=-1.0, max_drawdown_fraction=0.1, win_fraction=win)
    found = review(record, SETTINGS, backtest_sharpe=1.0, allocation=2.0)
    assert (found.grade, found.action) == (grade, action)
    assert found.allocation_after == pytest.approx(allocation)


def test_a_part_that_is_unknown_is_left_out_and_said() -> None:
    found = review(replace(BEST, sharpe=1.0, win_fraction=0.6), SETTINGS, backtest_sharpe=math.nan)
    assert found.missing == ("degradation",)
    assert found.score == pytest.approx(100 * (20 + 25 + 15) / 80)
    assert found.reasons[1] == "unknown and left out: degradation"
    assert "degradation" not in found.points
    bad_promise = review(BEST, SETTINGS, backtest_sharpe=-0.3)
    assert bad_promise.missing == ("degradation",), "nothing was promised that could degrade"


def test_too_few_trades_are_not_graded() -> None:
    found = review(replace(BEST, trades=9), SETTINGS, backtest_sharpe=1.0, allocation=0.7)
    assert (found.grade, found.action, found.allocation_after) == (Grade.NONE, Action.KEEP, 0.7)
    assert math.isnan(found.score)
    assert found.reasons == ("9 closed trades in 30 days; 10 are needed to grade",)


def test_a_second_d_and_a_deep_loss_pause() -> None:
    bad = replace(BEST, sharpe=-1.0, max_drawdown_fraction=0.2, win_fraction=0.2, total_return_fraction=-0.1)
    assert review(bad, SETTINGS, backtest_sharpe=1.0).action is Action.REPLACE
    second = review(bad, SETTINGS, backtest_sharpe=1.0, previous=Grade.D)
    assert second.action is Action.PAUSE
    assert second.reasons[0] == "second D in a row"
    deep = replace(bad, max_drawdown_fraction=0.3)
    found = review(deep, SETTINGS, backtest_sharpe=1.0)
    assert found.action is Action.PAUSE
    assert found.reasons[0] == "drawdown 30.0% at a loss, 30% is the limit"
    gained = replace(deep, total_return_fraction=0.2, sharpe=1.5, win_fraction=0.6)
    assert review(gained, SETTINGS, backtest_sharpe=1.0).action is not Action.PAUSE


@given(
    st.floats(-5, 5),
    st.floats(0, 1),
    st.floats(0, 1),
    st.one_of(st.floats(-3, 3), st.just(math.nan)),
    st.floats(0.05, 2),
)
def test_score_and_allocation_stay_in_bounds(
    sharpe: float, drawdown: float, win: float, promised: float, allocation: float
) -> None:
    record = TrackRecord(30, 15, sharpe, sharpe / 10, drawdown, win)
    found = review(record, SETTINGS, backtest_sharpe=promised, allocation=allocation)
    assert 0 <= found.score <= 100.000001
    assert 0.05 <= found.allocation_after <= 2.0
    assert found.grade is not Grade.NONE
    better = review(replace(record, sharpe=sharpe + 1), SETTINGS, backtest_sharpe=promised)
    assert better.score >= found.score - 1e-9


def test_missing_is_not_zero() -> None:
    weights = {"a": 0.5, "b": 0.3, "c": 0.2, "off": 0.0}
    found = weighted({"a": 1.0, "b": math.nan, "off": 0.1}, weights)
    assert (found.score, found.missing, found.known_weight) == (1.0, ("b", "c"), 0.5)
    none = weighted({}, weights)
    assert math.isnan(none.score)
    assert none.missing == ("a", "b", "c")
    assert weighted({"a": 0.4, "b": 0.8, "c": 0.0}, weights).score == pytest.approx(0.44)
    assert math.isnan(clamped(math.nan))
    assert (clamped(-1), clamped(3), clamped(0.3)) == (0, 1, 0.3)


def test_settings_that_cannot_be_met() -> None:
    with pytest.raises(FixConfiguration, match="full_win_fraction is 0.3; it must be above"):
        ReviewSettings(full_win_fraction=0.3)
