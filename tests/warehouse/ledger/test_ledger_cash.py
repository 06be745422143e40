"""The cash ledger and its orders: reservations, and the same books whatever the order of the fills."""

from __future__ import annotations

import random
from dataclasses import replace
from decimal import Decimal

import pytest
from ledger_samples import T0, fill, order

from trading.errors import BadData, HaltTrading
from trading.execution.lifecycle import Event, EventKind
from trading.ledger import transfers
from trading.ledger.accounting import cost_basis
from trading.ledger.transfers import free_cash, position_account
from trading.model.order import Order, OrderState, Side
from warehouse.ledger import audit, cash, fills, order_history, orders, portfolio
from warehouse.ledger.backend import Ledger, Transaction

D = Decimal
S = OrderState


def fund(tx: Transaction, amount: str = "1000") -> None:
    portfolio.deposit(tx, "start", D(amount), "USDT", T0)


def place(tx: Transaction, *given: Order) -> None:
    assert orders.commit_orders(tx, given, T0) == list(given)
    for each in given:
        orders.transition(tx, each.client_order_id, S.SENDING, "sending", T0)


def test_an_order_reserves_posts_and_voids(ledger: Ledger) -> None:
    bought = order(1)  # 10 at 1.2345
    with ledger.transaction() as tx:
        fund(tx)
        place(tx, bought)
        assert cash.reserved(tx, "USDT") == D("12.345") * D("1.005") == D("12.406725")
        assert cash.free(tx, "paper", "main", "USDT") == D(1000) - D("12.406725")
        assert portfolio.cash(tx) == 1000, "what is reserved is still ours"
        assert portfolio.load(tx, {}, T0).pending_buy_amount == D("12.406725")
        fills.record(tx, fill(bought, 1, "4", price="1.2"), bought, T0)
        assert cash.reserved(tx, "USDT") == D("12.406725") * 6 / 10
        orders.transition(tx, bought.client_order_id, S.CANCELLED, "asked", T0)
        assert cash.reserved(tx, "USDT") == 0
        assert portfolio.cash(tx) == D(1000) - D("4.8") - D("0.02")
        fills.record(tx, fill(bought, 2, "6", price="1.2"), bought, T0)
        assert cash.reserved(tx, "USDT") == 0, "a late fill finds nothing reserved"
    with ledger.read() as tx:
        kinds = [move.kind.value for move in cash.log(tx)]
        assert kinds == ["deposit", "reserve", "trade", "fee", "release", "release", "trade", "fee"]
        assert transfers.imbalance(cash.balances(tx)) == {}


def test_an_order_that_free_cash_cannot_pay_is_rejected_and_never_sent(ledger: Ledger) -> None:
    small, large = order(1), order(2, quantity="900")
    with ledger.transaction() as tx:
        fund(tx, "1000")
        assert orders.commit_orders(tx, [small, large, order(3)], T0) == [small, order(3)]
        assert orders.by_id(tx, large.client_order_id).state is S.REJECTED
        (_, event) = orders.events(tx, large.client_order_id)
        assert "needs 1111.05 USDT, free are 987.593275" in event.cause
        with pytest.raises(HaltTrading):
            orders.transition(tx, large.client_order_id, S.SENDING, "sending", T0)
        sold = order(4, quantity="1000000", side=Side.SELL)
        assert orders.commit_orders(tx, [replace(sold, reduce_only=True)], T0), "a sale reserves no cash"


def test_the_tables_refuse_what_would_unbalance_the_books(ledger: Ledger) -> None:
    insert = (
        "insert into transfers (transfer_id, sequence, at_ms, kind, from_account, to_account, amount, currency)"
        " values ('x', 1, 0, :kind, 'a', :target, :amount, 'USDT')"
    )
    for kind, target, amount in [
        ("trade", "b", D(0)),
        ("trade", "b", D(-1)),
        ("trade", "a", D(1)),
        ("gift", "b", D(1)),
    ]:
        with pytest.raises(BadData, match="refused"), ledger.transaction() as tx:
            tx.execute(insert, {"kind": kind, "target": target, "amount": amount})
    with ledger.transaction() as tx:
        assert tx.execute(insert, {"kind": "trade", "target": "b", "amount": D(1)}) == 1


def test_funding_is_booked_once(ledger: Ledger) -> None:
    paid = transfers.funding("BTCUSDT-1", "paper", "main", D(-12), "USDT", T0)
    with ledger.transaction() as tx:
        fund(tx)
        assert cash.post_once(tx, paid)
        assert not cash.post_once(tx, paid)
        assert portfolio.cash(tx) == 988
        with pytest.raises(HaltTrading, match="funding paper/main:BTCUSDT-1 was booked as 12 USDT"):
            cash.post_once(tx, replace(paid, amount=D(13)))
        assert [record.kind for record in audit.for_subject(tx, "paper/main:BTCUSDT-1")] == ["funding"]


def test_a_cancel_that_was_asked_for_is_an_event_and_stays_a_wish(ledger: Ledger) -> None:
    bought = order(1)
    with ledger.transaction() as tx:
        fund(tx)
        place(tx, bought)
        wish = Event(EventKind.REQUEST_CANCEL, "halted")
        current = orders.require(tx, bought.client_order_id)
        for _ in range(2):
            assert orders.append(tx, current, wish, T0).state is S.SENDING
        assert [event.cause for event in orders.events(tx, bought.client_order_id)] == [
            "decided",
            "sending",
            "halted",
        ]
        assert order_history.life(tx, current).cancel_requested
        orders.transition(tx, bought.client_order_id, S.UNKNOWN, "lost", T0)
        after = orders.transition(tx, bought.client_order_id, S.INTENT, "absent", T0)
        assert after.state is S.CANCELLED
        assert cash.reserved(tx, "USDT") == 0


def test_linked_orders_come_back_as_they_were(ledger: Ledger) -> None:
    parent = order(1)
    stop = replace(
        order(2, side=Side.SELL), parent_id=parent.client_order_id, reduce_only=True, stop_price=D("0.9")
    )
    signed = replace(stop, signature="ab")
    with ledger.transaction() as tx:
        fund(tx)
        orders.commit_orders(tx, [parent, signed], T0)
        assert orders.linked(tx, parent.client_order_id) == [stop]
        assert orders.signed(tx, stop).signature == "ab"
        assert orders.signed(tx, parent).signature == ""


def books(tx: Transaction) -> tuple[object, ...]:
    balances = {name: amount for name, amount in cash.balances(tx).items() if amount}
    states = tx.query("select client_order_id, state from orders order by client_order_id")
    held = tx.query("select symbol, quantity, average_cost, realised_pnl, opened_at_ms from positions")
    return balances, states, held


@pytest.mark.parametrize("seed", range(8))
def test_late_doubled_and_reordered_fills_end_in_the_same_books(ledger: Ledger, seed: int) -> None:
    """Two buys of a position, a sale between them in time, and prices that do not divide evenly."""
    first, sold, second = order(1), order(2, "5", Side.SELL, "S1USDT"), order(3, symbol="S1USDT")
    reported = [
        *(replace(fill(first, n, "3.333", price=f"1.{n}07"), filled_at_ms=T0 + 10 * n) for n in (1, 2)),
        replace(fill(first, 3, "3.334", price="1.3"), filled_at_ms=T0 + 30),
        replace(fill(sold, 1, "2", price="2"), filled_at_ms=T0 + 40),
        replace(fill(sold, 2, "3", price="0.7"), filled_at_ms=T0 + 40),
        *(replace(fill(second, n, "5", price=f"1.{n}1"), filled_at_ms=T0 + 35 + 10 * n) for n in (1, 2)),
    ]
    of = {each.client_order_id: each for each in (first, sold, second)}
    seen = []
    for shuffled in (False, True):
        arrivals = list(reported)
        if shuffled:
            chance = random.Random(seed)
            arrivals += chance.sample(reported, 4)
            chance.shuffle(arrivals)
        outcome: tuple[object, ...] = ()
        with pytest.raises(Undone), ledger.transaction() as tx:
            fund(tx)
            place(tx, first, sold, second)
            while arrivals:
                each = arrivals.pop(0)
                held = portfolio.position(tx, "fork", "main", "S1USDT")
                if each.side is Side.SELL and (held is None or held.quantity < each.quantity):
                    arrivals.append(each)  # more is sold than is known to be held: reported again later
                    continue
                fills.record(tx, each, of[each.client_order_id], T0 + 99)
            outcome = books(tx)
            (position,) = portfolio.positions(tx)
            account = (position_account("fork", "main", "S1USDT"), "USDT")
            assert cash.balances(tx)[account] == cost_basis(position)
            assert transfers.imbalance(cash.balances(tx)) == {}
            assert cash.balances(tx)[(free_cash("paper", "main"), "USDT")] == portfolio.cash(tx)
            raise Undone
        seen.append(outcome)
    assert seen[0] == seen[1]


class Undone(Exception):
    """Rolls an attempt back, so that the next begins from nothing."""
