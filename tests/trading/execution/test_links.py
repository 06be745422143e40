"""Replacements and brackets: linked orders that never cover more than they should."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import order
from trading.errors import BadData
from trading.execution.lifecycle import Event, EventKind, Life, apply
from trading.execution.links import Bracket, Leg, bracket_steps, linked_order_id, replacement
from trading.model.order import OrderRole, OrderState, OrderType, Side

D = Decimal
BRACKET = Bracket(D(90), D(120))


def lives(state: OrderState, filled: int = 0, quantity: int = 10) -> Life:
    return Life("tm-0", D(quantity), state, D(filled), accepted=True)


def test_a_replacement_is_the_rest_under_a_new_id() -> None:
    old = order(order_type=OrderType.LIMIT, limit_price=D(99), signature="s", sending_at_ms=5)
    new = replacement(old, lives(OrderState.CANCELLED, 4), 77, limit_price=D(98))
    assert (new.quantity, new.limit_price, new.parent_id) == (6, 98, "tm-0")
    assert (new.role, new.state, new.signature, new.sending_at_ms) == (
        OrderRole.REPLACEMENT,
        OrderState.INTENT,
        "",
        None,
    )
    assert new.client_order_id == linked_order_id("tm-0", OrderRole.REPLACEMENT, 0) != old.client_order_id
    assert len(new.client_order_id) <= 36
    assert new == replacement(old, lives(OrderState.CANCELLED, 4), 77, limit_price=D(98))


@pytest.mark.parametrize("state", [state for state in OrderState if state is not OrderState.CANCELLED])
def test_only_what_is_cancelled_can_be_replaced(state: OrderState) -> None:
    with pytest.raises(BadData, match="cancel it before"):
        replacement(order(), lives(state), 0)


@pytest.mark.parametrize("quantity", ["7", "0", "-1"])
def test_a_replacement_is_never_larger_than_the_rest(quantity: str) -> None:
    with pytest.raises(BadData, match="does not fit the 6"):
        replacement(order(), lives(OrderState.CANCELLED, 4), 0, quantity=D(quantity))


def test_a_bracket_follows_the_fills_of_its_parent() -> None:
    parent = order()
    assert bracket_steps(parent, lives(OrderState.OPEN), BRACKET, [], 0).place == ()
    first = bracket_steps(parent, lives(OrderState.PARTIALLY_FILLED, 4), BRACKET, [], 0)
    assert [(leg.role, leg.order_type, leg.side, leg.quantity, leg.stop_price) for leg in first.place] == [
        (OrderRole.STOP, OrderType.STOP, Side.SELL, 4, 90),
        (OrderRole.TAKE_PROFIT, OrderType.TAKE_PROFIT, Side.SELL, 4, 120),
    ]
    assert all(leg.reduce_only and leg.parent_id == "tm-0" and not leg.adds_exposure for leg in first.place)
    legs = [
        Leg(leg, Life(leg.client_order_id, leg.quantity, OrderState.OPEN, accepted=True))
        for leg in first.place
    ]
    more = bracket_steps(parent, lives(OrderState.FILLED, 10), BRACKET, legs, 0)
    assert (more.cancel, [leg.quantity for leg in more.place]) == ((), [6, 6]), (
        "nothing is unprotected meanwhile"
    )
    assert not {leg.client_order_id for leg in more.place} & {leg.order.client_order_id for leg in legs}


def test_one_cancels_the_other() -> None:
    parent = order()
    placed = bracket_steps(parent, lives(OrderState.FILLED, 10), BRACKET, [], 0).place
    stop, profit = (
        Leg(leg, Life(leg.client_order_id, D(10), OrderState.OPEN, accepted=True)) for leg in placed
    )
    gone = replace(stop, life=apply(stop.life, Event(EventKind.FILL, "", D(10))))
    steps = bracket_steps(parent, lives(OrderState.FILLED, 10), BRACKET, [gone, profit], 0)
    assert (steps.cancel, steps.place) == ((profit.order.client_order_id,), ())


@given(st.integers(0, 10**9))
@settings(max_examples=120, deadline=None)
def test_a_bracket_comes_to_rest_covering_what_is_held(seed: int) -> None:
    """A venue that fills and cancels at will, and refuses a reduction of what is no longer held."""
    chance = random.Random(seed)
    parent, parent_life = order(), lives(OrderState.OPEN)
    legs: list[Leg] = []

    def held() -> Decimal:
        return parent_life.filled - sum((leg.life.filled for leg in legs), D(0))

    def run_steps() -> bool:
        nonlocal legs
        steps = bracket_steps(parent, parent_life, BRACKET, legs, 0)
        wish = Event(EventKind.REQUEST_CANCEL, "")
        legs = [
            replace(leg, life=apply(leg.life, wish)) if leg.order.client_order_id in steps.cancel else leg
            for leg in legs
        ]
        for made in steps.place:
            sent = apply(Life(made.client_order_id, made.quantity), Event(EventKind.SEND, ""))
            legs.append(Leg(made, sent))
        for role in (OrderRole.STOP, OrderRole.TAKE_PROFIT):
            doubtful = any(leg.life.cancel_requested for leg in legs if leg.order.role is role)
            covered = sum((leg.life.remaining for leg in legs if leg.order.role is role), D(0))
            assert covered <= held() or doubtful or steps.cancel, "no leg is placed beyond what is held"
        return bool(steps.cancel or steps.place)

    def venue_moves(leg: Leg, calm: bool) -> Leg:
        life = leg.life
        if life.state is OrderState.SENDING:
            life = apply(
                life, Event(EventKind.ACCEPT if calm or chance.random() < 0.7 else EventKind.LOSE, "")
            )
        elif life.state is OrderState.UNKNOWN and (calm or chance.random() < 0.5):
            life = apply(life, Event(EventKind.ACCEPT, ""))
        elif life.cancel_requested and not life.state.terminal and (calm or chance.random() < 0.6):
            life = apply(life, Event(EventKind.CANCEL, ""))
        elif not calm and not life.state.terminal and chance.random() < 0.2:
            part = min(D(chance.randint(1, 4)), life.remaining, held())
            life = apply(life, Event(EventKind.FILL, "", part)) if part > 0 else life
        return replace(leg, life=life)

    for step in range(60):
        calm = step >= 30
        if not calm and parent_life.remaining and chance.random() < 0.4:
            part = min(D(chance.randint(1, 4)), parent_life.remaining)
            parent_life = apply(parent_life, Event(EventKind.FILL, "", part))
        for index in range(len(legs)):
            legs[index] = venue_moves(legs[index], calm)
        moved = run_steps()
    assert not moved
    assert held() >= 0
    for role in (OrderRole.STOP, OrderRole.TAKE_PROFIT):
        assert sum((leg.life.remaining for leg in legs if leg.order.role is role), D(0)) == held()
    ids = [leg.order.client_order_id for leg in legs]
    assert len(ids) == len(set(ids))
