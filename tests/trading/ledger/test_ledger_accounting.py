from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import BadData, HaltTrading
from trading.ledger.accounting import (
    apply_fill,
    cost_basis,
    exact,
    mark,
    notional_of,
    replay,
    rounded,
)
from trading.model.order import Fill, Side
from trading.model.snapshot import Position

D = Decimal


def fill(
    side: Side, quantity: str, price: str, fee: str = "0", fee_currency: str = "USDT", number: int = 1
) -> Fill:
    return Fill(
        "paper",
        f"f{number}",
        "tm-1",
        "BTCUSDT",
        side,
        D(quantity),
        D(price),
        D(fee),
        fee_currency,
        1000 + number,
        0.0,
    )


def book(position: Position | None, *fills: Fill) -> tuple[Position, Decimal]:
    realised = D(0)
    for each in fills:
        position, realised = apply_fill(position, each, desk="fork", strategy_id="main")
    assert position is not None
    return position, realised


def test_two_buys_and_a_sell_by_hand() -> None:
    position, realised = book(None, fill(Side.BUY, "2", "100", "0.2"), fill(Side.BUY, "2", "110", "0.22"))
    # (200 + 0.2 + 220 + 0.22) / 4
    assert position == Position("fork", "main", "BTCUSDT", D(4), D("105.105"), 1001, D(0))
    assert realised == 0
    position, realised = book(position, fill(Side.SELL, "1", "120", "0.12", number=9))
    assert realised == D("120") - D("0.12") - D("105.105") == D("14.775")
    assert (position.quantity, position.average_cost, position.opened_at_ms) == (3, D("105.105"), 1001)
    position, realised = book(position, fill(Side.SELL, "3", "100"))
    assert realised == D("-15.315")
    assert (position.quantity, position.average_cost, position.realised_pnl) == (0, 0, D("-0.54"))


def test_a_closed_position_opens_anew() -> None:
    closed, _ = book(None, fill(Side.BUY, "1", "10"), fill(Side.SELL, "1", "12"))
    reopened, _ = book(closed, fill(Side.BUY, "1", "20", number=7))
    assert (reopened.opened_at_ms, reopened.average_cost, reopened.realised_pnl) == (1007, 20, 2)


def test_a_fee_in_the_base_is_quantity() -> None:
    taken = fill(Side.BUY, "2", "100", "0.5", "BTC")
    position, _ = book(None, taken)
    assert (position.quantity, cost_basis(position)) == (D("1.5"), D(200))


def test_a_fee_in_a_third_currency_stays_out_of_the_cost() -> None:
    taken = fill(Side.BUY, "2", "100", "0.01", "BNB")
    position, _ = book(None, taken)
    assert position.average_cost == 100


def test_selling_more_than_held_halts() -> None:
    with pytest.raises(HaltTrading, match=r"sells 1 BTCUSDT but fork/main holds 0"):
        book(None, fill(Side.SELL, "1", "100"))
    held, _ = book(None, fill(Side.BUY, "1", "100"))
    with pytest.raises(HaltTrading):
        book(held, fill(Side.SELL, "1.000000000000000001", "100"))


@pytest.mark.parametrize(
    ("quantity", "price", "message"),
    [
        ("0", "1", "quantity is 0"),
        ("1", "-1", "price is -1"),
        ("1e-19", "1", "18 decimals"),
        ("NaN", "1", "finite"),
    ],
)
def test_amounts_that_make_no_sense_are_refused(quantity: str, price: str, message: str) -> None:
    with pytest.raises(BadData, match=message):
        book(None, fill(Side.BUY, quantity, price))


def test_rounding_is_half_even_at_the_eighteenth_decimal_whatever_the_context() -> None:
    assert rounded(D("0.0000000000000000005")) == 0
    assert rounded(D("0.0000000000000000015")) == D("2e-18")
    assert exact("x", D("12345678901234567890.123456789012345678")) == D(
        "12345678901234567890.123456789012345678"
    )
    with pytest.raises(BadData):
        rounded(D("1e20"))


def test_a_symbol_without_a_price_counts_at_cost_and_says_so() -> None:
    held = [Position("d", "s", f"{name}USDT", D(2), D(10), 0) for name in "ABCDEF"]
    held.append(Position("d", "s", "CLOSEDUSDT", D(0), D(0), 0))
    prices = {"AUSDT": D(11), "BUSDT": 12.5, "CUSDT": float("nan"), "DUSDT": 0.0, "EUSDT": D("-1")}
    marked = mark(held, D("5"), prices)
    assert marked.unpriced_symbols == ("CUSDT", "DUSDT", "EUSDT", "FUSDT")
    assert marked.positions_value == 22 + 25 + 4 * 20
    assert marked.equity == marked.positions_value + 5


AMOUNT = st.decimals(min_value="0.00000001", max_value="99999", places=8)
TRADE = st.tuples(
    st.booleans(), AMOUNT, AMOUNT, st.decimals(min_value="-1", max_value="10", places=8), st.integers(1, 100)
)


@given(st.lists(TRADE, min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_cash_and_cost_are_conserved_to_the_last_digit(
    trades: list[tuple[bool, Decimal, Decimal, Decimal, int]],
) -> None:
    """Against exact fractions: cash + cost - realised is constant, and the average cost is the true one."""
    position: Position | None = None
    cash = D(0)
    true_quantity, true_cost, most = Fraction(0), Fraction(0), D(0)
    for number, (buy, quantity, price, fee, share) in enumerate(trades):
        if not buy:
            if position is None or position.quantity == 0:
                continue
            quantity = (position.quantity * share / 100).quantize(D("1e-8")) or position.quantity
        made = fill(Side.BUY if buy else Side.SELL, str(quantity), str(price), str(fee), number=number)
        position, realised = apply_fill(position, made, desk="fork", strategy_id="main")
        notional = notional_of(made.quantity, made.price)
        cash += (-notional if buy else notional) - made.fee
        if buy:
            true_cost += Fraction(quantity) * Fraction(price) + Fraction(fee)
            true_quantity += Fraction(quantity)
        else:
            true_cost -= true_cost / true_quantity * Fraction(quantity)
            true_quantity -= Fraction(quantity)
        assert cash + cost_basis(position) - position.realised_pnl == 0
        assert Fraction(position.quantity) == true_quantity
        if buy:
            assert abs(realised) <= position.quantity * D("1e-18") + D("1e-18"), (
                "a buy realises rounding dust only"
            )
        most = max(most, position.quantity)
        booked = Fraction(position.quantity) * Fraction(position.average_cost)
        assert abs(booked - true_cost) <= Fraction(1, 10**18) * (1 + number) * (1 + Fraction(most))


def test_amounts_of_38_digits_stay_exact() -> None:
    made = fill(Side.BUY, "12345678901.123456789012345678", "1")
    assert notional_of(made.quantity, made.price) == D("12345678901.123456789012345678")
    position, _ = book(None, made)
    assert position.quantity == D("12345678901.123456789012345678")


FILLED = st.tuples(st.booleans(), AMOUNT, AMOUNT, st.integers(0, 4))


@given(st.lists(FILLED, min_size=1, max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_fills_in_any_order_lead_to_the_same_position(
    trades: list[tuple[bool, Decimal, Decimal, int]], shuffler: object
) -> None:
    """Moments tie on purpose; the oracle books them one by one in the order of the exchange."""
    made: list[Fill] = []
    at_ms = 1000
    held = D(0)
    for number, (buy, quantity, price, later) in enumerate(trades):
        if not buy and held < quantity:
            continue
        at_ms += later
        if not buy and made and made[-1].side is Side.BUY:
            at_ms += 1  # what is sold was bought before
        held += quantity if buy else -quantity
        side = Side.BUY if buy else Side.SELL
        made.append(replace(fill(side, str(quantity), str(price), number=number), filled_at_ms=at_ms))
    expected: Position | None = None
    for each in sorted(
        made, key=lambda item: (item.filled_at_ms, item.side is Side.SELL, item.venue_fill_id)
    ):
        expected, _ = apply_fill(expected, each, desk="d", strategy_id="s")
    mixed = [(each, "d", "s") for each in made]
    shuffler.shuffle(mixed)  # type: ignore[attr-defined]
    assert replay(mixed) == expected
