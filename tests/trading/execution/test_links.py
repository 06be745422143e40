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
from trading.execution.links import (
    MOST_REFUSED,
    RETRY_MS,
    Bracket,
    BracketSteps,
    Leg,
    bracket_of,
    bracket_steps,
    in_order,
    linked_order_id,
    looser,
    next_revision,
    refusals,
    replacement,
    rests_as_protection,
)
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


def leg(role: OrderRole, state: OrderState, revision: int, *, filled: int = 0, created_at_ms: int = 0) -> Leg:
    made = order(
        client_order_id=linked_order_id("tm-0", role, revision),
        role=role,
        parent_id="tm-0",
        side=Side.SELL,
        reduce_only=True,
        order_type=OrderType.STOP if role is OrderRole.STOP else OrderType.TAKE_PROFIT,
        stop_price=D(90),
        state=state,
        created_at_ms=created_at_ms,
    )
    return Leg(made, Life(made.client_order_id, made.quantity, state, D(filled), sent=True))


def refused_stops(count: int) -> list[Leg]:
    return [leg(OrderRole.STOP, OrderState.REJECTED, revision) for revision in range(count)]


def stop_after(legs: list[Leg], now_ms: int = 0) -> BracketSteps:
    return bracket_steps(order(), lives(OrderState.FILLED, 10), Bracket(D(90), None), legs, now_ms)


def test_a_refused_stop_is_tried_again_then_sold_and_then_tried_seldom() -> None:
    for count in range(MOST_REFUSED):
        assert stop_after(refused_stops(count)).place[0].order_type is OrderType.STOP
    for count in range(MOST_REFUSED, 2 * MOST_REFUSED):
        (sale,) = stop_after(refused_stops(count)).place
        assert (sale.order_type, sale.stop_price, sale.role) == (OrderType.MARKET, None, OrderRole.STOP)
    many = refused_stops(2 * MOST_REFUSED)
    assert stop_after(many, RETRY_MS - 1).place == ()
    assert stop_after(many, RETRY_MS).place[0].order_type is OrderType.MARKET


def test_refusals_are_counted_from_the_newest_back() -> None:
    states = [OrderState.REJECTED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED]
    legs = [leg(OrderRole.STOP, state, revision) for revision, state in enumerate(states)]
    assert refusals(legs, OrderRole.STOP) == 2
    assert refusals([*legs, leg(OrderRole.STOP, OrderState.EXPIRED, 4, filled=1)], OrderRole.STOP) == 0
    assert refusals(legs, OrderRole.TAKE_PROFIT) == 0


def test_what_somebody_else_closed_of_an_entry_is_not_protected() -> None:
    assert stop_after([]).place[0].quantity == 10
    entry, life = order(), lives(OrderState.FILLED, 10)
    assert bracket_steps(entry, life, BRACKET, [], 0, held=D(0)) == BracketSteps()
    steps = bracket_steps(entry, life, BRACKET, [leg(OrderRole.STOP, OrderState.OPEN, 0)], 0, held=D(4))
    assert steps.cancel == (linked_order_id("tm-0", OrderRole.STOP, 0),)
    assert [made.role for made in steps.place] == [OrderRole.TAKE_PROFIT], "the stop waits for the proof"


def test_what_is_being_cancelled_anyway_makes_nothing_else_go() -> None:
    going = leg(OrderRole.STOP, OrderState.OPEN, 0)
    going = replace(going, life=replace(going.life, cancel_requested=True))
    successor = leg(OrderRole.STOP, OrderState.INTENT, 1)
    assert stop_after([going, successor]) == BracketSteps()


@pytest.mark.parametrize(
    ("entry", "stop", "target", "expected"),
    [
        (Side.BUY, 90.001, 119.999, Bracket(D("90.01"), D("119.99"))),
        (Side.SELL, 110.009, 80.001, Bracket(D("110.00"), D("80.01"))),
        (Side.BUY, 90.01, float("nan"), Bracket(D("90.01"), None)),
        (Side.BUY, float("nan"), float("inf"), Bracket(None, None)),
    ],
)
def test_bracket_prices_are_on_the_grid_and_never_later(
    entry: Side, stop: float, target: float, expected: Bracket
) -> None:
    assert bracket_of(entry, stop, target, D("0.01")) == expected


def test_a_stop_is_looser_further_from_the_market() -> None:
    sale = leg(OrderRole.STOP, OrderState.OPEN, 0).order
    purchase = replace(sale, side=Side.BUY)
    assert (looser(sale, D(89)), looser(sale, D(90)), looser(sale, D(91))) == (True, False, False)
    assert (looser(purchase, D(89)), looser(purchase, D(90)), looser(purchase, D(91))) == (False, False, True)


def test_a_moved_leg_is_the_next_of_its_role() -> None:
    old = leg(OrderRole.STOP, OrderState.OPEN, 0).order
    new = next_revision(old, D(4), D(95), 1, 77)
    assert new.client_order_id == linked_order_id("tm-0", OrderRole.STOP, 1)
    assert (new.parent_id, new.side, new.quantity, new.stop_price) == ("tm-0", Side.SELL, 4, 95)
    assert (new.state, new.not_before_ms, new.reduce_only) == (OrderState.INTENT, 77, True)
    shuffled = [Leg(new, Life(new.client_order_id, D(4))), leg(OrderRole.STOP, OrderState.OPEN, 0)]
    assert [each.order.client_order_id for each in in_order("tm-0", shuffled)] == [
        old.client_order_id,
        new.client_order_id,
    ]


def test_only_a_leg_that_waits_is_nothing_under_way() -> None:
    for state in OrderState:
        waiting = state in (OrderState.INTENT, OrderState.OPEN)
        assert rests_as_protection(leg(OrderRole.STOP, state, 0).order) is waiting
    assert not rests_as_protection(order(state=OrderState.OPEN))
