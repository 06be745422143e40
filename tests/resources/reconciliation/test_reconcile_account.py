"""Reconciling on a real ledger: a venue that is told what it shows, and the paper venue."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path

import pytest

from resources.clock import FixedClock
from resources.execution import sender
from resources.reconciliation.offsets import net_offset
from resources.reconciliation.reconcile import Reconciled, Scope, reconcile
from resources.venues.paper.resource import PaperVenue
from tests.trading_scenario import CLOSE_MS, NOW_MS, bars, decision, instrument, order
from trading.costs.model import CostModel
from trading.errors import BadData, RetryLater
from trading.execution.approval import sign_intents
from trading.ledger.transfers import imbalance
from trading.model.account import (
    CashKind,
    CashMove,
    FillCause,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Fill, Order, OrderState, Side
from trading.model.series import Market
from trading.ports import Account, OrderReport, Venue
from trading.reconciliation.breaks import BreakKind
from warehouse.ledger import accounts, audit, breaks, cash, fills, orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

D = Decimal
S = OrderState
KEY = b"k" * 32
SCOPE = Scope()
BEGIN = CLOSE_MS - 60_000
PAID_IN = D(100_000)


@dataclass
class Shown:
    """A venue that shows what it is told to, and may change between two looks."""

    derivatives: bool = True
    name: str = "paper"
    absence_proven_after_ms: int = 1_000
    clock_ms: int = NOW_MS
    orders: list[VenueOrder] = field(default_factory=list)
    listed: list[VenueFill] = field(default_factory=list)
    wallet: Decimal = PAID_IN
    coins: dict[str, Decimal] = field(default_factory=dict)
    held: dict[str, str] = field(default_factory=dict)
    moves: list[CashMove] = field(default_factory=list)
    reports: dict[str, OrderReport] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)
    asked: list[tuple[tuple[str, ...], int]] = field(default_factory=list)
    on_look: Callable[[int], None] = lambda look: None

    def now_ms(self) -> int:
        return self.clock_ms

    def open_orders(self) -> list[VenueOrder]:
        return list(self.orders)

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        self.asked.append((tuple(symbols), since_ms))
        self.on_look(len(self.asked))
        return [item for item in self.listed if item.symbol in symbols and item.filled_at_ms >= since_ms]

    def balances(self) -> list[VenueBalance]:
        coins = [VenueBalance(name, amount, D(0)) for name, amount in self.coins.items()]
        return [VenueBalance("USDT", self.wallet, D(0)), *coins]

    def positions(self) -> list[VenuePosition]:
        return [VenuePosition(name, D(quantity), D(100), D(100)) for name, quantity in self.held.items()]

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        return [item for item in self.moves if item.at_ms >= since_ms]

    def submit(self, sent: Order) -> OrderReport:
        self.sent.append(sent.client_order_id)
        return OrderReport(sent.client_order_id, S.OPEN, ())

    def lookup(self, client_order_id: str) -> OrderReport | None:
        return self.reports.get(client_order_id)

    def cancel(self, client_order_id: str) -> OrderReport:
        raise NotImplementedError

    def cancel_order(self, order: VenueOrder) -> None:
        raise NotImplementedError

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        raise NotImplementedError

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        raise NotImplementedError

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        return False


_IS_VENUE: Venue = Shown()
_IS_ACCOUNT: Account = Shown()


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    opened = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    opened.migrate()
    yield opened
    opened.close()


@pytest.fixture
def funded(ledger: Ledger) -> Ledger:
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", PAID_IN, "USDT", BEGIN)
    return ledger


def commit(ledger: Ledger, *given: Order) -> None:
    made = decision(decision_id="decision")
    verdict = Verdict("decision", VerdictKind.APPROVED, "within_limits", D(1000), ())
    with ledger.transaction() as tx:
        orders.commit_intents(tx, [made], [verdict], sign_intents(given, [verdict], KEY), NOW_MS)


def send(ledger: Ledger, venue: Shown) -> sender.Settled:
    return sender.send(ledger, venue, "tick", venue.clock_ms, key=KEY)


def bought(ledger: Ledger, quantity: str = "10") -> Shown:
    """A desk holds ten at 100, and the venue says so."""
    made = order(market=Market.USDM, quantity=D(quantity))
    venue = Shown(held={"AAAUSDT": quantity})
    commit(ledger, made)
    send(ledger, venue)
    fill = Fill("paper", "f1", "tm-0", "AAAUSDT", Side.BUY, D(quantity), D(100), D(0), "USDT", NOW_MS, 0.0)
    sender.book(ledger, made, OrderReport("tm-0", S.FILLED, (fill,)), NOW_MS)
    venue.listed.append(listed(fill))
    return venue


def listed(fill: Fill, cause: FillCause = FillCause.OURS) -> VenueFill:
    return VenueFill(
        fill.venue_fill_id, f"v-{fill.client_order_id}", fill.client_order_id, fill.symbol, fill.side, fill.quantity,
        fill.price, fill.fee, fill.fee_currency, fill.filled_at_ms, cause,
    )  # fmt: skip


def run(ledger: Ledger, venue: Shown, ms: int = 5_000) -> Reconciled:
    venue.clock_ms += ms
    return reconcile(ledger, venue, venue, SCOPE)


def open_kinds(ledger: Ledger) -> list[BreakKind]:
    with ledger.read() as tx:
        return [item.content.kind for item in breaks.open_breaks(tx)]


def liquidate(venue: Shown, quantity: str, number: int = 1) -> None:
    """The venue closes a part of what is held, at 90, and takes a fee of 1."""
    gone = D(quantity)
    left = D(venue.held.pop("AAAUSDT")) - gone
    if left:
        venue.held["AAAUSDT"] = str(left)
    fill = Fill(
        "paper", f"liq{number}", f"autoclose-{number}", "AAAUSDT", Side.SELL, gone, D(90), D(1), "USDT",
        venue.clock_ms, 0.0,
    )  # fmt: skip
    venue.listed.append(listed(fill, FillCause.LIQUIDATION))
    venue.wallet -= gone * 10 + 1


def test_an_account_that_agrees_changes_nothing(funded: Ledger) -> None:
    venue = bought(funded)
    with funded.read() as tx:
        before = audit.head(tx)
    done = run(funded, venue)
    assert (done.new_fills, done.adopted, done.opened, done.blocking) == (0, 0, 0, 0)
    with funded.read() as tx:
        assert audit.head(tx) == before
        read = accounts.read_until(tx, "paper", "main")
    assert read is not None
    assert read.read_until_ms == venue.clock_ms
    run(funded, venue, ms=10 * 3_600_000)
    run(funded, venue)
    assert venue.asked[-1] == (("AAAUSDT",), venue.clock_ms - 5_000 - 3_600_000), "an hour is read again"


def test_a_liquidation_is_adopted_labelled_and_freezes_what_believes_to_hold(funded: Ledger) -> None:
    venue = bought(funded)
    liquidate(venue, "4")
    done = run(funded, venue)
    assert (done.adopted, [item.cause for item in done.foreign]) == (1, [FillCause.LIQUIDATION])
    assert open_kinds(funded) == [BreakKind.OFFSET]
    with funded.read() as tx:
        desks = {item.desk: item.quantity for item in portfolio.positions(tx)}
        assert desks == {"fork": 10, "venue": -4}
        assert portfolio.cash(tx) == 100_000 - 1000 + 360 - 1
        assert imbalance(cash.balances(tx)) == {}
        assert portfolio.load(tx, {}, 0).broken_symbols == ("AAAUSDT",)
    again = run(funded, venue)
    assert (again.adopted, again.opened, again.resolved, again.blocking) == (0, 0, 0, 1)
    commit(
        funded,
        order(client_order_id="tm-more", market=Market.USDM),
        order(client_order_id="tm-all", market=Market.USDM, side=Side.SELL, reduce_only=True),
        order(client_order_id="tm-some", market=Market.USDM, side=Side.SELL, reduce_only=True, quantity=D(6)),
    )
    done_sending = send(funded, venue)
    assert (done_sending.held, done_sending.cancelled, venue.sent[1:]) == (1, 1, ["tm-some"])
    assert audit.verify(funded).intact


def test_a_person_settles_an_offset_and_the_desk_realises_what_was_lost_for_it(funded: Ledger) -> None:
    venue = bought(funded)
    liquidate(venue, "4")
    run(funded, venue)
    with funded.read() as tx:
        before = portfolio.cash(tx)
    assert net_offset(funded, "AAAUSDT", venue="paper", by="me", at_ms=venue.clock_ms) == 1
    with funded.read() as tx:
        held = {item.desk: item for item in portfolio.positions(tx)}
        assert (held["fork"].quantity, held["fork"].realised_pnl, len(held)) == (6, D("-41"), 1)
        assert portfolio.cash(tx) == before
        assert imbalance(cash.balances(tx)) == {}
        assert fills.net_quantities(tx, "paper", "main") == {"AAAUSDT": 6}
    assert open_kinds(funded) == []
    done = run(funded, venue)
    assert (done.opened, done.adopted, done.blocking) == (0, 0, 0)
    with pytest.raises(BadData, match="nothing to net"):
        net_offset(funded, "AAAUSDT", venue="paper", by="me", at_ms=venue.clock_ms)
    assert audit.verify(funded).intact


def test_a_missing_position_blocks_at_the_second_look_and_is_resolved_when_it_is_back(funded: Ledger) -> None:
    venue = bought(funded)
    gone = dict(venue.held)
    venue.held.clear()
    done = run(funded, venue)
    assert (done.opened, done.blocking, open_kinds(funded)) == (1, 1, [BreakKind.POSITION])
    with funded.read() as tx:
        (item,) = breaks.open_breaks(tx)
        assert (item.content.ours, item.content.theirs) == ("10", "absent")
        assert portfolio.positions(tx)[0].quantity == 10, "never taken for flat"
    since = venue.asked[-1][1]
    run(funded, venue, ms=9 * 3_600_000)
    assert venue.asked[-1][1] == since, "it is read again from when all was well"
    venue.held = gone
    assert run(funded, venue).resolved == 1
    assert open_kinds(funded) == []


def test_a_trade_between_two_looks_is_no_break(funded: Ledger) -> None:
    venue = bought(funded)

    def trade(look: int) -> None:
        if look == 1:  # the quantities were read, the fill comes while fills are listed
            liquidate(venue, "4")

    venue.on_look = trade
    done = run(funded, venue)
    assert (done.adopted, open_kinds(funded)) == (1, [BreakKind.OFFSET])
    restless = bought_again(funded, venue)
    done = run(funded, restless)
    assert (done.opened, open_kinds(funded)) == (0, [BreakKind.OFFSET])


def bought_again(ledger: Ledger, venue: Shown) -> Shown:
    """From now on somebody trades during every look."""

    def trade(look: int) -> None:
        liquidate(venue, "0.1", number=look)

    venue.on_look = trade
    return venue


def test_fills_and_movements_are_booked_once_across_restarts(funded: Ledger) -> None:
    made = order(market=Market.USDM)
    commit(funded, made)
    venue = Shown(held={"AAAUSDT": "10"})
    send(funded, venue)
    fill = Fill("paper", "f1", "tm-0", "AAAUSDT", Side.BUY, D(10), D(100), D(1), "USDT", NOW_MS, 0.0)
    venue.listed = [listed(fill), listed(fill)]
    venue.moves = [CashMove("m1", CashKind.FUNDING, "USDT", D("-0.5"), NOW_MS, "AAAUSDT")] * 2
    venue.wallet -= D("1.5")
    venue.reports["tm-0"] = OrderReport("tm-0", S.OPEN, (), executed=D(10))
    done = run(funded, venue)
    assert (done.new_fills, done.moves, done.blocking) == (1, 1, 0)
    for _ in range(3):
        again = run(funded, venue)
        assert (again.new_fills, again.moves, again.adopted, again.blocking) == (0, 0, 0, 0)
    with funded.read() as tx:
        assert orders.require(tx, "tm-0").state is S.FILLED
        assert [item.venue_fill_id for item in fills.for_order(tx, "tm-0")] == ["f1"]
        assert cash.balances(tx)[("funding", "USDT")] == D("0.5")


def test_a_fill_that_the_books_refuse_is_a_break_and_the_others_are_booked(funded: Ledger) -> None:
    """A spot sale of more than the desk holds: whatever it was, it is not taken for a short."""
    sold = order(side=Side.SELL, reduce_only=True)
    with funded.transaction() as tx:
        orders.commit_orders(tx, [sold], NOW_MS)
        orders.transition(tx, "tm-0", S.SENDING, "sending", NOW_MS)
    venue = Shown(derivatives=False, reports={"tm-0": OrderReport("tm-0", S.OPEN, ())})
    wrong = Fill("paper", "f1", "tm-0", "AAAUSDT", Side.SELL, D(10), D(100), D(0), "USDT", NOW_MS, 0.0)
    fine = replace(wrong, venue_fill_id="f2", client_order_id="web_1", side=Side.BUY, price=D(10))
    venue.listed = [listed(wrong), listed(fine)]
    venue.wallet += 900
    done = run(funded, venue)
    assert (done.new_fills, done.adopted) == (0, 1)
    assert BreakKind.FILL_REFUSED in open_kinds(funded)
    assert run(funded, venue).adopted == 0


def test_the_first_look_at_an_account_takes_over_what_is_there(ledger: Ledger) -> None:
    venue = Shown(held={"AAAUSDT": "-3"}, wallet=D(500), listed=[])
    assert run(ledger, venue) == Reconciled()
    with ledger.read() as tx:
        assert portfolio.cash(tx) == 500 + 300
        assert [(item.desk, item.quantity) for item in portfolio.positions(tx)] == [("manual", -3)]
        assert cash.spendable(tx, "paper", "main", "USDT") == 200
    done = run(ledger, venue)
    assert (done.blocking, done.opened, done.adopted) == (0, 0, 0)

    def trade(look: int) -> None:
        venue.wallet += 1

    other = replace(venue, name="restless", on_look=trade, asked=[])
    venue = other
    with pytest.raises(RetryLater, match="does not rest long enough"):
        run(ledger, other)


CLOCK = FixedClock(NOW_MS)


def paper(ledger: Ledger) -> PaperVenue:
    market = bars((0, 100.0, 500.0), (1, 101.0, 500.0), (19, 102.0, 500.0))
    return PaperVenue(
        ledger, lambda symbol, since_ms: market, CostModel(), {"AAAUSDT": instrument()}, FixedClock(NOW_MS)
    )


def test_the_paper_account_agrees_with_the_ledger_and_notices_a_lost_fill(funded: Ledger) -> None:
    venue = paper(funded)
    account: Account = venue
    commit(funded, order())
    sender.send(funded, venue, "tick", NOW_MS, key=KEY)
    done = reconcile(funded, venue, account, SCOPE)
    assert (done.blocking, done.opened, done.matched > 1) == (0, 0, True)
    with funded.transaction() as tx:
        (kept,) = tx.query("select * from paper_fills")
        tx.execute("delete from paper_fills")
    assert reconcile(funded, venue, account, SCOPE).blocking == 1
    assert open_kinds(funded) == [BreakKind.COIN]
    with funded.transaction() as tx:
        columns = ", ".join(kept)
        tx.execute(
            f"insert into paper_fills ({columns}) values ({', '.join(':' + name for name in kept)})", kept
        )
    done = reconcile(funded, venue, account, SCOPE)
    assert (done.resolved, done.blocking) == (1, 0)


def test_what_the_guard_reduces_on_paper_is_adopted(funded: Ledger) -> None:
    venue = paper(funded)
    commit(funded, order())
    sender.send(funded, venue, "tick", NOW_MS, key=KEY)
    reconcile(funded, venue, venue, SCOPE)
    with pytest.raises(BadData, match="holds 10"):
        venue.reduce("AAAUSDT", Side.SELL, D(11), "guard-1")
    with pytest.raises(BadData, match="reduces nothing"):
        venue.reduce("AAAUSDT", Side.BUY, D(1), "guard-1")
    with pytest.raises(BadData, match="holds 10"):
        venue.protect("AAAUSDT", Side.SELL, D(11), D(90), "guard-2")
    venue.reduce("AAAUSDT", Side.SELL, D(4), "guard-1")
    assert [item.client_order_id for item in venue.open_orders()] == ["guard-1"]
    later = PaperVenue(
        funded,
        lambda symbol, since_ms: bars((20, 99.0, 900.0)),
        CostModel(),
        {"AAAUSDT": instrument()},
        FixedClock(NOW_MS + 120_000),
    )
    done = reconcile(funded, later, later, SCOPE)
    assert (done.adopted, done.foreign[0].desk, open_kinds(funded)) == (1, "manual", [BreakKind.OFFSET])
    venue.cancel_order(replace(open_order(), client_order_id="nobody"))


def open_order() -> VenueOrder:
    made = order()
    return VenueOrder(
        made.client_order_id,
        "v",
        made.symbol,
        made.side,
        made.order_type,
        made.quantity,
        D(0),
        S.OPEN,
        NOW_MS,
    )
