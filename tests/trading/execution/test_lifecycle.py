"""The state machine of an order, against its table and against a naive book that knows no table."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from trading.errors import HaltTrading
from trading.execution.lifecycle import EVENT_OF, TABLE, Event, EventKind, Life, apply
from trading.execution.reports import events_of
from trading.model.order import OrderState
from trading.ports import OrderReport

D = Decimal
S = OrderState
K = EventKind

#: What may happen in each state, written down by hand.
ALLOWED = {
    S.INTENT: {K.SEND, K.REQUEST_CANCEL, K.CANCEL, K.REJECT, K.EXPIRE},
    S.SENDING: {K.ACCEPT, K.FILL, K.REQUEST_CANCEL, K.CANCEL, K.REJECT, K.EXPIRE, K.LOSE, K.PROVE_ABSENT},
    S.OPEN: {K.FILL, K.REQUEST_CANCEL, K.CANCEL, K.REJECT, K.EXPIRE, K.LOSE},
    S.PARTIALLY_FILLED: {K.FILL, K.REQUEST_CANCEL, K.CANCEL, K.EXPIRE, K.LOSE},
    S.UNKNOWN: {K.ACCEPT, K.FILL, K.REQUEST_CANCEL, K.CANCEL, K.REJECT, K.EXPIRE, K.PROVE_ABSENT},
    S.FILLED: {K.FILL},
    S.CANCELLED: {K.FILL},
    S.REJECTED: {K.FILL},
    S.EXPIRED: {K.FILL},
}


def life(state: OrderState = S.INTENT, filled: str = "0", **changes: bool) -> Life:
    return Life("tm-1", D(10), state, D(filled), **changes)


@pytest.mark.parametrize("kind", EventKind)
@pytest.mark.parametrize("state", OrderState)
def test_every_pair_of_state_and_event(state: OrderState, kind: EventKind) -> None:
    event = Event(kind, "why", D(4))
    if kind not in ALLOWED[state]:
        with pytest.raises(HaltTrading, match=f"tm-1 cannot go from {state} to .* by {kind}; possible now"):
            apply(life(state), event)
        return
    after = apply(life(state, sent=True), event)
    assert after.state is TABLE[kind][state]
    assert not state.terminal or after.state is state, "an end is for ever"


def test_every_state_has_the_event_that_leads_there() -> None:
    assert set(EVENT_OF) == set(OrderState)
    for state, kind in EVENT_OF.items():
        assert state in TABLE[kind].values() or state is S.FILLED


def test_an_order_that_the_venue_had_cannot_be_proven_absent() -> None:
    lost = apply(apply(apply(life(), Event(K.SEND, "")), Event(K.ACCEPT, "")), Event(K.LOSE, ""))
    with pytest.raises(HaltTrading, match="the venue has had it"):
        apply(lost, Event(K.PROVE_ABSENT, "not there"))
    never = apply(apply(life(), Event(K.SEND, "")), Event(K.LOSE, ""))
    assert apply(never, Event(K.PROVE_ABSENT, "")).state is S.INTENT


def test_a_cancelled_wish_is_not_sent_again() -> None:
    asked = apply(life(S.UNKNOWN), Event(K.REQUEST_CANCEL, "halted"))
    assert (asked.state, asked.cancel_requested) == (S.UNKNOWN, True)
    assert apply(asked, Event(K.PROVE_ABSENT, "")).state is S.CANCELLED
    assert apply(life(), Event(K.REQUEST_CANCEL, "")).state is S.CANCELLED


def test_more_than_was_ordered_halts() -> None:
    with pytest.raises(HaltTrading, match="11 filled of 10 ordered"):
        apply(life(S.OPEN, "8"), Event(K.FILL, "", D(3)))
    with pytest.raises(HaltTrading):
        apply(life(S.OPEN), Event(K.FILL, "", D(0)))


def test_what_was_never_sent_cannot_be_filled() -> None:
    cancelled = apply(life(), Event(K.CANCEL, "stale"))
    with pytest.raises(HaltTrading, match="it was never sent"):
        apply(cancelled, Event(K.FILL, "", D(1)))


class Orders(RuleBasedStateMachine):
    """Any events in any order. The oracle keeps a list of what happened and judges by reading it."""

    def __init__(self) -> None:
        super().__init__()
        self.life = life()
        self.past: list[Event] = []

    @rule(kind=st.sampled_from(EventKind), quantity=st.integers(1, 6))
    def happen(self, kind: EventKind, quantity: int) -> None:
        event = Event(kind, "", D(quantity) if kind is K.FILL else D(0))
        try:
            self.life = apply(self.life, event)
        except HaltTrading:
            return
        self.past.append(event)

    @invariant()
    def the_past_explains_the_present(self) -> None:
        kinds = [event.kind for event in self.past]
        filled = sum((event.quantity for event in self.past), D(0))
        assert self.life.filled == filled <= 10
        ends = [kind for kind in kinds if kind in {K.CANCEL, K.REJECT, K.EXPIRE}]
        assert len(ends) <= 1
        assert self.life.remaining == (0 if self.life.state.terminal else 10 - filled)
        if K.SEND not in kinds:
            assert filled == 0
            assert not self.life.sent
            assert self.life.state in {S.INTENT, S.CANCELLED, S.REJECTED, S.EXPIRED}
        proven_away = {K.REQUEST_CANCEL, K.PROVE_ABSENT} <= set(kinds)  # an end without an event of its own
        if filled == 10 and not ends and not proven_away:
            assert self.life.state is S.FILLED
        if K.ACCEPT in kinds or filled:
            assert self.life.accepted
            assert self.life.state is not S.INTENT, "what the venue had is never sent again"
        sends = kinds.count(K.SEND)
        assert sends <= 1 + kinds.count(K.PROVE_ABSENT), "each new attempt needs a proof of absence"


Orders.TestCase.settings = settings(max_examples=150, stateful_step_count=12, deadline=None)
TestOrders = Orders.TestCase


def report(state: OrderState, executed: str | None = None, reason: str = "") -> OrderReport:
    return OrderReport("tm-1", state, (), reason, None if executed is None else D(executed))


@pytest.mark.parametrize(
    ("before", "told", "kinds"),
    [
        (life(S.SENDING), report(S.OPEN), [K.ACCEPT]),
        (life(S.UNKNOWN), report(S.PARTIALLY_FILLED, "4"), [K.ACCEPT]),
        (life(S.SENDING), report(S.REJECTED, reason="min_notional"), [K.REJECT]),
        (life(S.OPEN), report(S.CANCELLED, "0"), [K.CANCEL]),
        (life(S.PARTIALLY_FILLED, "4"), report(S.CANCELLED, "4"), [K.CANCEL]),
        (life(S.PARTIALLY_FILLED, "4"), report(S.EXPIRED), [K.EXPIRE]),
        # An end with fills that are still to come is not believed yet, nor is a fill without its fills.
        (life(S.PARTIALLY_FILLED, "4"), report(S.CANCELLED, "5"), []),
        (life(S.SENDING), report(S.CANCELLED, "5"), [K.ACCEPT]),
        (life(S.PARTIALLY_FILLED, "4"), report(S.FILLED, "10"), []),
        (life(S.UNKNOWN), report(S.FILLED), [K.ACCEPT]),
        # Old news.
        (life(S.PARTIALLY_FILLED, "4"), report(S.OPEN), []),
        (life(S.FILLED, "10"), report(S.OPEN), []),
        (life(S.CANCELLED), report(S.FILLED, "10"), []),
        (life(S.INTENT), report(S.OPEN), []),
        (life(S.OPEN), report(S.UNKNOWN), []),
    ],
)
def test_what_a_report_means(before: Life, told: OrderReport, kinds: list[EventKind]) -> None:
    events = events_of(before, told)
    assert [event.kind for event in events] == kinds
    assert all(event.cause == (told.reason or "venue report") for event in events)
    for event in events:
        apply(before, event)


def test_a_rejection_of_what_was_filled_is_a_contradiction() -> None:
    filled = life(S.PARTIALLY_FILLED, "4")
    (event,) = events_of(filled, report(S.REJECTED))
    with pytest.raises(HaltTrading):
        apply(filled, event)
