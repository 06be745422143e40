from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from paper_client import NOW_MS, PaperClient

from trading.model.series import Market

Fixture = Callable[[str], Any]
Types = Callable[[Any], Any]
FOLDER = "nautilus_rust/spot/http_json"
ORDER = "/api/v3/order"


def limit(paper: PaperClient, side: str = "BUY", price: float = 50_000, **more: Any) -> Any:
    values = {"symbol": "BTCUSDT", "side": side, "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    return paper.post(ORDER, **(values | {"price": price} | more))


def market(paper: PaperClient, side: str = "BUY", **more: Any) -> Any:
    return paper.post(ORDER, symbol="BTCUSDT", side=side, type="MARKET", **more)


def test_answers_have_the_recorded_keys_and_types(
    paper: PaperClient, recorded: Fixture, types: Types
) -> None:
    def check(got: Any, name: str) -> None:
        assert types(got) == types(recorded(f"{FOLDER}/{name}.json"))

    check(market(paper, quantity="0.02"), "new_order_full_response")
    check(paper.get("/api/v3/account"), "account_response")
    check(paper.get("/api/v3/myTrades", symbol="BTCUSDT"), "account_trades_response")
    resting = limit(paper)
    check(paper.get("/api/v3/openOrders"), "open_orders_response")
    check(paper.get("/api/v3/allOrders", symbol="BTCUSDT"), "all_orders_response")
    check(paper.get(ORDER, symbol="BTCUSDT", orderId=resting["orderId"]), "order_response")
    check(paper.delete(ORDER, symbol="BTCUSDT", orderId=resting["orderId"]), "cancel_order_response")
    limit(paper)
    assert types(paper.delete("/api/v3/openOrders", symbol="BTCUSDT")[0]) == types(
        recorded(f"{FOLDER}/cancel_open_orders_response.json")[0]
    )
    fees = paper.get("/sapi/v1/asset/tradeFee", symbol="BTCUSDT")
    assert types(fees[0]) == types(recorded("nautilus_py/http_responses/http_wallet_trading_fee.json"))


def test_an_orders_life_over_rest(paper: PaperClient) -> None:
    limit(paper, newClientOrderId="entry-1")
    assert paper.refused("POST", ORDER, symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC",
                         quantity="0.01", price=50_000, newClientOrderId="entry-1") == -2010  # fmt: skip
    found = paper.get(ORDER, symbol="BTCUSDT", origClientOrderId="entry-1")
    assert (found["status"], found["isWorking"]) == ("NEW", True)
    held = {item["asset"]: item for item in paper.get("/api/v3/account")["balances"]}
    assert (held["USDT"]["free"], held["USDT"]["locked"]) == ("9500.00000000", "500.00000000")
    ended = paper.delete(ORDER, symbol="BTCUSDT", origClientOrderId="entry-1", newClientOrderId="stop-1")
    assert (ended["origClientOrderId"], ended["clientOrderId"]) == ("entry-1", "stop-1")
    assert paper.refused("DELETE", ORDER, symbol="BTCUSDT", origClientOrderId="entry-1") == -2011
    assert paper.refused("GET", ORDER, symbol="BTCUSDT", origClientOrderId="nobody") == -2013
    assert paper.refused("GET", ORDER, symbol="BTCUSDT") == -1102
    assert paper.refused("GET", ORDER, symbol="NOPE", orderId=1) == -1121
    assert limit(paper, newClientOrderId="entry-1")["status"] == "NEW"


def test_answers_to_new_orders_come_in_three_sizes(paper: PaperClient) -> None:
    ack, result, full = (
        market(paper, quantity="0.01", newOrderRespType=form) for form in ("ACK", "RESULT", "FULL")
    )
    assert set(ack) == {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}
    assert set(full) - set(result) == {"fills"}
    assert set(limit(paper, "SELL", 90_000)) == set(full)
    stop = paper.post(
        ORDER, symbol="BTCUSDT", side="SELL", type="STOP_LOSS", quantity="0.01", stopPrice=40_000
    )
    assert set(stop) == set(ack)


def test_a_market_order_may_name_what_it_spends(paper: PaperClient) -> None:
    order = market(paper, quoteOrderQty="1000")
    assert order["status"] == "FILLED"
    assert order["origQuoteOrderQty"] == "1000.00000000"
    assert 1000 - 1 < float(order["cummulativeQuoteQty"]) <= 1000


def test_trades_page_by_id_order_and_time(paper: PaperClient) -> None:
    first = market(paper, quantity="0.01")
    paper.wait(60)
    second = market(paper, quantity="0.01")

    def orders(**more: Any) -> list[int]:
        return [item["orderId"] for item in paper.get("/api/v3/myTrades", symbol="BTCUSDT", **more)]

    assert orders() == [first["orderId"], second["orderId"]]
    assert orders(orderId=second["orderId"]) == [second["orderId"]]
    assert orders(fromId=2) == [second["orderId"]]
    assert orders(limit=1) == [second["orderId"]]
    assert orders(fromId=1, limit=1) == [first["orderId"]]
    assert orders(startTime=second["transactTime"]) == [second["orderId"]]
    assert orders(endTime=first["transactTime"]) == [first["orderId"]]
    assert (
        paper.refused("GET", "/api/v3/myTrades", symbol="BTCUSDT", startTime=1, endTime=100_000_000) == -1127
    )


def replace(paper: PaperClient, mode: str, quantity: str, cancel: str = "entry") -> Any:
    return paper.send(
        "POST",
        f"{ORDER}/cancelReplace",
        symbol="BTCUSDT",
        side="BUY",
        type="LIMIT",
        timeInForce="GTC",
        quantity=quantity,
        price=49_000,
        cancelReplaceMode=mode,
        cancelOrigClientOrderId=cancel,
    )


def test_cancel_and_replace(paper: PaperClient) -> None:
    limit(paper, newClientOrderId="entry")
    done = replace(paper, "STOP_ON_FAILURE", "0.02").json()
    assert (done["cancelResult"], done["newOrderResult"]) == ("SUCCESS", "SUCCESS")
    assert [item["price"] for item in paper.get("/api/v3/openOrders")] == ["49000.00000000"]

    failed = replace(paper, "STOP_ON_FAILURE", "0.02")
    assert (failed.status_code, failed.json()["code"]) == (400, -2022)
    assert failed.json()["data"]["newOrderResult"] == "NOT_ATTEMPTED"
    half = replace(paper, "ALLOW_FAILURE", "0.02")
    assert (half.status_code, half.json()["code"]) == (409, -2021)
    assert half.json()["data"]["newOrderResult"] == "SUCCESS"

    limit(paper, newClientOrderId="last")
    lost = replace(paper, "STOP_ON_FAILURE", "99", cancel="last").json()
    assert (lost["code"], lost["data"]["cancelResult"]) == (-2021, "SUCCESS")
    assert lost["data"]["newOrderResponse"]["code"] == -2010
    assert paper.get(ORDER, symbol="BTCUSDT", origClientOrderId="last")["status"] == "CANCELED"


def test_a_test_order_is_checked_and_not_taken(paper: PaperClient) -> None:
    order = {"symbol": "BTCUSDT", "side": "BUY", "type": "MARKET"}
    assert paper.post(f"{ORDER}/test", **order, quantity="0.01") == {}
    assert paper.refused("POST", f"{ORDER}/test", **order, quantity="5") == -2010
    assert paper.get("/api/v3/allOrders", symbol="BTCUSDT") == []


def test_fills_come_from_the_bars_that_the_market_shows(paper: PaperClient) -> None:
    bars = paper.http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m", "limit": 1}).json()
    last = float(bars[0][4])
    order = limit(paper, price=round(last * 0.9995, 1), quantity="0.001")
    paper.wait(24 * 60)
    (trade,) = paper.get("/api/v3/myTrades", symbol="BTCUSDT", orderId=order["orderId"])
    opened = trade["time"] - 60_000
    asked = {
        "symbol": "BTCUSDT",
        "interval": "1m",
        "limit": 1500,
        "startTime": order["transactTime"],
        "endTime": opened,
    }
    shown = paper.http.get("/api/v3/klines", params=asked).json()
    lows = [float(bar[3]) for bar in shown]
    assert shown[-1][0] == opened
    assert float(trade["price"]) >= lows[-1]
    assert all(low > float(trade["price"]) for low in lows[:-1])
    assert trade["isMaker"] is True


def test_keys_say_what_they_may(paper: PaperClient) -> None:
    may = paper.get("/sapi/v1/account/apiRestrictions")
    assert (may["enableSpotAndMarginTrading"], may["enableFutures"]) == (True, True)
    assert (may["enableWithdrawals"], paper.get("/api/v3/account")["canWithdraw"]) == (False, False)
    rates = paper.get("/api/v3/account/commission", symbol="BTCUSDT")["standardCommission"]
    assert rates["taker"] == "0.00100000"


@pytest.mark.parametrize("kind", ["STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"])
def test_the_exchange_says_which_types_it_takes(paper: PaperClient, kind: str) -> None:
    info = paper.http.get("/api/v3/exchangeInfo", params={"symbol": "BTCUSDT"}).json()
    assert kind in info["symbols"][0]["orderTypes"]


def test_orders_meet_the_price_that_the_tickers_show(paper: PaperClient) -> None:
    account = paper.sandbox.exchange.account("paper", Market.SPOT)
    moment = NOW_MS
    for step in (0, 1, 29_999, 30_000, 45_001, 7_777_777, 86_400_000):
        moment += step
        paper.sandbox.clock.set(moment)
        for symbol in ("BTCUSDT", "ETHUSDT"):
            shown = paper.http.get("/api/v3/ticker/price", params={"symbol": symbol}).json()["price"]
            assert Decimal(shown) == account.prices.last(symbol, moment)
