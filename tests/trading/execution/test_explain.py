"""The explanation names what would have had to change, and changing it does flip the decision."""

import re
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading_scenario import NAN, position, snapshot, view
from trading.desks.fork import ForkDesk
from trading.execution.explain import counterfactual
from trading.model.check import at_least, at_most, must_be, not_one_of
from trading.model.decision import Action, Check, Outcome


def test_the_sentence() -> None:
    passed = at_least("confidence", 0.9, 0.5)
    assert counterfactual([at_least("fork_score", 0.71, 0.85), passed]) == (
        "would have traded had fork_score been ≥ 0.85 (was 0.71)"
    )
    assert counterfactual([passed]) == "nothing stood in the way"


def test_several_obstacles_text_and_unknown_values() -> None:
    checks = [
        at_most("spread_bps", NAN, 15.0),
        not_one_of("rating_label", "sell", ("sell", "strong_sell")),
        must_be("halted", "yes", "no"),
        at_most("position_fraction", 0.25, 0.2, "of equity"),
    ]
    assert counterfactual(checks) == (
        "would have traded had spread_bps been ≤ 15 (was unknown)"
        " and rating_label been not one of sell, strong_sell (was sell)"
        " and halted been no (was yes)"
        " and position_fraction been ≤ 0.2 of equity (was 0.25)"
    )
    assert "had custom passed (was 3)" in counterfactual([Check("custom", False, 3.0, None)])


def test_close_numbers_are_told_apart_and_timestamps_are_shown_in_full() -> None:
    sentence = counterfactual([at_least("x", 0.84999999, 0.85)])
    assert sentence.endswith("x been ≥ 0.85 (was 0.84999999)")
    assert "1772409600000" in counterfactual([at_least("t", 1.0, 1_772_409_600_000)])


def test_exit_triggers_need_any_one() -> None:
    triggers = [at_most("return_stop", 0.01, -0.06), at_least("holding_hours", 3.0, 72.0)]
    assert counterfactual(triggers, any_of=True) == (
        "would have traded had any of these held: return_stop been ≤ -0.06 (was 0.01); "
        "holding_hours been ≥ 72 (was 3)"
    )
    hit = [*triggers, at_least("return_target", 1.0, 0.5)]
    assert counterfactual(hit, any_of=True) == "nothing stood in the way"


FIXES = {
    "data": {"close": 100.0},
    "fork_score": {"fork_score": 0.85},
    "fork_passed": {"fork_passed": True},
    "adjusted_score": {"fork_adjusted": 0.73},
    "rating_label": {"rating_tag": "neutral"},
    "confidence_known": {"confidence": 0.55},
    "confidence_expires_ms": {"confidence_expires_ms": 10**14},
    "confidence": {"confidence": 0.55},
}


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "fork_score": st.floats(0, 1.3),
            "fork_passed": st.booleans(),
            "fork_adjusted": st.floats(-0.3, 1.5),
            "rating_tag": st.sampled_from(("", "sell", "strong_sell", "buy")),
            "confidence": st.one_of(st.just(NAN), st.floats(0, 1)),
            "confidence_expires_ms": st.integers(0, 10**14),
        },
    )
)
def test_granting_what_the_sentence_names_flips_the_decision(changes: dict) -> None:
    desk = ForkDesk()
    (before,) = desk.decide(snapshot(view(**changes)))
    if before.outcome is Outcome.FIRED:
        assert counterfactual(before.checks) == "nothing stood in the way"
        return
    named = re.findall(r"(\w+) been ", counterfactual(before.checks))
    granted = view(**changes)
    for name in named:
        granted = replace(granted, **FIXES[name])
    (after,) = desk.decide(snapshot(granted))
    assert after.outcome is Outcome.FIRED


@pytest.mark.parametrize("close", [96.0, 101.0])
def test_a_held_position_explains_itself(close: float) -> None:
    taken = snapshot(view(close=close), portfolio={"positions": (position(),)})
    (own,) = [item for item in ForkDesk().decide(taken) if item.action is Action.EXIT]
    assert "return_stop been ≤ -0.06" in counterfactual(own.checks, any_of=True)
