"""Double entry: balanced after every transfer, and equal to an oracle that keeps plain sums."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import order
from trading.errors import BadData
from trading.ledger.accounting import apply_fill, cost_basis
from trading.ledger.transfers import (
    CAPITAL,
    FEES,
    FUNDING,
    REALISED,
    Transfer,
    TransferKind,
    balances,
    deposit,
    free_cash,
    funding,
    imbalance,
    kept_reserved,
    of_fill,
    position_account,
    release,
    reserve,
    reserved_cash,
)
from trading.model.order import Fill, Order, OrderType, Side
from trading.model.snapshot import Position

D = Decimal
FREE = free_cash("paper", "main")
RESERVED = reserved_cash("paper", "main")
HELD = position_account("fork", "", "AAAUSDT")


def fill(
    of: Order, quantity: str, price: str, fee: str = "0", currency: str = "USDT", number: int = 1
) -> Fill:
    return Fill(
        "paper", f"f{number}", of.client_order_id, of.symbol, of.side, D(quantity), D(price), D(fee), currency,
        1000 + number, 0.0,
    )  # fmt: skip


def shown(moves: tuple[Transfer, ...]) -> list[tuple[str, str, str, Decimal, str]]:
    return [
        (move.kind.value, move.from_account, move.to_account, move.amount, move.currency) for move in moves
    ]


def test_a_buy_by_hand() -> None:
    bought = order()
    aside = reserve(bought, D(2000), "USDT", 5)
    assert shown((aside,)) == [("reserve", FREE, RESERVED, D("1005.000"), "USDT")]
    assert shown(release("x", bought, D(1005), "USDT", 6)) == [("release", RESERVED, FREE, D(1005), "USDT")]
    assert release("x", bought, D(0), "USDT", 6) == ()
    moves = of_fill(fill(bought, "10", "99", "0.99"), bought, D(0), "USDT")
    assert shown(moves) == [("trade", FREE, HELD, D(990), "USDT"), ("fee", FREE, HELD, D("0.99"), "USDT")]
    assert {move.transfer_id for move in moves} == {"trade:paper/main:f1", "fee:paper/main:f1"}


def test_a_sale_with_a_rebate_and_a_loss_by_hand() -> None:
    sold = order(side=Side.SELL)
    assert shown(of_fill(fill(sold, "10", "90", "-0.5"), sold, D("-100"), "USDT")) == [
        ("trade", HELD, FREE, D(900), "USDT"),
        ("fee", HELD, FREE, D("0.5"), "USDT"),
        ("realised", HELD, REALISED, D(100), "USDT"),
    ]


def test_fees_in_other_currencies() -> None:
    bought = order()
    foreign = of_fill(fill(bought, "1", "100", "0.01", "BNB"), bought, D(0), "USDT")
    assert shown(foreign)[1] == ("fee", FREE, FEES, D("0.01"), "BNB")
    in_base = of_fill(fill(bought, "1", "100", "0.01", "AAA"), bought, D(0), "USDT")
    assert [move.kind for move in in_base] == [TransferKind.TRADE]


def test_deposits_and_funding_go_both_ways() -> None:
    assert shown((deposit("a", "paper", "main", D(5), "USDT", 1),)) == [
        ("deposit", CAPITAL, FREE, D(5), "USDT")
    ]
    assert shown((deposit("b", "paper", "main", D(-5), "USDT", 1),)) == [
        ("deposit", FREE, CAPITAL, D(5), "USDT")
    ]
    # The vector of the venue's own FAQ: 2 BTC at 60,000 and 0.01 % pay 12.
    paid = funding("f", "paper", "main", D(-2) * 60_000 * D("0.0001"), "USDT", 1)
    assert shown((paid,)) == [("funding", FREE, FUNDING, D(12), "USDT")]
    with pytest.raises(BadData, match="positive"):
        deposit("c", "paper", "main", D(0), "USDT", 1)


def test_a_reservation_never_exceeds_the_free_cash() -> None:
    bought = order()
    assert reserve(bought, D("1000"), "USDT", 1).amount == 1000, "no room for costs, but for the order"
    assert reserve(bought, D("1002"), "USDT", 1).amount == 1002
    with pytest.raises(BadData, match="needs 1000 USDT, free are 999.99: deposit more"):
        reserve(bought, D("999.99"), "USDT", 1)
    limited = order(order_type=OrderType.LIMIT, limit_price=D(50))
    assert reserve(limited, D(10_000), "USDT", 1).amount == D("502.5")


def test_a_transfer_that_moves_nothing_is_refused() -> None:
    with pytest.raises(BadData, match="to itself"):
        Transfer("x", 1, TransferKind.TRADE, "a", "a", D(1), "USDT")
    for amount in ("0", "-1", "1e-19", "NaN"):
        with pytest.raises(BadData):
            Transfer("x", 1, TransferKind.TRADE, "a", "b", D(amount), "USDT")


AMOUNT = st.decimals(min_value="0.00000001", max_value="9999", places=8)
STEP = st.tuples(
    st.sampled_from(["buy", "sell", "cancel", "deposit", "funding"]), AMOUNT, AMOUNT,
    st.decimals(min_value="-1", max_value="5", places=8), st.lists(st.integers(1, 60), max_size=3),
)  # fmt: skip


@given(st.lists(STEP, min_size=1, max_size=10))
@settings(max_examples=80, deadline=None)
def test_random_orders_fills_and_cancels_stay_balanced(
    steps: list[tuple[str, Decimal, Decimal, Decimal, list[int]]],
) -> None:
    log = [deposit("start", "paper", "main", D(10_000_000), "USDT", 0)]
    position: Position | None = None
    cash, realised, received, paid_in = Fraction(10_000_000), D(0), Fraction(0), Fraction(10_000_000)
    number = 0
    for step, (what, quantity, price, fee, shares) in enumerate(steps):
        if what == "deposit":
            log.append(deposit(f"d{step}", "paper", "main", quantity, "USDT", step))
            cash, paid_in = cash + Fraction(quantity), paid_in + Fraction(quantity)
            continue
        if what == "funding":
            if fee:
                log.append(funding(f"f{step}", "paper", "main", fee, "USDT", step))
                cash, received = cash + Fraction(fee), received + Fraction(fee)
            continue
        selling = what == "sell" and position is not None and position.quantity > 0
        made = order(
            client_order_id=f"tm-{step}",
            side=Side.SELL if selling else Side.BUY,
            quantity=position.quantity if selling and position else quantity,
            reference_price=price,
        )
        free = balances(log)[(FREE, "USDT")]
        set_aside = D(0)
        if made.adds_exposure:
            if made.quantity * price > free:
                with pytest.raises(BadData):
                    reserve(made, free, "USDT", step)
                continue
            log.append(reserve(made, free, "USDT", step))
            set_aside = log[-1].amount
            assert balances(log)[(FREE, "USDT")] >= 0
        left, kept = made.quantity, set_aside
        for share in shares:
            part = min((made.quantity * share / 100).quantize(D("1e-8")), left)
            if part <= 0:
                continue
            number += 1
            done = fill(made, str(part), str(price), str(fee), number=number)
            position, gain = apply_fill(position, done, desk="fork", strategy_id="")
            log += of_fill(done, made, gain, "USDT")
            left -= part
            now_kept = kept_reserved(made, set_aside, made.quantity - left)
            log += release(f"f{number}", made, kept - now_kept, "USDT", step)
            kept, realised = now_kept, realised + gain
            notional = (part * price).quantize(D("1e-18"))
            cash += Fraction(-notional if made.adds_exposure else notional) - Fraction(fee)
        log += release(made.client_order_id, made, kept, "USDT", step)
    for length in range(len(log) + 1):
        held = balances(log[:length])
        assert imbalance(held) == {}
        assert held.get((RESERVED, "USDT"), D(0)) >= 0
    held = balances(log)
    assert held.get((RESERVED, "USDT"), D(0)) == 0
    assert Fraction(held[(FREE, "USDT")]) == cash
    cost = cost_basis(position) if position else D(0)
    assert held.get((HELD, "USDT"), D(0)) == cost
    assert held.get((REALISED, "USDT"), D(0)) == -realised
    assert cash + Fraction(cost) - Fraction(realised) - received == paid_in
    assert len({move.transfer_id for move in log}) == len(log)


def test_an_imbalance_is_named() -> None:
    assert imbalance({("a", "USDT"): D(1), ("b", "USDT"): D("-0.5"), ("c", "BNB"): D(0)}) == {
        "USDT": D("0.5")
    }
    assert kept_reserved(order(), D(1005), D(5)) == D("502.5")
    assert kept_reserved(replace(order(), quantity=D(3)), D(1), D(1)) == D("0.666666666666666666")
