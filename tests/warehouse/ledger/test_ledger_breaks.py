"""Breaks, foreign fills and how far an account has been read, on both backends."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

from ledger_samples import T0, fill, order

from trading.ledger.accounting import cost_basis
from trading.ledger.transfers import imbalance, position_account
from trading.model.account import CashKind, CashMove, FillCause, VenueFill, VenueOrder
from trading.model.order import OrderState, OrderType, Side
from trading.model.series import Market
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity
from trading.reconciliation.moves import transfer_of
from trading.reconciliation.state import VenueState
from warehouse.ledger import accounts, audit, breaks, cash, fills, orders, portfolio
from warehouse.ledger.accounts import ReadUntil
from warehouse.ledger.backend import Ledger
from warehouse.ledger.fills import Owner

D = Decimal
POSITION = Break(BreakKind.POSITION, "S1USDT", "S1USDT", BreakSeverity.BLOCKS, "3", "absent")
CASH = Break(BreakKind.CASH, "USDT", "", BreakSeverity.BLOCKS, "10", "9")
STRANGER = Break(BreakKind.FOREIGN_ORDER, "web_1", "S2USDT", BreakSeverity.ALERTS, "absent", "buy 1")
MANUAL = Owner("manual", "", shorts=True)


def test_a_break_opens_once_changes_and_is_resolved_and_may_come_back(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert breaks.update(tx, "paper", "main", [POSITION, CASH, STRANGER], T0) == (3, 0)
        assert breaks.update(tx, "paper", "main", [POSITION, CASH, STRANGER], T0 + 1) == (0, 0)
        assert breaks.blocking(tx) == (("S1USDT",), 1)
        held = portfolio.load(tx, {}, T0)
        assert (held.broken_symbols, held.account_breaks) == (("S1USDT",), 1)
        worse = replace(POSITION, theirs="1")
        assert breaks.update(tx, "paper", "main", [worse], T0 + 2) == (0, 2)
        (left,) = breaks.open_breaks(tx)
        assert (left.content, left.opened_at_ms, left.told_at_ms) == (worse, T0, None)
        breaks.mark_told(tx, [left.break_id], T0 + 3)
        assert breaks.open_breaks(tx, "paper", "main")[0].told_at_ms == T0 + 3
        assert breaks.open_breaks(tx, "paper", "other") == []
        assert breaks.update(tx, "paper", "other", [], T0 + 4) == (0, 0), (
            "another account's breaks are its own"
        )
        assert breaks.update(tx, "paper", "main", [], T0) == (0, 1)
        assert breaks.update(tx, "paper", "main", [POSITION], T0) == (1, 0)
        assert breaks.open_breaks(tx)[0].break_id != left.break_id
        kinds = [record.kind for record in audit.for_subject(tx, left.break_id)]
        assert kinds == ["break_opened", "break_changed", "break_resolved"]


def test_what_cannot_be_judged_stays_open(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        breaks.update(tx, "paper", "main", [POSITION, CASH, STRANGER], T0)
        assert breaks.update(tx, "paper", "main", [], T0 + 1, unjudged={"S1USDT", "USDT", "web_1"}) == (0, 1)
        assert {item.content.kind for item in breaks.open_breaks(tx)} == {BreakKind.POSITION, BreakKind.CASH}


def test_a_foreign_fill_is_adopted_once_and_the_books_balance_with_a_short(ledger: Ledger) -> None:
    sold = replace(fill(order(1, side=Side.SELL), 1, "4", "100", "0.4"), client_order_id="web_1")
    bought = replace(sold, venue_fill_id="other", side=Side.BUY, price=D(90), filled_at_ms=T0 - 5)
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        for _ in range(2):
            new = fills.adopt(tx, sold, MANUAL, cause=FillCause.LIQUIDATION, venue_order_id="v1", at_ms=T0)
        assert not new
        ((fill_, cause, desk),) = fills.untold(tx)
        assert (fill_.venue_fill_id, cause, desk) == (sold.venue_fill_id, FillCause.LIQUIDATION, "manual")
        fills.mark_told(tx, fill_, T0)
        assert fills.untold(tx) == []
        position = portfolio.position(tx, "manual", "", "S1USDT")
        assert position is not None
        assert (position.quantity, cost_basis(position)) == (-4, D("-399.6"))
        assert cash.spendable(tx, "paper", "main", "USDT") == D("1399.6") - 2 * D("399.6")
        assert fills.adopt(tx, bought, MANUAL, cause=FillCause.MANUAL, venue_order_id="v2", at_ms=T0)
        position = portfolio.position(tx, "manual", "", "S1USDT")
        assert position is not None
        assert (position.quantity, position.realised_pnl) == (0, D("39.2")), "the older one counts first"
        assert position_account("manual", "", "S1USDT") in {name for name, _ in cash.balances(tx)}
        assert imbalance(cash.balances(tx)) == {}
        assert fills.net_quantities(tx, "paper", "main") == {"S1USDT": 0}
        labels = tx.query(
            "select venue_fill_id, cause, desk from foreign_fills order by adopted_at_ms, cause"
        )
        assert [row["cause"] for row in labels] == ["liquidation", "manual"]


def test_a_derivative_order_may_open_a_short_and_comes_back_as_it_was(ledger: Ledger) -> None:
    short = replace(order(1, side=Side.SELL), market=Market.USDM)
    assert short.adds_exposure
    assert not replace(short, reduce_only=True).adds_exposure
    assert not order(1, side=Side.SELL).adds_exposure, "on a spot account nothing can be sold short"
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        assert orders.commit_orders(tx, [short], T0) == [short]
        assert cash.reserved(tx, "USDT") == D("12.406725"), "a short reserves what it is worth"
        orders.transition(tx, short.client_order_id, OrderState.SENDING, "sending", T0)
        fills.record(tx, fill(short, price="1.2345"), short, T0)
        assert orders.by_id(tx, short.client_order_id) == replace(short, state=OrderState.FILLED)
        (held,) = portfolio.positions(tx)
        assert held.quantity == -10
        free = cash.free(tx, "paper", "main", "USDT")
        assert cash.spendable(tx, "paper", "main", "USDT") == free - 2 * D("12.325")


def state(
    *listed: VenueFill, orders_: tuple[VenueOrder, ...] = (), moves: tuple[CashMove, ...] = ()
) -> VenueState:
    return VenueState(
        "paper", "main", False, 0, T0 + 1000, 500, True, orders=orders_, fills=listed, moves=moves
    )


def listed(of_id: str, client_order_id: str, venue_order_id: str = "v1") -> VenueFill:
    return VenueFill(of_id, venue_order_id, client_order_id, "S1USDT", Side.BUY, D(1), D(2), D(0), "USDT", T0)


def test_the_ledgers_side_holds_what_the_venues_answer_asks_for(ledger: Ledger) -> None:
    open_, done, other = order(1), order(2, symbol="S1USDT"), replace(order(3), account="other")
    funding = CashMove("m1", CashKind.FUNDING, "USDT", D(-3), T0, "S1USDT")
    paid = transfer_of(funding, "paper", "main")
    assert paid is not None
    with ledger.transaction() as tx:
        assert not accounts.has_history(tx, "paper", "main")
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        portfolio.deposit(tx, "other", D(1000), "USDT", T0, account="other")
        assert accounts.has_history(tx, "paper", "main")
        assert not accounts.has_history(tx, "paper", "third")
        orders.commit_orders(tx, [open_, done, other], T0)
        for each in (open_, done):
            orders.transition(tx, each.client_order_id, OrderState.SENDING, "sending", T0)
        fills.record(tx, fill(open_, 1, "4"), open_, T0)
        fills.record(tx, fill(done), done, T0)
        cash.post_once(tx, paid)
        ours = accounts.load(tx, state(listed("new", done.client_order_id), moves=(funding,)), "USDT")
        assert ours.orders.keys() == {open_.client_order_id, done.client_order_id}
        assert ours.orders[open_.client_order_id].life.filled == 4
        assert ours.orders[open_.client_order_id].sent_at_ms == T0
        assert ours.net == {"S1USDT": 14}
        assert ours.cash == {"USDT": portfolio.cash(tx) - 1000}
        assert ours.moves == {paid.transfer_id: paid}
        assert ours.booked == {}
        assert accounts.load(tx, state(), "USDT").orders.keys() == {open_.client_order_id}
        first = fill(open_, 1, "4")
        again = state(listed(first.venue_fill_id, ""), listed("new", "", "v1"))
        assert accounts.load(tx, again, "USDT").booked[first.venue_fill_id].quantity == 4
        assert accounts.symbols(tx, "paper", "main", "USDT") == {"S1USDT"}
        assert accounts.symbols(tx, "paper", "other", "USDT") == {"S3USDT"}


def test_recently_ended_orders_are_loaded_for_fills_without_a_name(ledger: Ledger) -> None:
    done = order(2, symbol="S1USDT")
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        orders.commit_orders(tx, [done], T0)
        orders.transition(tx, done.client_order_id, OrderState.CANCELLED, "asked", T0 + 900)
        assert accounts.load(tx, state(listed("new", "")), "USDT").orders.keys() == {done.client_order_id}
        seen = VenueOrder(
            done.client_order_id, "v9", "S1USDT", Side.BUY, OrderType.MARKET, D(1), D(0), OrderState.OPEN, T0
        )
        assert accounts.load(tx, state(orders_=(seen,)), "USDT").orders.keys() == {done.client_order_id}
        assert accounts.load(tx, state(), "USDT").orders == {}


def test_how_far_an_account_was_read_is_kept(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert accounts.read_until(tx, "paper", "main") is None
        accounts.store_read_until(tx, "paper", "main", ReadUntil(T0, T0), T0)
        accounts.store_read_until(tx, "paper", "main", ReadUntil(T0 + 5, T0 + 9), T0 + 9)
        assert accounts.read_until(tx, "paper", "main") == ReadUntil(T0, T0 + 9), "it was opened once"
