"""Live places: who gets one, who keeps one, who gives way, and who waits for a person."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import FixConfiguration
from trading.factory.lifecycle.activation import Plan, Standing, plan
from trading.factory.lifecycle.settings import ActivationSettings
from trading.factory.lifecycle.states import State, require_step
from trading.factory.lifecycle.track import TrackRecord
from trading.model.interval import DAY_MS

NOW = 1_767_225_600_000
GOOD = TrackRecord(10, 8, 1.5, 0.05, 0.06, 0.6)
SETTINGS = ActivationSettings()


def standing(
    name: str, state: State = State.PAPER, days: float = 8, *, sharpe: float = 1.5, **changes: object
) -> Standing:
    record = replace(GOOD, sharpe=sharpe)
    return replace(Standing(name, state, NOW - round(days * DAY_MS), record), **changes)  # type: ignore[arg-type]


def decided(*standings: Standing, live: bool = True, halted: bool = False, places: int = 2) -> Plan:
    return plan(standings, replace(SETTINGS, live_places=places), NOW, live=live, halted=halted)


def steps(found: Plan) -> list[tuple[str, str]]:
    return [(change.strategy_id, change.to_state.value) for change in found.changes]


def test_scores_by_hand() -> None:
    found = decided(standing("a", backtest_sharpe=2.1, market_fit=0.4, sentiment=0.9), live=False)
    score = found.places[0].score
    expected = 0.35 * 0.5 + 0.20 * 0.7 + 0.15 * 0.4 + 0.15 * (1 - 0.06 / 0.3) + 0.15 * 0.9
    assert score.score == pytest.approx(expected)
    assert score.missing == ()


def test_missing_parts_are_left_out_and_said() -> None:
    found = decided(standing("a"), live=False)
    place = found.places[0]
    assert place.score.missing == ("backtest", "market", "sentiment")
    assert place.score.score == pytest.approx((0.35 * 0.5 + 0.15 * 0.8) / 0.5)
    assert place.evidence["missing"] == ["backtest", "market", "sentiment"]


def test_without_the_setting_a_candidate_waits_for_a_person() -> None:
    found = decided(standing("a"), standing("b", sharpe=2.0), standing("c", sharpe=1.8), live=False)
    assert steps(found) == [("a", "live_candidate"), ("b", "live_candidate"), ("c", "live_candidate")]
    assert found.waiting == ("b", "c"), "only two places"


def test_with_the_setting_the_best_go_live() -> None:
    found = decided(standing("a"), standing("b", sharpe=2.0), standing("c", State.LIVE_CANDIDATE, sharpe=1.8))
    assert steps(found) == [("a", "live_candidate"), ("b", "live_candidate"), ("b", "live"), ("c", "live")]
    assert found.waiting == ()


def test_nobody_goes_live_while_halted_and_who_is_live_still_fails_filters() -> None:
    found = decided(standing("a", State.LIVE_CANDIDATE), standing("b", State.LIVE, sharpe=0.4), halted=True)
    assert steps(found) == [("b", "paused")]
    assert found.waiting == ("a",)


def test_the_incumbent_stays_on_a_tie_and_gives_way_to_a_better_one() -> None:
    live = [standing("y", State.LIVE), standing("z", State.LIVE)]
    assert steps(decided(*live, standing("a", State.LIVE_CANDIDATE))) == []
    better = standing("a", State.LIVE_CANDIDATE, sharpe=1.51)
    found = decided(*live, better)
    assert steps(found) == [("z", "live_candidate"), ("a", "live")]
    assert found.changes[0].reason.startswith("outscored: ")
    assert steps(decided(*live, better, live=False)) == [], "a person decides about places that are taken"


def test_a_strategy_to_be_replaced_makes_room_but_not_for_nobody() -> None:
    doomed = standing("a", State.LIVE, sharpe=2.5, being_replaced=True)
    other = standing("b", State.LIVE)
    assert steps(decided(doomed, other)) == []
    assert steps(decided(doomed, other, standing("c", State.LIVE_CANDIDATE))) == [
        ("a", "live_candidate"),
        ("c", "live"),
    ]
    assert steps(decided(standing("d", State.LIVE_CANDIDATE, being_replaced=True))) == []


def test_fewer_places_than_live_strategies() -> None:
    five = [standing(name, State.LIVE, sharpe=1 + i / 10) for i, name in enumerate("abcde")]
    for live in (True, False):
        assert steps(decided(*five, live=live, places=3)) == [
            ("b", "live_candidate"),
            ("a", "live_candidate"),
        ]


@pytest.mark.parametrize(
    ("changes", "failed"),
    [
        ({"sharpe": 0.49}, ("sharpe",)),
        ({"sharpe": math.nan}, ("sharpe",)),
        ({"max_drawdown_fraction": 0.31}, ("drawdown_fraction",)),
        ({"max_drawdown_fraction": math.nan}, ("drawdown_fraction",)),
        ({"trades": 4}, ("trades",)),
        ({"trades": 0, "sharpe": math.nan}, ("sharpe", "trades")),
    ],
)
def test_filters_and_what_failing_them_means(changes: dict[str, float], failed: tuple[str, ...]) -> None:
    record = replace(GOOD, **changes)  # type: ignore[arg-type]
    weak = {state: replace(standing(state.value, state), record=record) for state in State if state.trades}
    found = decided(*weak.values())
    assert steps(found) == [("live_candidate", "paper"), ("live", "paused")]
    assert {change.reason for change in found.changes} == {f"fails {', '.join(failed)}"}
    assert found.places == ()
    old = replace(weak[State.PAPER], since_ms=NOW - 14 * DAY_MS)
    assert steps(decided(old)) == [("paper", "retired")]
    assert decided(old).changes[0].reason == f"fails {', '.join(failed)} after 14.0 days on paper"


def test_values_at_the_limit_pass() -> None:
    record = TrackRecord(7, 5, 0.5, 0.0, 0.3, 0.4)
    found = decided(replace(standing("a", days=7), record=record))
    assert steps(found) == [("a", "live_candidate"), ("a", "live")]
    assert steps(decided(standing("a", days=6.99))) == []


def test_the_gate_keeps_paper_and_candidates_back_and_asks_nobody_who_is_live() -> None:
    refused = [standing(state.value, state, gate="dsr, pbo") for state in State if state.trades]
    found = decided(*refused)
    assert steps(found) == [("live_candidate", "paper")]
    assert found.changes[0].reason == "fails gate"
    assert found.changes[0].evidence["checks"][-1] == {
        "name": "gate",
        "passed": False,
        "value": "dsr, pbo",
        "limit": "passed",
    }
    passed = [replace(each, gate="passed") for each in refused]
    assert ("paper", "live_candidate") in steps(decided(*passed))


def test_who_does_not_trade_is_not_looked_at() -> None:
    assert decided(*(standing(state.value, state) for state in State if not state.trades)) == Plan((), (), ())


_STANDINGS = st.lists(
    st.builds(
        lambda state, sharpe, days, doomed: (state, sharpe, days, doomed),
        st.sampled_from([State.PAPER, State.LIVE_CANDIDATE, State.LIVE]),
        st.sampled_from([math.nan, 0.1, 0.5, 1.0, 2.0]),
        st.sampled_from([1.0, 8.0, 20.0]),
        st.booleans(),
    ),
    max_size=14,
)


@settings(max_examples=150)
@given(_STANDINGS, st.booleans(), st.booleans(), st.integers(2, 10))
def test_every_plan_is_legal_bounded_and_settles(
    drawn: list[tuple[State, float, float, bool]], live: bool, halted: bool, places: int
) -> None:
    standings = [
        standing(f"s{i:02d}", state, days, sharpe=sharpe, being_replaced=doomed)
        for i, (state, sharpe, days, doomed) in enumerate(drawn)
    ]
    found = decided(*standings, live=live, halted=halted, places=places)
    state = {each.strategy_id: each.state for each in standings}
    for change in found.changes:
        require_step(change.strategy_id, state[change.strategy_id], change.to_state)
        state[change.strategy_id] = change.to_state
    now_live = {name for name, at in state.items() if at is State.LIVE}
    was_live = {each.strategy_id for each in standings if each.state is State.LIVE}
    assert len(now_live) <= places
    if not live or halted:
        assert now_live <= was_live
    assert all(each.record.sharpe >= 0.5 for each in standings if each.strategy_id in now_live)
    after = [
        replace(each, state=state[each.strategy_id], since_ms=NOW if state[each.strategy_id] is not each.state else each.since_ms)
        for each in standings
    ]  # fmt: skip
    again = decided(*after, live=live, halted=halted, places=places)
    assert again.changes == (), "decided twice at the same moment, nothing moves"


def test_settings_that_cannot_be_met() -> None:
    with pytest.raises(FixConfiguration, match="paper_days_maximum is 3, below paper_days_minimum 7"):
        ActivationSettings(paper_days_maximum=3)
    with pytest.raises(FixConfiguration, match="performance_weight is 0"):
        ActivationSettings(performance_weight=0)
