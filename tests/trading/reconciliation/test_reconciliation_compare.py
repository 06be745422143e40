"""Ledger against venue: what is booked, adopted, posted, and what is a break."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import order
from trading.errors import BadData
from trading.execution.lifecycle import Life
from trading.ledger.transfers import CAPITAL, FEES, FUNDING, free_cash
from trading.model.account import (
    CashKind,
    CashMove,
    FillCause,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.order import Order, OrderState, OrderType, Side
from trading.model.snapshot import Position
from trading.reconciliation.breaks import BreakKind, BreakSeverity, shown
from trading.reconciliation.compare import Findings, compare
from trading.reconciliation.fills import sort_fills
from trading.reconciliation.moves import transfer_of
from trading.reconciliation.opening import opening
from trading.reconciliation.state import LocalOrder, LocalState, VenueState

D = Decimal
S = OrderState
NOW = 1_000_000
LAG = 5_000
LONG_AGO = NOW - 10 * LAG


def known(
    state: OrderState = S.OPEN, filled: str = "0", changed_at_ms: int = LONG_AGO, **changes: Any
) -> LocalOrder:
    made = order(state=state, **changes)
    life = Life(made.client_order_id, made.quantity, state, D(filled), sent=state is not S.INTENT)
    return LocalOrder(made, life, changed_at_ms, changed_at_ms)


def at_venue(of: Order | None = None, **changes: Any) -> VenueOrder:
    of = of or order()
    values: dict[str, Any] = {
        "client_order_id": of.client_order_id, "venue_order_id": "v1", "symbol": of.symbol, "side": of.side,
        "order_type": OrderType.MARKET, "quantity": of.quantity, "executed": D(0), "state": S.OPEN,
        "updated_at_ms": LONG_AGO,
    }  # fmt: skip
    return VenueOrder(**(values | changes))


def executed(number: int = 1, **changes: Any) -> VenueFill:
    values: dict[str, Any] = {
        "venue_fill_id": f"f{number}", "venue_order_id": "v1", "client_order_id": "tm-0", "symbol": "AAAUSDT",
        "side": Side.BUY, "quantity": D(4), "price": D(100), "fee": D("0.4"), "fee_currency": "USDT",
        "filled_at_ms": LONG_AGO + number,
    }  # fmt: skip
    return VenueFill(**(values | changes))


def venue(**changes: Any) -> VenueState:
    values: dict[str, Any] = {
        "venue": "paper", "account": "main", "derivatives": False, "read_from_ms": 0, "taken_at_ms": NOW,
        "lag_ms": LAG, "stable": True, "balances": (VenueBalance("USDT", D(1000), D(0)),),
    }  # fmt: skip
    return VenueState(**(values | changes))


def local(*orders: LocalOrder, **changes: Any) -> LocalState:
    by_id = {each.order.client_order_id: each for each in orders}
    return LocalState(**({"currency": "USDT", "orders": by_id, "cash": {"USDT": D(1000)}} | changes))


def said(found: Findings) -> list[tuple[str, str, str, str, str, str]]:
    return [
        (item.kind.value, item.subject, item.symbol, item.severity.value, item.ours, item.theirs)
        for item in found.breaks
    ]


def kinds(found: Findings) -> list[BreakKind]:
    return [item.kind for item in found.breaks]


def test_an_account_that_agrees_has_nothing_to_say() -> None:
    found = compare(
        local(known(), net={"AAAUSDT": D(2)}),
        venue(
            orders=(at_venue(),),
            balances=(VenueBalance("USDT", D(900), D(100)), VenueBalance("AAA", D(1), D(1))),
        ),
    )
    assert found == Findings(2, (), (), (), (), frozenset(), frozenset())


def test_new_fills_of_our_orders_are_booked_and_what_they_cost_is_expected() -> None:
    """Listed twice and in the wrong order; 8 of 10 at 100, less fees, is what both sides then have."""
    listed = (executed(2), executed(1), executed(2))
    found = compare(
        local(known(S.UNKNOWN)),
        venue(
            fills=listed,
            orders=(at_venue(executed=D(8)),),
            balances=(VenueBalance("USDT", D("199.2"), D(0)), VenueBalance("AAA", D(8), D(0))),
        ),
    )
    (report,) = found.reports
    assert [fill.venue_fill_id for fill in report.fills] == ["f1", "f2"]
    assert (report.state, report.executed, found.breaks) == (S.OPEN, D(8), ())


def test_a_fill_is_found_by_the_venue_order_where_the_client_id_is_missing() -> None:
    nameless = executed(client_order_id="", filled_at_ms=NOW)
    found = compare(local(known()), venue(fills=(nameless,), orders=(at_venue(executed=D(4)),)))
    assert [report.client_order_id for report in found.reports] == ["tm-0"]
    before = sort_fills(local(known()), venue(fills=(nameless,)))
    assert (before.waiting, before.foreign) == ({"AAAUSDT"}, []), "it may be ours: nobody adopts it"
    late = executed(client_order_id="", symbol="BBBUSDT", filled_at_ms=NOW - LAG)
    assert sort_fills(local(known()), venue(fills=(late,))).waiting == {"BBBUSDT"}
    old = replace(late, filled_at_ms=NOW - LAG - 1)
    (adopted,) = sort_fills(local(known()), venue(fills=(old,))).foreign
    assert (adopted.desk, adopted.fill.client_order_id) == ("manual", "foreign:v1")
    ended = known(S.CANCELLED, symbol="BBBUSDT", changed_at_ms=NOW - LAG)
    assert sort_fills(local(ended), venue(fills=(old,))).waiting == {"BBBUSDT"}, "its last fill may be late"


@pytest.mark.parametrize(
    ("cause", "label", "desk"),
    [
        (FillCause.MANUAL, FillCause.MANUAL, "manual"),
        (FillCause.OURS, FillCause.MANUAL, "manual"),
        (FillCause.LIQUIDATION, FillCause.LIQUIDATION, "venue"),
        (FillCause.ADL, FillCause.ADL, "venue"),
    ],
)
def test_foreign_fills_are_labelled(cause: FillCause, label: FillCause, desk: str) -> None:
    found = compare(
        local(),
        venue(
            fills=(executed(client_order_id="web_1", cause=cause),),
            balances=(VenueBalance("USDT", D("599.6"), D(0)), VenueBalance("AAA", D(4), D(0))),
        ),
    )
    ((adopted,), breaks) = (found.foreign, found.breaks)
    assert (adopted.cause, adopted.desk, adopted.venue_order_id, breaks) == (label, desk, "v1", ())


def test_a_booked_fill_is_not_booked_again_and_must_not_change() -> None:
    first = compare(local(known()), venue(fills=(executed(),))).reports[0].fills[0]
    same = local(booked={"f1": first}, net={"AAAUSDT": D(4)}, cash={"USDT": D("599.6")})
    shows = venue(
        fills=(executed(),),
        balances=(VenueBalance("USDT", D("599.6"), D(0)), VenueBalance("AAA", D(4), D(0))),
    )
    assert compare(same, shows).reports == ()
    assert kinds(compare(same, shows)) == []
    other = replace(shows, fills=(executed(price=D(101)),))
    (found,) = compare(same, other).breaks
    assert (found.kind, found.severity) == (BreakKind.FILL_DIFFERS, BreakSeverity.BLOCKS)
    assert "at 100" in found.ours
    assert "at 101" in found.theirs


@pytest.mark.parametrize(
    ("ours", "fill"),
    [
        (known(), executed(side=Side.SELL)),
        (known(), executed(symbol="BBBUSDT")),
        (known(filled="7"), executed()),
        (known(S.INTENT), executed()),
    ],
)
def test_a_fill_that_its_order_cannot_have_is_refused(ours: LocalOrder, fill: VenueFill) -> None:
    found = compare(local(ours), venue(fills=(fill,)))
    assert BreakKind.FILL_REFUSED in kinds(found)
    assert not any(report.fills for report in found.reports)


def test_a_position_missing_at_the_venue_is_a_break_and_never_flat() -> None:
    held = local(net={"AAAUSDT": D(3), "BBBUSDT": D(-2)})
    found = compare(held, venue(derivatives=True, positions=(position("CCCUSDT", "1"),)))
    assert said(found) == [
        ("position", "AAAUSDT", "AAAUSDT", "blocks", "3", "absent"),
        ("position", "BBBUSDT", "BBBUSDT", "blocks", "-2", "absent"),
        ("position", "CCCUSDT", "CCCUSDT", "blocks", "0", "1"),
    ]
    assert (found.reports, found.foreign, found.unjudged) == ((), (), {"USDT"})


def position(symbol: str, quantity: str, entry: str = "100") -> VenuePosition:
    return VenuePosition(symbol, D(quantity), D(entry), D(123))


@pytest.mark.parametrize(
    ("wallet", "entry", "expected"),
    [
        ("1000.10", "0.01455", []),  # entered at 0.0145484, which is 0.11 less
        ("1000.00", "0.0145484", []),
        ("1000.10", "0.0145484", [("cash", "alerts")]),
        ("999.50", "0.01455", [("cash", "blocks")]),
        ("1000.40", "0.01455", [("cash", "alerts")]),
        ("1000.40", "0.01", [("cash", "blocks")]),  # the zeros of 0.01000 are not shown
    ],
)
def test_a_price_at_entry_is_rounded_and_cheap_coins_are_many(
    wallet: str, entry: str, expected: list[tuple[str, str]]
) -> None:
    quantity, entered = D(-68737), D("0.0145484")
    ours = {"net": {"AAAUSDT": quantity}, "cash": {"USDT": D(1000) - quantity * entered}}
    shows = venue(
        derivatives=True,
        positions=(position("AAAUSDT", str(quantity), entry),),
        balances=(VenueBalance("USDT", D(wallet), D(0)),),
    )
    found = compare(local(**ours), shows).breaks
    assert [(item.kind, item.severity) for item in found] == expected


def test_quantities_have_no_tolerance_and_cash_a_small_one() -> None:
    exact = {"net": {"AAAUSDT": D(3)}, "cash": {"USDT": D(700)}}
    shows = venue(derivatives=True, positions=(position("AAAUSDT", "3"),))
    assert said(compare(local(**exact), shows)) == [], "a wallet has not paid for its positions"
    off = replace(shows, positions=(position("AAAUSDT", "3.00000001"),))
    assert kinds(compare(local(**exact), off)) == [BreakKind.POSITION]
    for cash, expected in (
        ("999.99", []),
        ("999.98", [("cash", "blocks")]),
        ("1000.02", [("cash", "alerts")]),
    ):
        there = replace(shows, balances=(VenueBalance("USDT", D(cash), D(0)),))
        found = compare(local(**exact), there)
        assert [(item.kind.value, item.severity.value) for item in found.breaks] == expected, cash
        assert all(item.symbol == "" for item in found.breaks), "cash concerns the whole account"


def test_coins_of_a_spot_account_count_fees_and_deposits() -> None:
    ours = local(net={"AAAUSDT": D("1.5")}, cash={"USDT": D(1000), "AAA": D("0.5"), "BNB": D("-0.1")})
    money = VenueBalance("USDT", D(1000), D(0))
    good = venue(balances=(money, VenueBalance("AAA", D(2), D(0)), VenueBalance("BNB", D("-0.1"), D(0))))
    assert compare(ours, good).breaks == ()
    less = venue(balances=(money, VenueBalance("AAA", D("1.9"), D(0)), VenueBalance("CCC", D(1), D(0))))
    assert said(compare(ours, less)) == [
        ("coin", "AAA", "AAAUSDT", "blocks", "2", "1.9"),
        ("coin", "BNB", "BNBUSDT", "alerts", "-0.1", "absent"),
        ("coin", "CCC", "CCCUSDT", "alerts", "0", "1"),
    ]
    with pytest.raises(BadData, match="AAABTC is not quoted in the account's currency USDT"):
        compare(local(net={"AAABTC": D(1)}), good)


def test_what_an_order_of_ours_may_explain_is_not_judged() -> None:
    working = local(known(filled="4"), net={"AAAUSDT": D(4)})
    for there, unjudged in (("4", set()), ("10", {"AAA", "USDT"}), ("10.1", {"USDT"}), ("3", {"USDT"})):
        shows = venue(
            orders=(at_venue(),),
            balances=(VenueBalance("USDT", D(1000), D(0)), VenueBalance("AAA", D(there), D(0))),
        )
        found = compare(working, shows)
        assert found.unjudged == unjudged, there
        assert kinds(found) == ([BreakKind.COIN] if there in ("10.1", "3") else []), there
    restless = venue(stable=False, derivatives=True)
    assert compare(local(net={"AAAUSDT": D(1)}), restless).unjudged == {"AAAUSDT", "USDT"}


def test_orders_that_only_one_side_knows() -> None:
    assert kinds(compare(local(known()), venue())) == [BreakKind.ORDER_MISSING]
    assert kinds(compare(local(known(changed_at_ms=NOW - LAG)), venue())) == [], "it may not show yet"
    for state in (S.SENDING, S.UNKNOWN, S.INTENT):
        assert kinds(compare(local(known(state)), venue())) == [], "settling proves what became of it"
    for state in (S.CANCELLED, S.INTENT):
        assert kinds(compare(local(known(state)), venue(orders=(at_venue(),)))) == [BreakKind.ORDER_ALIVE]
    larger = at_venue(quantity=D(11))
    assert kinds(compare(local(known()), venue(orders=(larger,)))) == [BreakKind.ORDER_DIFFERS]
    stranger, orphan = at_venue(client_order_id="web_7"), at_venue(client_order_id="tm-77")
    assert [
        (item.kind, item.severity) for item in compare(local(), venue(orders=(stranger, orphan))).breaks
    ] == [
        (BreakKind.FOREIGN_ORDER, BreakSeverity.ALERTS),
        (BreakKind.ORPHAN_ORDER, BreakSeverity.BLOCKS),
    ]


def move(kind: CashKind, amount: str, number: int = 1, currency: str = "USDT") -> CashMove:
    return CashMove(
        f"m{number}", kind, currency, D(amount), NOW, "AAAUSDT" if kind is CashKind.FUNDING else ""
    )


def test_movements_of_cash_are_posted_once_by_what_they_are() -> None:
    cash = free_cash("paper", "main")
    table = {
        CashKind.FUNDING: (FUNDING, "funding"),
        CashKind.DEPOSIT: (CAPITAL, "deposit"),
        CashKind.WITHDRAWAL: (CAPITAL, "deposit"),
        CashKind.TRANSFER: (CAPITAL, "deposit"),
        CashKind.LIQUIDATION: (FEES, "fee"),
        CashKind.OTHER: (FEES, "fee"),
    }
    for kind in CashKind:
        posted = transfer_of(move(kind, "-3"), "paper", "main")
        if kind not in table:
            assert posted is None, "fills say it already"
            continue
        assert posted is not None
        assert (posted.from_account, posted.to_account, posted.kind.value) == (cash, *table[kind])
        assert transfer_of(move(kind, "0"), "paper", "main") is None
    twice = (move(CashKind.FUNDING, "-3"), move(CashKind.FUNDING, "-3"), move(CashKind.DEPOSIT, "13", 2))
    found = compare(local(), venue(moves=twice, balances=(VenueBalance("USDT", D(1010), D(0)),)))
    assert ([transfer.amount for transfer in found.moves], found.breaks) == ([3, 13], ())
    booked = {transfer.transfer_id: transfer for transfer in found.moves}
    again = local(moves=booked, cash={"USDT": D(1010)})
    assert compare(again, venue(moves=twice, balances=(VenueBalance("USDT", D(1010), D(0)),))).moves == ()
    changed = venue(moves=(move(CashKind.FUNDING, "-4"),), balances=(VenueBalance("USDT", D(1010), D(0)),))
    assert [(item.kind, item.symbol) for item in compare(again, changed).breaks] == [
        (BreakKind.MOVE_DIFFERS, "")
    ]


def test_what_others_closed_of_a_desks_holding_is_an_offset() -> None:
    desk = Position("fork", "", "AAAUSDT", D(10), D(100), 0)
    closed = Position("venue", "", "AAAUSDT", D(-4), D(90), 0)
    held = local(holdings=(desk, closed), net={"AAAUSDT": D(6)}, cash={"USDT": D(400)})
    shows = venue(derivatives=True, positions=(position("AAAUSDT", "6"),))
    assert said(compare(held, shows)) == [
        ("offset", "AAAUSDT", "AAAUSDT", "blocks", "10 held by desks", "-4 by others")
    ]
    beside = replace(held, holdings=(desk, replace(closed, quantity=D(-4), symbol="BBBUSDT")))
    assert said(compare(beside, shows)) == []


def test_the_first_look_takes_over_what_is_there() -> None:
    shows = venue(
        derivatives=True,
        balances=(VenueBalance("USDT", D(90), D(10)), VenueBalance("BNB", D(0), D(0))),
        positions=(position("AAAUSDT", "-3", "50"),),
    )
    taken = opening(shows, "USDT")
    assert [(item.amount, item.to_account) for item in taken.deposits] == [(100, free_cash("paper", "main"))]
    ((short,),) = (taken.positions,)
    assert (short.fill.side, short.fill.quantity, short.fill.price, short.desk) == (
        Side.SELL,
        3,
        50,
        "manual",
    )
    after = local(net={"AAAUSDT": D(-3)}, cash={"USDT": D(250)})
    assert compare(after, shows).breaks == ()


def test_figures_are_shown_exactly() -> None:
    assert [shown(value) for value in (None, D("0E-18"), D("-0.500"), D("1E+3"), D("100"))] == [
        "absent", "0", "-0.5", "1000", "100",
    ]  # fmt: skip


FILLS = st.lists(
    st.tuples(st.booleans(), st.integers(1, 50), st.integers(90, 110), st.sampled_from(["tm-0", "web_1"])),
    max_size=6,
)


@given(FILLS, st.booleans(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_a_truthful_venue_never_breaks_whatever_has_been_booked(
    made: list[tuple[bool, int, int, str]], derivatives: bool, chance: Any
) -> None:
    """Any part of the fills is booked, the venue lists all of them in any order: all are told apart, none is a break."""
    listed = [
        executed(number, client_order_id="web_1" if not buy else name, side=Side.BUY if buy else Side.SELL,
                 quantity=D(quantity), price=D(price), fee=D(1))
        for number, (buy, quantity, price, name) in enumerate(made)
    ]  # fmt: skip
    ours = known(quantity=D(1_000))
    before = local(ours)
    everything = compare(before, venue(fills=tuple(listed)))
    all_fills = [
        *(f for r in everything.reports for f in r.fills),
        *(item.fill for item in everything.foreign),
    ]
    booked = {fill.venue_fill_id: fill for fill in all_fills if chance.random() < 0.5}

    def totals(fills: Any) -> tuple[Decimal, Decimal]:
        signs = [(1 if each.side is Side.BUY else -1, each) for each in fills]
        spent = sum((sign * each.quantity * each.price + 1 for sign, each in signs), D(0))
        return sum((sign * each.quantity for sign, each in signs), D(0)), D(1000) - spent

    quantity, cash = totals(listed)
    wallet = cash + quantity * 100 if derivatives else cash
    shows = venue(
        derivatives=derivatives,
        fills=tuple(chance.sample(listed, len(listed))),
        orders=(at_venue(ours.order),),
        balances=(VenueBalance("USDT", wallet, D(0)),)
        + (() if derivatives else (VenueBalance("AAA", quantity, D(0)),)),
        positions=(position("AAAUSDT", str(quantity)),) if derivatives and quantity else (),
    )
    held, money = totals(booked.values())
    filled = sum((f.quantity for f in booked.values() if f.client_order_id == "tm-0"), D(0))
    state = known(quantity=D(1_000), filled=str(filled))
    found = compare(local(state, booked=booked, net={"AAAUSDT": held}, cash={"USDT": money}), shows)
    assert found.breaks == ()
    fresh = {fill.venue_fill_id for report in found.reports for fill in report.fills}
    fresh |= {item.fill.venue_fill_id for item in found.foreign}
    assert fresh == {each.venue_fill_id for each in listed} - booked.keys()
