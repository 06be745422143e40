"""Orders moved and cancelled by a person: asked for first, proven gone before another goes out, never loosened unsaid."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from protected_desk import KEY, RULES, Desk

from resources.execution.by_hand import Wish, cancel_by_hand, replace_by_hand
from tests.trading_scenario import NOW_MS, decision, order
from trading.errors import BadData, UnknownOutcome
from trading.execution.approval import sign_intents
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Order, OrderRole, OrderState, OrderType
from trading.ports import OrderReport, Venue
from warehouse.ledger import cash, order_history, orders, portfolio
from warehouse.ledger.backend import Ledger

D = Decimal
S = OrderState
STOP, TARGET = OrderRole.STOP, OrderRole.TAKE_PROFIT


@pytest.fixture
def desk(ledger: Ledger) -> Desk:
    made = Desk(ledger)
    made.enter()
    return made


class Deaf:
    """A venue that loses every request to cancel while it is deaf."""

    absence_proven_after_ms = 0

    def __init__(self, inner: Venue) -> None:
        self.inner, self.name, self.deaf = inner, inner.name, True

    def submit(self, sent: Order) -> OrderReport:
        return self.inner.submit(sent)

    def lookup(self, client_order_id: str) -> OrderReport | None:
        return self.inner.lookup(client_order_id)

    def cancel(self, client_order_id: str) -> OrderReport:
        if self.deaf:
            raise UnknownOutcome("timeout")
        return self.inner.cancel(client_order_id)


def wish(desk: Desk) -> Wish:
    return Wish("me", "below the low", desk.market.now_ms())


def leg(desk: Desk, role: OrderRole) -> str:
    return next(each.client_order_id for each in desk.live() if each.role is role)


def move(desk: Desk, price: str, role: OrderRole = STOP, **options: Any) -> Order:
    return replace_by_hand(
        desk.ledger, desk.venue, leg(desk, role), D(price), wish(desk), desk.rules, **options
    )


def audited(ledger: Ledger, kind: str) -> list[str]:
    with ledger.read() as tx:
        return [
            row["payload"] for row in tx.query("select payload from audit where kind = :kind", {"kind": kind})
        ]


def test_a_moved_stop_takes_the_place_of_the_old_one_and_stays(desk: Desk) -> None:
    new = move(desk, "95.5")
    assert (new.state, new.quantity, new.parent_id) == (S.OPEN, 10, "tm-entry")
    for _ in range(2):
        assert desk.protect().placed == 0
    assert desk.legs()[STOP] == [(S.CANCELLED, 10, 90), (S.OPEN, 10, D("95.5"))]
    (record,) = audited(desk.ledger, "order_replace")
    assert "below the low" in record
    assert '"by":"me"' in record


def test_what_is_filled_later_gets_the_moved_price(ledger: Ledger) -> None:
    desk = Desk(ledger)
    desk.market.volume = 6.0
    desk.enter(stop_price=90.0)
    move(desk, "95")
    desk.market.add(1, 100.0, 101.0, 99.0)
    desk.settle()
    desk.protect()
    assert desk.legs()[STOP] == [(S.CANCELLED, 6, 90), (S.OPEN, 6, 95), (S.OPEN, 4, 95)]


def test_a_stop_moves_away_from_the_market_only_when_told(desk: Desk) -> None:
    with pytest.raises(BadData, match="gives up later.*--loosen"):
        move(desk, "89.99")
    assert desk.legs()[STOP] == [(S.OPEN, 10, 90)]
    assert audited(desk.ledger, "order_replace") == []
    assert move(desk, "89.99", loosen=True).stop_price == D("89.99")


def test_a_target_may_move_either_way(desk: Desk) -> None:
    assert move(desk, "130", TARGET).stop_price == 130
    assert move(desk, "110", TARGET).stop_price == 110


@pytest.mark.parametrize("price", ["90.001", "0", "-1"])
def test_a_price_off_the_grid_is_refused(desk: Desk, price: str) -> None:
    with pytest.raises(BadData, match="tick 0.01"):
        move(desk, price, loosen=True)


def test_until_the_cancel_is_proven_the_new_stop_waits(desk: Desk) -> None:
    deaf = Deaf(desk.venue)
    desk.venue = deaf
    assert move(desk, "95").state is S.INTENT
    desk.protect()
    assert desk.legs()[STOP] == [(S.OPEN, 10, 90), (S.INTENT, 10, 95)]
    with pytest.raises(BadData, match="being cancelled"):
        replace_by_hand(desk.ledger, deaf, desk.live()[0].client_order_id, D(96), wish(desk), RULES)
    deaf.deaf = False
    desk.settle()
    desk.protect()
    assert desk.legs()[STOP] == [(S.CANCELLED, 10, 90), (S.OPEN, 10, 95)]


def test_a_stop_that_fills_while_it_is_moved_is_not_doubled(desk: Desk, ledger: Ledger) -> None:
    desk.market.add(1, 95.0, 96.0, 89.0)
    assert move(desk, "95").state is S.CANCELLED, "nothing is left that it could cover"
    desk.settle()
    desk.protect()
    with ledger.read() as tx:
        position = portfolio.position(tx, "fork", "", "AAAUSDT")
    assert position is not None
    assert position.quantity == 0
    assert desk.live() == []


def test_a_stop_taken_off_by_hand_stays_off_and_the_target_on(desk: Desk) -> None:
    assert cancel_by_hand(desk.ledger, desk.venue, leg(desk, STOP), wish(desk)).state is S.CANCELLED
    assert desk.protect().bare == ()
    assert desk.legs() == {STOP: [(S.CANCELLED, 10, 90)], TARGET: [(S.OPEN, 10, 120)]}
    assert len(audited(desk.ledger, "order_cancel")) == 1


def test_what_has_ended_or_is_elsewhere_is_left_alone(desk: Desk) -> None:
    with pytest.raises(BadData, match="is filled"):
        cancel_by_hand(desk.ledger, desk.venue, "tm-entry", wish(desk))
    elsewhere = Deaf(desk.venue)
    elsewhere.name = "binance_spot"
    with pytest.raises(BadData, match="is for paper/main"):
        cancel_by_hand(desk.ledger, elsewhere, leg(desk, STOP), wish(desk))
    assert len(desk.live()) == 2


class Resting:
    """A venue whose limit orders rest."""

    name = "paper"
    absence_proven_after_ms = 0

    def submit(self, sent: Order) -> OrderReport:
        return OrderReport(sent.client_order_id, S.OPEN, ())

    def lookup(self, client_order_id: str) -> OrderReport | None:
        return OrderReport(client_order_id, S.OPEN, ())

    def cancel(self, client_order_id: str) -> OrderReport:
        return OrderReport(client_order_id, S.CANCELLED, ())


def limit_order(ledger: Ledger) -> None:
    from resources.execution import sender

    verdict = Verdict("d-limit", VerdictKind.APPROVED, "within_limits", D(1000), ())
    intent = order(
        client_order_id="tm-limit", decision_id="d-limit", order_type=OrderType.LIMIT, limit_price=D(100)
    )
    with ledger.transaction() as tx:
        signed = sign_intents([intent], [verdict], KEY)
        orders.commit_intents(tx, [decision(decision_id="d-limit")], [verdict], signed, NOW_MS)
    sender.send(ledger, Resting(), "tick", NOW_MS, key=KEY)


def test_a_limit_entry_moves_to_a_better_price_only(ledger: Ledger) -> None:
    limit_order(ledger)
    told = Wish("me", "patience", NOW_MS)
    with pytest.raises(BadData, match="worse than 100"):
        replace_by_hand(ledger, Resting(), "tm-limit", D("100.01"), told, RULES)
    new = replace_by_hand(ledger, Resting(), "tm-limit", D(99), told, RULES)
    assert (new.state, new.limit_price, new.quantity, new.parent_id) == (S.OPEN, 99, 10, "tm-limit")
    with ledger.read() as tx:
        assert orders.require(tx, "tm-limit").state is S.CANCELLED
        assert cash.reserved(tx, "USDT") == D("994.95"), "what the old one held is free again"


def test_a_market_order_has_no_price_to_move(ledger: Ledger) -> None:
    desk = Desk(ledger)
    from trading.model.decision import Action

    desk.intend("entry", Action.ENTER, D(10))
    desk.send("entry")
    with pytest.raises(BadData, match="no price to move"):
        replace_by_hand(ledger, desk.venue, "tm-entry", D(99), wish(desk), RULES)
    with ledger.read() as tx:
        assert not order_history.life(tx, orders.require(tx, "tm-entry")).cancel_requested


def test_an_unknown_tick_size_refuses(desk: Desk) -> None:
    desk.rules = replace(RULES, instruments={})
    with pytest.raises(BadData, match="tick size of AAAUSDT is unknown"):
        move(desk, "95")
