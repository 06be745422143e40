"""Shorts and flips at average cost: nothing leaks, and a plain oracle in fractions agrees."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import order
from trading.errors import HaltTrading
from trading.ledger.accounting import apply_fill, cost_basis, mark, replay, short_cost, signed_quantity
from trading.ledger.transfers import (
    balances,
    deposit,
    free_cash,
    funding,
    imbalance,
    of_fill,
    position_account,
)
from trading.model.order import Fill, Side
from trading.model.snapshot import Position

D = Decimal
DEPOSIT = D(1_000_000)


def fill(signed: str, price: str, fee: str = "0", currency: str = "USDT", number: int = 1) -> Fill:
    quantity = D(signed)
    side = Side.BUY if quantity > 0 else Side.SELL
    return Fill(
        "venue", f"f{number}", "tm-0", "AAAUSDT", side, abs(quantity), D(price), D(fee), currency,
        1000 + number, 0.0,
    )  # fmt: skip


def book(*fills: Fill) -> tuple[Position, Decimal]:
    position: Position | None = None
    realised = D(0)
    for each in fills:
        position, realised = apply_fill(position, each, desk="fork", strategy_id="", shorts=True)
    assert position is not None
    return position, realised


def test_a_short_by_hand() -> None:
    position, realised = book(fill("-2", "100", "0.2"))
    assert (position.quantity, position.average_cost, realised) == (-2, D("99.9"), 0)
    assert cost_basis(position) == D("-199.8"), "what was received, after the fee"
    position, realised = book(fill("-2", "100", "0.2"), fill("-2", "110", "0.2"))
    assert (position.quantity, position.average_cost, realised) == (-4, D("104.9"), 0)
    position, realised = book(
        fill("-2", "100", "0.2"), fill("-2", "110", "0.2"), fill("1", "90", "0.1", number=9)
    )
    assert realised == D("104.9") - D("90.1")
    assert (position.quantity, position.average_cost, position.opened_at_ms) == (-3, D("104.9"), 1001)
    position, realised = book(fill("-2", "100"), fill("2", "120"))
    assert (position.quantity, position.average_cost, realised) == (0, 0, -40)


def test_a_flip_closes_the_whole_and_opens_the_rest_at_its_own_price_and_share_of_the_fee() -> None:
    position, realised = book(fill("2", "100", "0.2"), fill("-5", "110", "0.5", number=7))
    # Closed: 2 at 110 less 0.2 of the fee, bought for 200.2. Opened: 3 short at 110 less 0.1 each.
    assert realised == D("220") - D("0.2") - D("200.2") == D("19.6")
    assert (position.quantity, position.average_cost, position.opened_at_ms) == (-3, D("109.9"), 1007)
    position, realised = book(fill("-3", "110"), fill("4", "100", "0.4", number=8))
    assert realised == D("30") - D("0.3")
    assert (position.quantity, position.average_cost) == (1, D("100.1"))


def test_spot_still_refuses_what_is_not_held() -> None:
    with pytest.raises(HaltTrading, match="sells 2 AAAUSDT but fork/ holds 1"):
        held, _ = apply_fill(None, fill("1", "100"), desk="fork", strategy_id="")
        apply_fill(held, fill("-2", "100"), desk="fork", strategy_id="")


def test_a_short_counts_against_equity_and_ties_up_cash() -> None:
    position, _ = book(fill("-2", "100"))
    assert mark([position], D(1200), {"AAAUSDT": D(110)}).equity == 980, "it costs 220 to buy back"
    assert short_cost([position]) == 200
    covered = Position("manual", "", "AAAUSDT", D(5), D(90), 0)
    assert short_cost([position, covered]) == 0, "what others hold of it covers it"


def test_a_fee_in_the_base_lowers_what_was_bought() -> None:
    assert signed_quantity(fill("2", "100", "0.5", "AAA")) == D("1.5")
    assert signed_quantity(fill("-2", "100", "0.5", "AAA")) == D("-2.5")
    assert signed_quantity(fill("-2", "100", "0.5", "BNB")) == -2


AMOUNT = st.decimals(min_value="0.00000001", max_value="99999", places=8)
TRADE = st.tuples(st.booleans(), AMOUNT, AMOUNT, st.decimals(min_value="-1", max_value="10", places=8))
PAID = st.decimals(min_value="-50", max_value="50", places=8)


class Oracle:
    """Average cost in exact fractions, split into a closing and an opening part by hand."""

    def __init__(self) -> None:
        self.quantity = self.cost = self.realised = Fraction(0)

    def trade(self, signed: Fraction, price: Fraction, fee: Fraction) -> None:
        closing = Fraction(0)
        if self.quantity * signed < 0:
            closing = -self.quantity if abs(signed) >= abs(self.quantity) else signed
        share = closing / signed
        cost_of_closed = self.cost * (-closing / self.quantity) if closing else Fraction(0)
        self.realised += -closing * price - fee * share - cost_of_closed
        self.cost -= cost_of_closed
        opening = signed - closing
        self.cost += opening * price + (fee * (1 - share) if opening else Fraction(0))
        self.quantity += signed


@given(st.lists(st.tuples(TRADE, PAID), min_size=1, max_size=12))
@settings(max_examples=120, deadline=None)
def test_cash_cost_realised_and_funding_add_up_to_the_last_digit(
    steps: list[tuple[tuple[bool, Decimal, Decimal, Decimal], Decimal]],
) -> None:
    """Longs, shorts and flips: the identity is exact at every prefix, and the oracle is met within rounding."""
    log = [deposit("start", "venue", "main", DEPOSIT, "USDT", 0)]
    of = order(venue="venue")
    position: Position | None = None
    oracle, received, largest = Oracle(), D(0), D(0)
    for number, ((buy, quantity, price, fee), paid) in enumerate(steps, start=1):
        made = fill(str(quantity if buy else -quantity), str(price), str(fee), number=number)
        position, realised = apply_fill(position, made, desk="fork", strategy_id="", shorts=True)
        log += of_fill(made, of, realised, "USDT")
        if paid:
            log.append(funding(f"p{number}", "venue", "main", paid, "USDT", number))
            received += paid
        held = balances(log)
        cash = held[(free_cash("venue", "main"), "USDT")]
        assert imbalance(held) == {}
        assert cash + cost_basis(position) - position.realised_pnl - received == DEPOSIT
        assert held.get((position_account("fork", "", "AAAUSDT"), "USDT"), D(0)) == cost_basis(position)
        signed = Fraction(quantity if buy else -quantity)
        oracle.trade(signed, Fraction(price), Fraction(fee))
        assert Fraction(position.quantity) == oracle.quantity
        largest = max(largest, abs(position.quantity))
        slack = Fraction(1, 10**18) * (2 + number) * (2 + Fraction(largest))
        assert abs(Fraction(cost_basis(position)) - oracle.cost) <= slack
        assert abs(Fraction(position.realised_pnl) - oracle.realised) <= slack * number


@given(st.lists(TRADE, min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_shorts_come_to_the_same_in_whatever_order_they_are_reported(
    trades: list[tuple[bool, Decimal, Decimal, Decimal]], shuffler: object
) -> None:
    made = [
        (fill(str(quantity if buy else -quantity), str(price), str(fee), number=number), "fork", "")
        for number, (buy, quantity, price, fee) in enumerate(trades)
    ]
    expected, _ = book(*(each for each, _, _ in made))
    shuffler.shuffle(made)  # type: ignore[attr-defined]
    assert replay(made, shorts=True) == expected
