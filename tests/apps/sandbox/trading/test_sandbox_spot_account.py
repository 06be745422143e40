from __future__ import annotations

from collections import Counter
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
from apps.sandbox.trading.spot.account import SpotAccount
from apps.sandbox.trading.spot.requests import place
from trading.costs.fees import fee
from trading.model.interval import MINUTE_MS
from trading.model.order import Side

QUIET = bar("100", "100", "100", "100")
BPS = Decimal(10)


def account(bars: list[Stretch], volume: str = "100", cash: str = "10000", coins: str = "10") -> SpotAccount:
    return SpotAccount(
        "paper",
        {"USDT": Decimal(cash), "BTC": Decimal(coins)},
        prices=FakePrices(bars, volume),
        instruments={"BTCUSDT": INSTRUMENT},
        maker_bps=BPS,
        taker_bps=BPS,
        participation=Decimal("0.1"),
        now_ms=START_MS,
    )


def send(taker: SpotAccount, side: str, kind: str, quantity: str, **more: str) -> Order:
    if kind in ("LIMIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT"):
        more.setdefault("timeInForce", "GTC")
    values = {"symbol": "BTCUSDT", "side": side, "type": kind, "quantity": quantity, **more}
    return place(taker, values)


def refused(taker: SpotAccount, *order: str, **more: str) -> tuple[int, str]:
    with pytest.raises(ApiError) as error:
        send(taker, *order, **more)  # type: ignore[arg-type]
    return error.value.code, error.value.message


def later(taker: SpotAccount, minutes: int) -> None:
    taker.advance(taker.now_ms + minutes * MINUTE_MS)


def test_a_market_order_walks_levels_a_basis_point_apart() -> None:
    taker = account([QUIET], volume="10")
    order = send(taker, "BUY", "MARKET", "2.5")
    found = [(item.price, item.quantity) for item in taker.trades]
    assert found == [
        (Decimal(price), Decimal(size)) for price, size in (("100.1", "1"), ("100.2", "1"), ("100.3", "0.5"))
    ]
    assert order.status is Status.FILLED
    assert [str(item.fee) for item in taker.trades] == ["0.00100000", "0.00100000", "0.00050000"]
    assert taker.totals["BTC"] == Decimal("12.4975")
    assert taker.totals["USDT"] == Decimal("10000") - Decimal("250.45")


def test_what_the_book_cannot_give_expires() -> None:
    order = send(account([QUIET], volume="0.1"), "SELL", "MARKET", "5")
    assert (order.status, order.executed) == (Status.EXPIRED, Decimal("0.200"))


def test_a_resting_order_is_filled_at_its_price_by_its_share_of_the_volume() -> None:
    taker = account([QUIET, bar("100", "100.2", "98.9", "99.5", "20"), bar("99.5", "100", "99", "99", "20")])
    order = send(taker, "BUY", "LIMIT", "3", price="99")
    later(taker, 1)
    assert taker.trades == []
    later(taker, 1)
    assert [(item.price, item.quantity, item.maker) for item in taker.trades] == [(99, 2, True)]
    assert taker.orders[order.order_id].status is Status.PARTIALLY_FILLED
    assert taker.balance("USDT").locked == 99
    later(taker, 1)
    assert taker.orders[order.order_id].status is Status.FILLED
    assert (taker.balance("USDT").free, taker.balance("USDT").locked) == (Decimal(10_000 - 297), Decimal(0))


def test_an_order_never_meets_what_happened_before_it_came() -> None:
    # The bar's low came before the order, or after it: only the line to the close counts.
    taker = account([bar("100", "100", "90", "98", "60")])
    taker.advance(START_MS + MINUTE_MS // 2)
    low = send(taker, "BUY", "LIMIT", "1", price="95")
    near = send(taker, "BUY", "LIMIT", "5", price="98.5")
    later(taker, 1)
    assert taker.orders[low.order_id].executed == 0
    assert taker.orders[near.order_id].executed == 3  # a tenth of half a minute's volume


def test_a_stop_goes_out_at_its_price_or_at_a_worse_open() -> None:
    taker = account([QUIET, bar("100", "100", "94", "96"), bar("90", "91", "88", "90")])
    send(taker, "SELL", "STOP_LOSS", "1", stopPrice="95")
    send(taker, "SELL", "STOP_LOSS", "1", stopPrice="92")
    assert taker.balance("BTC").locked == 2
    later(taker, 3)
    assert [str(item.price) for item in taker.trades] == ["95", "90"]


def test_take_profits_and_stop_limits_wait_on_their_side() -> None:
    taker = account([QUIET, bar("100", "106", "100", "105"), bar("105", "105", "99", "100")])
    profit = send(taker, "SELL", "TAKE_PROFIT", "1", stopPrice="105")
    resting = send(taker, "SELL", "TAKE_PROFIT_LIMIT", "1", stopPrice="104", price="107")
    buy = send(taker, "BUY", "STOP_LOSS_LIMIT", "1", stopPrice="105", price="104.5")
    later(taker, 2)
    shown = {key: taker.orders[key.order_id] for key in (profit, resting, buy)}
    assert [item.status for item in shown.values()] == [Status.FILLED, Status.NEW, Status.NEW]
    later(taker, 1)
    assert taker.orders[buy.order_id].status is Status.FILLED
    assert (
        refused(taker, "SELL", "STOP_LOSS", "1", stopPrice="101")[1]
        == "Stop price would trigger immediately."
    )


def test_a_stop_that_was_overrun_buys_what_the_account_can_pay() -> None:
    taker = account([QUIET, bar("120", "121", "119", "120")], cash="1010")
    order = send(taker, "BUY", "STOP_LOSS", "10", stopPrice="101")
    later(taker, 2)
    assert taker.orders[order.order_id].status is Status.EXPIRED
    assert Decimal(0) <= taker.totals["USDT"] < Decimal("0.2")


def test_time_in_force() -> None:
    taker = account([QUIET], volume="10")
    assert send(taker, "BUY", "LIMIT", "3", price="100.1", timeInForce="FOK").executed == 0
    assert send(taker, "BUY", "LIMIT", "3", price="100.1", timeInForce="IOC").executed == 1
    assert send(taker, "BUY", "LIMIT", "1", price="100.1", timeInForce="FOK").status is Status.FILLED
    assert refused(taker, "BUY", "LIMIT_MAKER", "1", price="100.1") == (
        -2010,
        "Order would immediately match and take.",
    )
    assert send(taker, "BUY", "LIMIT_MAKER", "1", price="100").status is Status.NEW


@pytest.mark.parametrize(
    ("order", "more", "code"),
    [
        (("BUY", "LIMIT", "1"), {"price": "100.05"}, -1013),
        (("BUY", "LIMIT", "1.0005"), {"price": "100"}, -1013),
        (("BUY", "LIMIT", "0.01"), {"price": "100"}, -1013),
        (("BUY", "LIMIT", "1001"), {"price": "100"}, -1013),
        (("BUY", "LIMIT", "200"), {"price": "100"}, -2010),
        (("BUY", "MARKET", "150"), {}, -2010),
        (("SELL", "MARKET", "11"), {}, -2010),
        (("BUY", "LIMIT", "1"), {}, -1102),
        (("BUY", "LIMIT", "1"), {"price": "100", "timeInForce": "GTX"}, -1115),
        (("BUY", "MARKET", "1"), {"price": "100"}, -1106),
        (("BUY", "MARKET", "1"), {"stopPrice": "100"}, -1106),
        (("BUY", "MARKET", "1"), {"newClientOrderId": "with space"}, -1100),
        (("BUY", "MARKET", "1"), {"newClientOrderId": "a" * 37}, -1100),
        (("LONG", "MARKET", "1"), {}, -1117),
        (("BUY", "ICEBERG", "1"), {}, -1116),
        (("BUY", "MARKET", "one"), {}, -1100),
        (("BUY", "MARKET", "1"), {"quoteOrderQty": "100"}, -1128),
    ],
)
def test_refusals_are_binances_and_change_nothing(
    order: tuple[str, ...], more: dict[str, str], code: int
) -> None:
    taker = account([QUIET])
    before = (dict(taker.totals), taker.last_id)
    assert refused(taker, *order, **more)[0] == code
    assert (taker.totals, taker.last_id, taker.orders, taker.events) == (before[0], before[1], {}, [])


def test_a_client_id_is_refused_while_open_and_forgotten_once_done() -> None:
    taker = account([QUIET])
    first = send(taker, "BUY", "LIMIT", "1", price="90", newClientOrderId="mine")
    assert refused(taker, "BUY", "LIMIT", "1", price="90", newClientOrderId="mine") == (
        -2010,
        "Duplicate order sent.",
    )
    taker.cancel(taker.orders[first.order_id], "x")
    again = send(taker, "BUY", "LIMIT", "1", price="91", newClientOrderId="mine")
    assert taker.find("BTCUSDT", None, "mine") == again


Prices = st.integers(900, 1100).map(lambda tenths: Decimal(tenths) / 10)


@st.composite
def bars(draw: Any) -> Stretch:
    prices = draw(st.lists(Prices, min_size=4, max_size=4))
    low, first, last, high = sorted(prices)
    if draw(st.booleans()):
        first, last = last, first
    return Stretch(first, high, low, last, Decimal(draw(st.integers(0, 500))) / 10)


Actions = st.tuples(
    st.sampled_from(["BUY", "SELL"]),
    st.sampled_from(
        ["MARKET", "LIMIT", "STOP_LOSS", "TAKE_PROFIT", "STOP_LOSS_LIMIT", "TAKE_PROFIT_LIMIT", "CANCEL"]
    ),
    st.integers(1, 40_000).map(lambda steps: str(Decimal(steps) / 1000)),
    Prices.map(str),
    Prices.map(str),
    st.integers(0, 3 * MINUTE_MS),
)


def carry_out(taker: SpotAccount, action: tuple[str, str, str, str, str, int]) -> None:
    side, kind, quantity, price, stop, wait_ms = action
    taker.advance(taker.now_ms + wait_ms)
    try:
        if kind == "CANCEL":
            for order in taker.open_orders()[:1]:
                taker.cancel(order, "x")
            return
        more = {}
        if "LIMIT" in kind:
            more["price"] = price
        if kind.startswith(("STOP", "TAKE")):
            more["stopPrice"] = stop
        send(taker, side, kind, quantity, **more)
    except ApiError:
        pass


def check_books(taker: SpotAccount) -> None:
    """Every coin and every cent is accounted for; nothing is spent twice, nothing filled beyond its size."""
    expected = {asset: Decimal(amount) for asset, amount in taker.deposits.items()}
    executed: Counter[int] = Counter()
    volume: Counter[int] = Counter()
    for trade in taker.trades:
        sign = 1 if trade.side is Side.BUY else -1
        expected["BTC"] += sign * trade.quantity
        expected["USDT"] -= sign * trade.quote
        expected[trade.fee_asset] -= trade.fee
        assert trade.fee == fee(trade.quantity if trade.fee_asset == "BTC" else trade.quote, BPS)
        executed[trade.order_id] += trade.quantity  # type: ignore[assignment]
        if trade.maker:
            volume[trade.at_ms] += trade.quantity  # type: ignore[assignment]
    assert taker.totals == expected
    for asset in taker.totals:
        held = taker.balance(asset)
        assert held.free >= 0
        assert held.locked >= 0
        assert held.free + held.locked == taker.totals[asset]
    for order in taker.orders.values():
        assert order.executed == executed[order.order_id] <= order.quantity
        assert order.open or order.order_id not in {item.order_id for item in taker.open_orders()}
    for at_ms, quantity in volume.items():
        bar_ = taker.prices.minute("BTCUSDT", at_ms - MINUTE_MS)
        assert bar_ is not None
        assert quantity <= bar_.volume / 10


@settings(max_examples=100, deadline=None)
@given(st.lists(bars(), min_size=1, max_size=12), st.lists(Actions, max_size=15))
def test_the_books_always_balance(market: list[Stretch], actions: list[Any]) -> None:
    taker = account(market, volume="20")
    for action in actions:
        carry_out(taker, action)
        assert all(taker.balance(asset).free >= 0 for asset in taker.totals)
    check_books(taker)
    later(taker, 15)
    check_books(taker)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(bars(), min_size=1, max_size=10),
    st.lists(Actions, max_size=10),
    st.lists(st.integers(1, 90_000), max_size=30),
)
def test_how_often_the_account_is_looked_at_changes_nothing(
    market: list[Stretch], actions: list[Any], looks: list[int]
) -> None:
    seldom, often = account(market, volume="20"), account(market, volume="20")
    for action in actions:
        carry_out(seldom, action)
        until = often.now_ms + action[-1]
        for step in looks:
            if often.now_ms + step < until:
                often.advance(often.now_ms + step)
        often.advance(until)
        carry_out(often, (*action[:-1], 0))
    end = seldom.now_ms + 12 * MINUTE_MS
    seldom.advance(end)
    for step in looks:
        often.advance(min(end, often.now_ms + step))
    often.advance(end)
    assert (seldom.trades, seldom.totals, seldom.events) == (often.trades, often.totals, often.events)


def test_no_more_than_five_stops_wait_and_none_outlives_its_pair() -> None:
    taker = account([QUIET] * 5)
    ends = replace(INSTRUMENT, delisted_at_ms=START_MS + 2 * MINUTE_MS)
    taker.instruments = {"BTCUSDT": ends}
    for _ in range(5):
        send(taker, "SELL", "STOP_LOSS", "1", stopPrice="90")
    assert (
        refused(taker, "SELL", "STOP_LOSS", "1", stopPrice="90")[1] == "Filter failure: MAX_NUM_ALGO_ORDERS"
    )
    later(taker, 1)
    assert len(taker.open_orders()) == 5
    later(taker, 1)
    assert {item.status for item in taker.orders.values()} == {Status.EXPIRED}
    assert refused(taker, "SELL", "MARKET", "1")[1] == "Market is closed."
