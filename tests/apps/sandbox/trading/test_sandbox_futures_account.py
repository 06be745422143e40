from __future__ import annotations

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
from fake_market import INSTRUMENT, START_MS, FakePrices, bar
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sandbox.errors import ApiError
from apps.sandbox.trading.matching import Stretch
from apps.sandbox.trading.orders import Order, Status
from apps.sandbox.trading.usdm import margin
from apps.sandbox.trading.usdm.account import FuturesAccount
from apps.sandbox.trading.usdm.algos import AlgoOrder, AlgoStatus
from apps.sandbox.trading.usdm.positions import Position
from apps.sandbox.trading.usdm.requests import place, place_algo
from trading.instruments.brackets import check_schedule
from trading.model.interval import MINUTE_MS
from trading.model.order import Side

QUIET = bar("100", "100", "100", "100", "1000")
NO_FEE = Decimal(0)


def account(
    bars: list[Stretch],
    marks: list[Stretch] | None = None,
    funding: dict[int, str] | None = None,
    *,
    deposit: str = "10000",
    taker_bps: str = "5",
) -> FuturesAccount:
    rates = {START_MS + minute * MINUTE_MS: Decimal(rate) for minute, rate in (funding or {}).items()}
    return FuturesAccount(
        "paper",
        Decimal(deposit),
        marks=FakePrices(marks or bars, step="0.0001"),
        funding=lambda symbol, at_ms: rates.get(at_ms),
        prices=FakePrices(bars, "100000"),
        instruments={"BTCUSDT": INSTRUMENT},
        maker_bps=Decimal(2),
        taker_bps=Decimal(taker_bps),
        participation=Decimal("0.1"),
        now_ms=START_MS,
    )


def send(taker: FuturesAccount, side: str, quantity: str, **more: str) -> Order:
    kind = "LIMIT" if "price" in more else "MARKET"
    if kind == "LIMIT":
        more.setdefault("timeInForce", "GTC")
    return place(taker, {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": quantity, **more})


def send_algo(taker: FuturesAccount, side: str, kind: str, trigger: str, **more: str) -> AlgoOrder:
    values = {
        "algoType": "CONDITIONAL",
        "symbol": "BTCUSDT",
        "side": side,
        "type": kind,
        "triggerPrice": trigger,
    }
    return place_algo(taker, values | more)


def refused(call: Any) -> int:
    with pytest.raises(ApiError) as error:
        call()
    return error.value.code


def later(taker: FuturesAccount, minutes: int) -> None:
    taker.advance(taker.now_ms + minutes * MINUTE_MS)


def position(taker: FuturesAccount, side: str = "BOTH") -> Position:
    return taker.wallet.position("BTCUSDT", side)


def test_entry_price_profit_and_turning_round() -> None:
    taker = account([QUIET, bar("110", "110", "110", "110"), bar("121", "121", "121", "121")], taker_bps="0")
    send(taker, "BUY", "1")
    later(taker, 1)
    send(taker, "BUY", "1")
    assert position(taker).entry_price == Decimal("105.1")  # 100.1 and 110.1: buyers pay a tick more
    later(taker, 1)
    sold = send(taker, "SELL", "3")
    assert sold.executed_quote / sold.executed == 121
    assert taker.trades[-1].realised == 2 * (121 - Decimal("105.1"))
    assert (position(taker).amount, position(taker).entry_price) == (-1, 121)
    assert taker.wallet.balance == 10_000 + taker.trades[-1].realised


@settings(max_examples=120)
@given(st.lists(st.tuples(st.integers(-5000, 5000), st.integers(1, 20_000)), max_size=20))
def test_positions_lose_nothing_to_rounding(trades: list[tuple[int, int]]) -> None:
    held, realised, paid = Position("BTCUSDT", "BOTH"), Decimal(0), Decimal(0)
    amount = Decimal(0)
    for lots, tenths in trades:
        quantity = Decimal(lots) / 1000
        quote = (quantity * tenths / 10).quantize(Decimal("1e-8"))
        held, gained = held.traded(quantity, quote, 0)
        realised, paid, amount = realised + gained, paid + quote, amount + quantity
        assert held.amount == amount
        assert held.cost == paid + realised
        assert amount or not held.cost
        assert held.cost * amount >= 0


def test_margin_and_leverage_limit_new_positions_only() -> None:
    taker = account([QUIET], deposit="100")
    assert refused(lambda: send(taker, "BUY", "21")) == -2019
    send(taker, "BUY", "15")
    assert refused(lambda: send(taker, "BUY", "8")) == -2019
    assert send(taker, "SELL", "15").status is Status.FILLED
    taker = account([QUIET], deposit="1000000")
    taker.wallet.set_leverage("BTCUSDT", 100)
    assert refused(lambda: send(taker, "BUY", "501")) == -2027
    assert send(taker, "BUY", "400").status is Status.FILLED


def test_open_orders_hold_margin() -> None:
    taker = account([QUIET])
    send(taker, "BUY", "100", price="90")
    assert taker.reserved() == Decimal(9000) / 20
    assert taker.available() == Decimal(10_000) - 450
    send(taker, "BUY", "1")
    send(taker, "SELL", "1", price="120")
    assert taker.reserved() == Decimal(450)  # closing holds nothing


def test_reduce_only_never_turns_a_position_round() -> None:
    taker = account([QUIET, bar("100", "111", "100", "110", "1000")])
    assert refused(lambda: send(taker, "SELL", "1", reduceOnly="true")) == -2022
    send(taker, "BUY", "2")
    resting = [send(taker, "SELL", "2", price=price, reduceOnly="true") for price in ("105", "106")]
    later(taker, 2)
    states = [taker.orders[item.order_id].status for item in resting]
    assert states == [Status.FILLED, Status.EXPIRED]
    assert position(taker).amount == 0


def test_reduce_only_is_cut_to_the_position() -> None:
    taker = account([QUIET, bar("100", "111", "100", "110", "1000")])
    send(taker, "BUY", "2")
    market = send(taker, "SELL", "5", reduceOnly="true")
    assert (market.executed, market.status, position(taker).amount) == (2, Status.EXPIRED, 0)
    send(taker, "SELL", "2")
    resting = [send(taker, "BUY", "1.5", price=price, reduceOnly="true") for price in ("99", "98")]
    taker.prices = FakePrices([QUIET, bar("100", "100", "97", "97", "1000")])
    later(taker, 2)
    assert [taker.orders[item.order_id].executed for item in resting] == [Decimal("1.5"), Decimal("0.5")]
    assert position(taker).amount == 0


def test_hedge_mode_keeps_both_sides_apart() -> None:
    taker = account([QUIET])
    assert refused(lambda: send(taker, "BUY", "1", positionSide="LONG")) == -4061
    taker.wallet.hedged = True
    assert refused(lambda: send(taker, "BUY", "1")) == -4061
    send(taker, "BUY", "2", positionSide="LONG")
    send(taker, "SELL", "1", positionSide="SHORT")
    assert (position(taker, "LONG").amount, position(taker, "SHORT").amount) == (2, -1)
    assert refused(lambda: send(taker, "BUY", "2", positionSide="SHORT")) == -2022
    assert refused(lambda: send(taker, "SELL", "1", positionSide="LONG", reduceOnly="true")) == -1106
    send(taker, "SELL", "2", positionSide="LONG")
    assert (position(taker, "LONG").amount, position(taker, "SHORT").amount) == (0, -1)


def test_funding_is_paid_by_longs_and_earned_by_shorts() -> None:
    marks = [bar("100", "100", "100", "100")] * 60 + [bar("102", "102", "102", "102")]
    for side, paid in (("BUY", "-0.1020"), ("SELL", "0.1020")):
        taker = account([QUIET], marks, {60: "0.0005"}, taker_bps="0")
        send(taker, side, "2")
        later(taker, 59)
        assert [item.kind for item in taker.wallet.incomes] == ["TRANSFER"]
        later(taker, 62)
        (income,) = [item for item in taker.wallet.incomes if item.kind == "FUNDING_FEE"]
        assert (income.amount, income.at_ms) == (Decimal(paid), START_MS + 60 * MINUTE_MS)
        assert taker.wallet.balance == 10_000 + Decimal(paid)


def test_the_margin_schedule_is_sound() -> None:
    check_schedule("BTCUSDT", margin.BRACKETS)
    assert margin.maintenance(Decimal(50_000)) == 250
    assert margin.maintenance(Decimal(100_000)) == 750  # 1 % less the deduction of 250


@pytest.mark.parametrize("side", ["BUY", "SELL"])
@pytest.mark.parametrize("isolated", [False, True])
def test_a_position_is_liquidated_at_its_liquidation_price_and_not_before(side: str, isolated: bool) -> None:
    deposit = "10000" if isolated else "520"
    probe = account([QUIET], deposit=deposit)
    probe.wallet.set_isolated("BTCUSDT", isolated)
    send(probe, side, "100")
    at = probe.liquidation_price(position(probe))
    assert abs(at - 100) < 6
    sign = 1 if side == "BUY" else -1
    for step, gone in ((sign, False), (-sign, True)):
        price = str(at.quantize(Decimal("0.0001")) + step * Decimal("0.001"))
        taker = account(
            [QUIET],
            [QUIET, bar("100", "100", "100", price), bar(price, price, price, price)],
            deposit=deposit,
        )
        taker.wallet.set_isolated("BTCUSDT", isolated)
        send(taker, side, "100")
        stop = send(taker, side, "1", price="50" if side == "BUY" else "150") if isolated else None
        later(taker, 2)
        assert (position(taker).amount == 0) is gone
        if gone:
            closing = taker.orders[max(taker.orders)]
            assert closing.client_order_id.startswith("autoclose-")
            assert taker.wallet.balance >= 0
            assert stop is None or not taker.orders[stop.order_id].open
            assert taker.wallet.incomes[-1].kind == "INSURANCE_CLEAR"
            lost = 10_000 - taker.wallet.balance
            assert not isolated or lost <= Decimal(510)  # no more than what was set apart, and fees


def test_a_gap_through_bankruptcy_is_the_insurances_loss() -> None:
    taker = account([QUIET], [QUIET, bar("50", "50", "50", "50")], deposit="520")
    send(taker, "BUY", "100")
    later(taker, 2)
    assert position(taker).amount == 0
    assert taker.wallet.balance == 0
    assert taker.wallet.incomes[-1].amount > 0


def test_isolated_margin_is_set_apart_and_given_back() -> None:
    taker = account([QUIET], taker_bps="0")
    taker.wallet.set_isolated("BTCUSDT", True)
    taker.wallet.set_leverage("BTCUSDT", 10)
    send(taker, "BUY", "4")
    assert position(taker).isolated_wallet == Decimal("40.04")
    assert taker.wallet.cross_balance() == Decimal("9959.96")
    send(taker, "SELL", "1")
    assert position(taker).isolated_wallet == Decimal("30.03")
    send(taker, "SELL", "3")
    assert taker.wallet.cross_balance() == taker.wallet.balance


def test_conditional_orders_trigger_on_their_side_by_their_price() -> None:
    bars = [QUIET, bar("100", "100", "97", "98", "1000"), bar("98", "98", "98", "98", "1000")]
    marks = [QUIET, QUIET, bar("100", "100", "94", "94"), QUIET]
    taker = account(bars, marks)
    send(taker, "BUY", "3")
    last = send_algo(taker, "SELL", "STOP_MARKET", "98", quantity="1", reduceOnly="true")
    mark = send_algo(taker, "SELL", "STOP_MARKET", "95", closePosition="true", workingType="MARK_PRICE")
    never = send_algo(taker, "SELL", "TAKE_PROFIT_MARKET", "130", quantity="1")
    assert refused(lambda: send_algo(taker, "SELL", "STOP_MARKET", "101", quantity="1")) == -2021
    assert (
        refused(lambda: place(taker, {"symbol": "BTCUSDT", "side": "SELL", "type": "STOP_MARKET"})) == -4120
    )
    later(taker, 2)
    assert taker.algos[last.algo_id].status is AlgoStatus.FINISHED
    assert taker.algos[mark.algo_id].status is AlgoStatus.NEW
    assert position(taker).amount == 2
    assert taker.trades[-1].price == 98
    later(taker, 1)
    assert taker.algos[mark.algo_id].status is AlgoStatus.FINISHED
    assert position(taker).amount == 0
    assert taker.algos[never.algo_id].status is AlgoStatus.NEW


def test_a_conditional_order_that_has_nothing_to_close_is_rejected() -> None:
    taker = account([QUIET, bar("100", "100", "97", "98")])
    algo = send_algo(taker, "SELL", "STOP_MARKET", "98", closePosition="true")
    later(taker, 2)
    found = taker.algos[algo.algo_id]
    assert (found.status, found.reason) == (AlgoStatus.REJECTED, "ReduceOnly Order is rejected.")
    assert taker.orders == {}


def test_the_countdown_cancels_unless_it_is_renewed() -> None:
    taker = account([QUIET])
    order = send(taker, "BUY", "1", price="90")
    algo = send_algo(taker, "BUY", "STOP_MARKET", "120", quantity="1")
    taker.countdowns["BTCUSDT"] = taker.now_ms + 90_500
    taker.advance(taker.now_ms + 90_000)
    assert taker.orders[order.order_id].open
    taker.countdowns["BTCUSDT"] = taker.now_ms + 20_000
    taker.advance(taker.now_ms + 19_999)
    assert taker.orders[order.order_id].open
    taker.advance(taker.now_ms + 5_000)
    ended = taker.orders[order.order_id]
    assert (ended.status, ended.updated_ms) == (Status.CANCELED, START_MS + 110_000)
    assert taker.algos[algo.algo_id].status is AlgoStatus.NEW


Prices = st.integers(950, 1050)
Actions = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(["MARKET", "LIMIT", "REDUCE", "STOP", "PROFIT"]),
    st.integers(1, 30_000).map(lambda lots: str(Decimal(lots) / 100)),
    Prices.map(lambda tenths: str(Decimal(tenths) / 10)),
    st.integers(0, 2 * MINUTE_MS),
)


@st.composite
def wild_bars(draw: Any) -> Stretch:
    low, first, last, high = sorted(draw(st.lists(st.integers(850, 1150), min_size=4, max_size=4)))
    if draw(st.booleans()):
        first, last = last, first
    values = [Decimal(value) / 10 for value in (first, high, low, last)]
    return Stretch(*values, Decimal(2000))


@settings(max_examples=80, deadline=None)
@given(st.lists(wild_bars(), min_size=2, max_size=10), st.lists(Actions, max_size=12), st.booleans())
def test_every_cent_is_accounted_for_through_liquidations_too(
    market: list[Stretch], actions: list[Any], isolated: bool
) -> None:
    taker = account(market, funding=dict.fromkeys(range(2, 10, 2), "0.001"), deposit="1000")
    taker.wallet.set_isolated("BTCUSDT", isolated)
    for side, kind, quantity, price, wait_ms in actions:
        taker.advance(taker.now_ms + wait_ms)
        try:
            if kind in ("STOP", "PROFIT"):
                name = {"STOP": "STOP_MARKET", "PROFIT": "TAKE_PROFIT_MARKET"}[kind]
                send_algo(taker, side, name, price, quantity=quantity)
            else:
                more = {"price": price} if kind == "LIMIT" else {}
                send(taker, side, quantity, **more, **({"reduceOnly": "true"} if kind == "REDUCE" else {}))
        except ApiError:
            pass
    later(taker, 12)
    wallet = taker.wallet
    assert wallet.balance == sum((item.amount for item in wallet.incomes), Decimal(0)) >= 0
    assert taker.available() >= 0
    bought = sum((it.quote if it.side is Side.BUY else -it.quote for it in taker.trades), Decimal(0))
    amount = sum((it.quantity if it.side is Side.BUY else -it.quantity for it in taker.trades), Decimal(0))
    realised = sum((item.amount for item in wallet.incomes if item.kind == "REALIZED_PNL"), Decimal(0))
    assert position(taker).amount == amount
    assert position(taker).cost == bought + realised
    assert sum((item.fee for item in taker.trades), Decimal(0)) == -sum(
        (item.amount for item in wallet.incomes if item.kind == "COMMISSION"), Decimal(0)
    )
    for order in taker.orders.values():
        filled = sum((it.quantity for it in taker.trades if it.order_id == order.order_id), Decimal(0))
        assert order.executed == filled <= order.quantity
        assert order == replace(order, executed=filled)


def test_a_contract_that_ends_is_settled_at_the_mark_price() -> None:
    marks = [QUIET, bar("100", "104", "100", "104"), bar("104", "104", "104", "104")]
    taker = account([QUIET, QUIET, QUIET], marks, taker_bps="0")
    ends = replace(INSTRUMENT, delisted_at_ms=START_MS + 2 * MINUTE_MS)
    taker.instruments = {"BTCUSDT": ends}
    send(taker, "SELL", "2")
    taker.taker_bps = Decimal(5)
    order = send(taker, "BUY", "1", price="95")
    algo = send_algo(taker, "BUY", "STOP_MARKET", "120", quantity="1")
    later(taker, 1)
    assert position(taker).amount == -2
    later(taker, 1)
    assert position(taker).amount == 0
    assert taker.wallet.balance == 10_000 - 8
    assert (taker.orders[order.order_id].status, taker.algos[algo.algo_id].status) == ("EXPIRED", "EXPIRED")
    assert refused(lambda: send(taker, "BUY", "1")) == -4108
    assert taker.idle()


def test_limits_of_price_and_number() -> None:
    taker = account([QUIET])
    assert refused(lambda: send(taker, "BUY", "1", price="110.1")) == -4016
    assert refused(lambda: send(taker, "SELL", "1", price="89.9")) == -4024
    for _ in range(10):
        send_algo(taker, "BUY", "STOP_MARKET", "120", quantity="1")
    assert refused(lambda: send_algo(taker, "BUY", "STOP_MARKET", "120", quantity="1")) == -4045
    taker.wallet.set_leverage("BTCUSDT", 100)
    for _ in range(200):
        send(taker, "BUY", "0.1", price="90")
    assert refused(lambda: send(taker, "BUY", "0.1", price="90")) == -2025


def test_a_loss_beyond_the_wallet_is_the_insurances_though_the_client_closed() -> None:
    taker = account([bar("100", "100", "50", "50", "1000")], deposit="520")
    send(taker, "BUY", "100")
    taker.advance(START_MS + MINUTE_MS // 2)
    send(taker, "SELL", "100")
    assert taker.trades[-1].realised < -2000
    assert (taker.wallet.balance, taker.wallet.incomes[-1].kind) == (0, "INSURANCE_CLEAR")
