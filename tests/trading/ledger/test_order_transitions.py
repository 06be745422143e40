from __future__ import annotations

import pytest

from trading.errors import HaltTrading
from trading.ledger.transitions import LEGAL, require_legal
from trading.model.order import OrderState


def test_every_state_is_in_the_table_and_terminal_ones_have_no_successor() -> None:
    assert set(LEGAL) == set(OrderState)
    assert {state for state, following in LEGAL.items() if not following} == {
        s for s in OrderState if s.terminal
    }


def test_nothing_returns_to_intent_and_nothing_fills_before_it_was_sent() -> None:
    assert all(OrderState.INTENT not in following for following in LEGAL.values())
    unsent = LEGAL[OrderState.INTENT]
    assert not unsent & {OrderState.OPEN, OrderState.PARTIALLY_FILLED, OrderState.FILLED, OrderState.UNKNOWN}
    assert OrderState.REJECTED not in LEGAL[OrderState.PARTIALLY_FILLED]


def test_a_terminal_state_is_reachable_from_everywhere() -> None:
    for state, following in LEGAL.items():
        assert state.terminal or any(after.terminal for after in following)


def test_an_illegal_transition_names_what_is_allowed() -> None:
    require_legal("tm-1", OrderState.INTENT, OrderState.SENDING)
    with pytest.raises(
        HaltTrading, match="tm-1 cannot go from intent to filled; allowed next: cancelled, expired"
    ):
        require_legal("tm-1", OrderState.INTENT, OrderState.FILLED)
    with pytest.raises(HaltTrading, match="it is terminal"):
        require_legal("tm-1", OrderState.FILLED, OrderState.OPEN)
