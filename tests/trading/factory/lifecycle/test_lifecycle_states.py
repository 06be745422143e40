"""Which step may follow which, and who may take a strategy live."""

from __future__ import annotations

import pytest

from trading.errors import BadData
from trading.factory.lifecycle.states import State, person, require_live_right, require_step

ALLOWED = {
    (None, "generated"),
    ("generated", "backtested"),
    ("generated", "retired"),
    ("backtested", "paper"),
    ("backtested", "retired"),
    ("paper", "live_candidate"),
    ("paper", "paused"),
    ("paper", "retired"),
    ("live_candidate", "live"),
    ("live_candidate", "paper"),
    ("live_candidate", "paused"),
    ("live_candidate", "retired"),
    ("live", "live_candidate"),
    ("live", "paused"),
    ("live", "retired"),
    ("paused", "paper"),
    ("paused", "retired"),
}


@pytest.mark.parametrize("before", [None, *State])
@pytest.mark.parametrize("after", list(State))
def test_only_these_steps_are_legal(before: State | None, after: State) -> None:
    if (before, after) in ALLOWED:
        require_step("s1", before, after)
        return
    with pytest.raises(BadData, match=f"strategy s1: .* → {after} is no step; after .* may come: "):
        require_step("s1", before, after)


def test_paper_cannot_be_left_out_on_the_way_to_live() -> None:
    for state in (State.GENERATED, State.BACKTESTED, State.PAPER, State.PAUSED):
        with pytest.raises(BadData):
            require_step("s1", state, State.LIVE)


def test_only_the_setting_or_a_person_makes_a_strategy_live() -> None:
    with pytest.raises(
        BadData, match="factory.live is false; a person may: `tidemill strategies approve s1`"
    ):
        require_live_right("s1", State.LIVE, "activation", live=False, halted=False)
    require_live_right("s1", State.LIVE, "activation", live=True, halted=False)
    require_live_right("s1", State.LIVE, person("ann"), live=False, halted=False)
    require_live_right("s1", State.PAUSED, "reviewer", live=False, halted=True)


@pytest.mark.parametrize("actor", ["activation", person("ann")])
def test_nobody_makes_a_strategy_live_while_trading_is_halted(actor: str) -> None:
    with pytest.raises(BadData, match="halted"):
        require_live_right("s1", State.LIVE, actor, live=True, halted=True)


def test_what_trades() -> None:
    assert [state for state in State if state.trades] == [State.PAPER, State.LIVE_CANDIDATE, State.LIVE]
