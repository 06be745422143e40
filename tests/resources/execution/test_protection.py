"""Protective orders: placed for what was filled, out of the way of an exit, and gone with the holding."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from protected_desk import KEY, RULES, Desk

from resources.execution import sender
from resources.reconciliation.reconcile import Scope, reconcile
from tests.trading_scenario import CLOSE_MS, instrument, position
from trading.errors import HaltTrading, RetryLater, UnknownOutcome
from trading.execution.links import MOST_REFUSED, RETRY_MS
from trading.model.decision import Action
from trading.model.instrument import Instrument
from trading.model.order import Order, OrderRole, OrderState, OrderType
from trading.ports import OrderReport, Venue
from warehouse.ledger import audit, breaks, cash, controls, orders, portfolio
from warehouse.ledger.backend import Ledger

D = Decimal
S = OrderState
STOP, TARGET = OrderRole.STOP, OrderRole.TAKE_PROFIT


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    return Desk(ledger)


class Moody:
    """A venue that may refuse, lose or forget, before or after the real one."""

    absence_proven_after_ms = 5_000

    def __init__(self, inner: Venue) -> None:
        self.inner, self.name = inner, inner.name
        self.submits: list[Any] = []
        self.cancels: list[Any] = []
        self.taken: list[Order] = []

    def submit(self, sent: Order) -> OrderReport:
        mood = self.submits.pop(0) if self.submits else None
        self.taken.append(sent)
        if isinstance(mood, Exception):
            raise mood
        if mood == "refuse":
            return OrderReport(sent.client_order_id, S.REJECTED, (), "the market is beyond it")
        return self.inner.submit(sent)

    def lookup(self, client_order_id: str) -> OrderReport | None:
        return self.inner.lookup(client_order_id)

    def cancel(self, client_order_id: str) -> OrderReport:
        mood = self.cancels.pop(0) if self.cancels else None
        if isinstance(mood, Exception):
            raise mood
        return self.inner.cancel(client_order_id)


def held(ledger: Ledger) -> Decimal:
    with ledger.read() as tx:
        found = portfolio.position(tx, "fork", "", "AAAUSDT")
    return D(0) if found is None else found.quantity


def test_a_filled_entry_gets_both_legs_once(desk: Desk) -> None:
    desk.enter()
    assert desk.legs() == {STOP: [(S.OPEN, 10, 90)], TARGET: [(S.OPEN, 10, 120)]}
    assert desk.protect().placed == 0
    assert len(desk.live()) == 2


def test_prices_are_rounded_so_that_legs_go_out_no_later(desk: Desk) -> None:
    desk.enter(stop_price=90.001, take_profit_price=119.999)
    assert desk.legs() == {STOP: [(S.OPEN, 10, D("90.01"))], TARGET: [(S.OPEN, 10, D("119.99"))]}


def test_where_only_one_leg_fits_the_stop_rests(desk: Desk) -> None:
    desk.rules = replace(RULES, both_legs=False)
    desk.enter()
    assert desk.legs() == {STOP: [(S.OPEN, 10, 90)], TARGET: []}
    desk.market.add(5, 100.0, 130.0, 100.0)
    assert desk.settle().new_fills == 0


def test_where_reduce_only_knows_no_owner_a_shared_symbol_has_stops_only(desk: Desk, ledger: Ledger) -> None:
    desk.rules = replace(RULES, by_account=True)
    desk.enter()
    assert [leg.role for leg in desk.live()] == [STOP, TARGET]
    with ledger.transaction() as tx:
        portfolio.store_position(tx, position(desk="other"), CLOSE_MS, CLOSE_MS)
    assert desk.protect().cancelled == 1
    assert desk.protect().cancelled == 0
    assert [leg.role for leg in desk.live()] == [STOP]
    with ledger.transaction() as tx:
        tx.execute("update positions set quantity = 0 where desk = 'other'")
    desk.protect()
    assert [leg.role for leg in desk.live()] == [STOP, TARGET]


def test_a_leg_on_paper_never_closes_what_another_desk_holds(desk: Desk, ledger: Ledger) -> None:
    """Nobody looked for a while: the stop went out, and later the market met the target too."""
    desk.enter()
    desk.market.add(1, 95.0, 96.0, 89.0)
    elsewhere = replace(desk.intend("other", Action.ENTER, D(10)), desk="other", client_order_id="tm-else")
    desk.market.add(2, 100.0, 101.0, 99.0)
    desk.venue.submit(elsewhere)
    desk.market.add(3, 125.0, 126.0, 119.0)
    desk.settle()
    assert desk.legs() == {STOP: [(S.FILLED, 10, 90)], TARGET: [(S.EXPIRED, 10, 120)]}
    assert held(ledger) == 0


def test_an_entry_without_prices_is_left_alone(desk: Desk) -> None:
    desk.enter(stop_price=float("nan"), take_profit_price=float("nan"))
    assert desk.protect().bare == ()
    assert desk.legs() == {STOP: [], TARGET: []}


def test_more_fills_add_and_cancel_nothing(desk: Desk) -> None:
    desk.market.volume = 6.0
    desk.intend("entry", Action.ENTER, D(10), stop_price=90.0)
    desk.send("entry")
    desk.market.add(0, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    desk.market.add(1, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    assert desk.legs()[STOP] == [(S.OPEN, 6, 90), (S.OPEN, 4, 90)]


def test_a_stop_that_is_hit_closes_the_position_and_takes_the_other_leg_along(
    desk: Desk, ledger: Ledger
) -> None:
    desk.enter()
    desk.market.add(1, 95.0, 96.0, 89.0)
    assert desk.settle().new_fills == 1
    assert held(ledger) == 0
    assert desk.protect().cancelled == 1
    assert desk.legs() == {STOP: [(S.FILLED, 10, 90)], TARGET: [(S.CANCELLED, 10, 120)]}
    with ledger.read() as tx:
        assert portfolio.cash(tx) == D(100_000) - 10 * 100 + 10 * 90
        assert cash.reserved(tx, "USDT") == 0
        assert portfolio.load(tx, {}, 0).pending_symbols == ()
    assert audit.verify(ledger).intact


def test_the_target_closes_too_and_is_never_better_than_said(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.market.add(1, 125.0, 130.0, 124.0)
    desk.settle()
    with ledger.read() as tx:
        assert portfolio.cash(tx) == D(100_000) - 10 * 100 + 10 * 120


def test_a_gap_through_the_stop_fills_at_the_open_and_one_bar_that_touches_both_is_stopped(
    desk: Desk, ledger: Ledger
) -> None:
    desk.enter()
    desk.market.add(1, 85.0, 125.0, 80.0)
    target = next(leg for leg in desk.live() if leg.role is TARGET)
    report = desk.venue.lookup(target.client_order_id)  # asked first, and yet it is not first
    assert report is not None
    assert (report.state, report.fills) == (S.EXPIRED, ())
    desk.settle()
    with ledger.read() as tx:
        assert portfolio.cash(tx) == D(100_000) - 10 * 100 + 10 * 85
    assert desk.legs()[STOP] == [(S.FILLED, 10, 90)]


def test_the_earlier_bar_counts_whichever_is_asked_first(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.market.add(1, 100.0, 121.0, 99.0)
    desk.market.add(2, 100.0, 100.0, 80.0)
    desk.settle()
    assert desk.legs() == {STOP: [(S.EXPIRED, 10, 90)], TARGET: [(S.FILLED, 10, 120)]}
    assert held(ledger) == 0


def test_a_short_is_protected_by_purchases_that_reserve_nothing(desk: Desk, ledger: Ledger) -> None:
    desk.intend("entry", Action.ENTER, D(10), short=True, stop_price=110.009, take_profit_price=80.001)
    desk.send("entry")
    desk.market.add(0, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    assert desk.legs() == {STOP: [(S.OPEN, 10, 110)], TARGET: [(S.OPEN, 10, D("80.01"))]}
    with ledger.read() as tx:
        account = portfolio.load(tx, {}, 0)
    assert (held(ledger), account.pending_symbols, account.pending_buy_amount) == (-10, (), 0)
    desk.market.add(1, 112.0, 115.0, 108.0)
    desk.settle()
    desk.protect()
    assert (held(ledger), desk.live()) == (0, [])
    with ledger.read() as tx:
        assert portfolio.cash(tx) == D(100_000) + 10 * 100 - 10 * 112


def test_resting_legs_are_neither_pending_nor_a_break(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    with ledger.read() as tx:
        account = portfolio.load(tx, {}, 0)
    assert (account.pending_symbols, account.unknown_symbols, account.pending_buy_amount) == ((), (), 0)
    assert reconcile(ledger, desk.venue, desk.venue, Scope()).blocking == 0
    with ledger.read() as tx:
        assert breaks.open_breaks(tx) == []


def test_an_exit_first_takes_the_legs_away_and_then_sells(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.intend("exit", Action.EXIT, D(10))
    assert desk.send("exit") == sender.Settled(sent=1)
    assert desk.live() == []
    desk.market.add(1, 100.0, 101.0, 50.0)
    assert desk.settle().new_fills == 1
    assert desk.protect().bare == ()
    assert held(ledger) == 0
    assert desk.legs() == {STOP: [(S.CANCELLED, 10, 90)], TARGET: [(S.CANCELLED, 10, 120)]}


def test_what_an_exit_leaves_is_protected_again(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.intend("exit", Action.EXIT, D(4))
    desk.send("exit")
    desk.protect()
    assert [(leg.role, leg.quantity) for leg in desk.live()] == [(STOP, 6), (TARGET, 6)], (
        "what the exit has not sold yet is its own"
    )
    desk.market.add(1, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    assert [leg.quantity for leg in desk.live()] == [6, 6]
    assert held(ledger) == 6


def test_an_exit_waits_until_the_cancel_is_proven(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    moody = Moody(desk.venue)
    moody.cancels = [UnknownOutcome("timeout"), RetryLater("busy")]
    desk.venue = moody
    desk.intend("exit", Action.EXIT, D(10))
    assert desk.send("exit") == sender.Settled(held=1)
    assert moody.taken == [], "it would sell what the stops may be selling"
    assert desk.protect().placed == 0
    assert desk.settle().cancelled == 2
    assert desk.send("exit").sent == 1


def test_a_stop_that_fills_while_it_is_cancelled_is_not_sold_twice(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.intend("exit", Action.EXIT, D(10))
    desk.market.add(1, 95.0, 96.0, 89.0)
    assert desk.send("exit") == sender.Settled(new_fills=1, cancelled=1)
    assert held(ledger) == 0
    with ledger.read() as tx:
        assert orders.require(tx, "tm-exit").state is S.CANCELLED


def test_an_exit_that_does_not_go_out_gives_the_stop_back(desk: Desk) -> None:
    desk.enter()
    moody = Moody(desk.venue)
    moody.submits = [RetryLater("429")]
    desk.venue = moody
    desk.intend("exit", Action.EXIT, D(10))
    with pytest.raises(RetryLater):
        desk.send("exit")
    assert desk.live() == []
    desk.protect()
    assert [leg.quantity for leg in desk.live()] == [10, 10]
    assert desk.send("exit").sent == 1, "a rerun closes"
    assert desk.live() == []


def test_an_exit_that_was_not_approved_takes_nothing_away(desk: Desk, ledger: Ledger) -> None:
    desk.enter()
    desk.intend("exit", Action.EXIT, D(10))
    with ledger.transaction() as tx:
        tx.execute("update orders set quantity = 9 where client_order_id = 'tm-exit'")
    with pytest.raises(HaltTrading, match="not what the risk gate signed"):
        desk.send("exit")
    assert len(desk.live()) == 2


def test_exits_close_the_oldest_entry_first(desk: Desk) -> None:
    desk.enter("one", 10, stop_price=90.0)
    desk.enter("two", 5, stop_price=95.0)
    desk.intend("exit", Action.EXIT, D(8))
    desk.send("exit")
    desk.market.add(2, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    assert [leg.quantity for leg in desk.live("one")] == [2]
    assert [leg.quantity for leg in desk.live("two")] == [5]


def test_a_halt_neither_blocks_nor_cancels_protection(desk: Desk, ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        controls.halt(tx, "stop", "me", CLOSE_MS)
    desk.intend("entry", Action.ENTER, D(10), stop_price=90.0)
    with ledger.transaction() as tx:
        controls.resume(tx, "go", "me", CLOSE_MS)
    desk.send("entry")
    with ledger.transaction() as tx:
        controls.halt(tx, "stop", "me", CLOSE_MS)
    desk.market.add(0, 100.0, 101.0, 99.0)
    desk.settle()
    assert desk.protect().placed == 1
    sender.cancel_open(ledger, desk.venue, desk.market.now_ms())
    assert [leg.state for leg in desk.live()] == [S.OPEN]


def test_a_leg_in_doubt_freezes_the_symbol_and_is_not_sent_again_blind(desk: Desk, ledger: Ledger) -> None:
    moody = Moody(desk.venue)
    moody.submits = [None, UnknownOutcome("timeout")]
    desk.venue = moody
    desk.enter(stop_price=90.0)
    assert [leg.state for leg in desk.live()] == [S.UNKNOWN]
    with ledger.read() as tx:
        assert portfolio.load(tx, {}, 0).unknown_symbols == ("AAAUSDT",)
    (bare,) = desk.protect().bare
    assert bare.why.startswith("its stop is unknown")
    desk.market.minute += 1  # longer than the venue may hide it: it never arrived
    desk.settle()
    done = desk.protect()
    assert (done.placed, done.bare) == (1, ())
    assert [order.client_order_id for order in moody.taken[1:]] == [desk.live()[0].client_order_id] * 2
    assert desk.legs()[STOP] == [(S.OPEN, 10, 90)], "the same order, not a second one"


def test_a_stop_that_the_venue_refuses_becomes_a_sale(desk: Desk, ledger: Ledger) -> None:
    moody = Moody(desk.venue)
    moody.submits = [None] + ["refuse"] * MOST_REFUSED
    desk.venue = moody
    desk.enter(stop_price=90.0)
    states = [state for state, _, _ in desk.legs()[STOP]]
    assert states == [S.REJECTED] * MOST_REFUSED + [S.OPEN]
    assert moody.taken[-1].order_type is OrderType.MARKET
    desk.market.add(2, 80.0, 81.0, 79.0)
    desk.settle()
    assert held(ledger) == 0


def test_a_venue_that_takes_nothing_is_asked_seldom_and_people_are_told(desk: Desk) -> None:
    moody = Moody(desk.venue)
    moody.submits = [None] + ["refuse"] * 40
    desk.venue = moody
    desk.enter(stop_price=90.0)
    for _ in range(5):
        (bare,) = desk.protect().bare
    assert len(desk.legs()[STOP]) == 2 * MOST_REFUSED
    assert bare.why == f"the venue has refused its stop {2 * MOST_REFUSED} time(s) in a row"
    desk.market.minute += RETRY_MS / 60_000
    desk.protect()
    assert len(desk.legs()[STOP]) == 2 * MOST_REFUSED + 1


@pytest.mark.parametrize(
    ("instruments", "why"),
    [
        ({}, "filters of the symbol are unknown"),
        ({"AAAUSDT": instrument(min_notional=D(950))}, "no such stop: notional"),
    ],
)
def test_what_cannot_have_a_stop_is_said(desk: Desk, instruments: dict[str, Instrument], why: str) -> None:
    desk.rules = replace(RULES, instruments=instruments)
    desk.enter(stop_price=90.0)
    (bare,) = desk.protect().bare
    assert (bare.quantity, bare.entry_id) == (10, "tm-entry")
    assert why in bare.why


def test_a_large_stop_goes_out_in_pieces_that_the_venue_takes(desk: Desk) -> None:
    desk.rules = replace(RULES, instruments={"AAAUSDT": instrument(max_quantity=D(4))})
    desk.enter(stop_price=90.0)
    assert [leg.quantity for leg in desk.live()] == [4, 4, 2]


def test_an_altered_leg_is_not_sent_and_its_price_counts_for_nothing(desk: Desk, ledger: Ledger) -> None:
    moody = Moody(desk.venue)
    moody.submits = [None, RetryLater("429")]
    desk.venue = moody
    desk.enter(stop_price=90.0)
    (leg,) = desk.live()
    assert leg.state is S.INTENT
    with ledger.transaction() as tx:
        tx.execute(
            "update orders set stop_price = 10 where client_order_id = :id", {"id": leg.client_order_id}
        )
    with pytest.raises(HaltTrading, match="not what the risk gate signed"):
        desk.protect()
    desk.protect()
    assert desk.legs()[STOP] == [(S.REJECTED, 10, 10), (S.OPEN, 10, 90)]


def test_a_leg_larger_than_its_entry_is_not_sent_even_signed(desk: Desk, ledger: Ledger) -> None:
    from trading.execution.approval import signature_of
    from warehouse.ledger import decisions

    desk.enter("other", 50, stop_price=80.0)
    moody = Moody(desk.venue)
    moody.submits = [None, RetryLater("429")]
    desk.venue = moody
    desk.enter(stop_price=90.0)
    (leg,) = desk.live()
    forged = replace(leg, quantity=D(20))
    with ledger.transaction() as tx:
        verdict = decisions.verdict(tx, leg.decision_id)
        assert verdict is not None
        tx.execute("update orders set quantity = 20 where client_order_id = :id", {"id": leg.client_order_id})
        tx.execute(
            "update order_signatures set signature = :signature where client_order_id = :id",
            {"id": leg.client_order_id, "signature": signature_of(forged, verdict, KEY)},
        )
    with pytest.raises(HaltTrading, match="not within the 10"):
        desk.send("entry")


def test_a_rest_too_small_for_any_order_is_no_alarm(desk: Desk, ledger: Ledger) -> None:
    desk.enter(stop_price=90.0)
    desk.intend("exit", Action.EXIT, D(9))
    desk.send("exit")
    desk.market.add(1, 100.0, 101.0, 99.0)
    desk.settle()
    desk.rules = replace(RULES, instruments={"AAAUSDT": instrument(lot_step=D(2))})
    done = desk.protect()
    assert (held(ledger), done.placed, done.bare) == (1, 0, ())


def test_bars_that_were_looked_at_in_vain_are_not_read_again(desk: Desk) -> None:
    desk.enter(stop_price=90.0)
    for minute in range(1, 60):
        desk.market.add(minute, 100.0, 101.0, 99.0)
    desk.settle()
    desk.market.asked_since_ms.clear()
    desk.settle()
    assert desk.market.asked_since_ms == [], "no minute has closed since"
    desk.market.add(60, 100.0, 101.0, 99.0)
    desk.settle()
    assert desk.market.asked_since_ms == [CLOSE_MS + 60 * 60_000]
    desk.market.add(61, 100.0, 101.0, 89.0)
    assert desk.settle().new_fills == 1
