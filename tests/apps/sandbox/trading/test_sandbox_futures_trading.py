from __future__ import annotations

from collections.abc import Callable
from typing import Any

from paper_client import PaperClient

Fixture = Callable[[str], Any]
Types = Callable[[Any], Any]
ORDER, ALGO = "/fapi/v1/order", "/fapi/v1/algoOrder"
BTC = {"symbol": "BTCUSDT"}


def market(paper: PaperClient, side: str = "BUY", quantity: str = "0.1", **more: Any) -> Any:
    values = {"side": side, "type": "MARKET", "quantity": quantity, "newOrderRespType": "RESULT"}
    return paper.post(ORDER, **BTC, **(values | more))


def stop(paper: PaperClient, trigger: float, **more: Any) -> Any:
    values = {"algoType": "CONDITIONAL", "side": "SELL", "type": "STOP_MARKET", "quantity": "0.1"}
    return paper.post(ALGO, **BTC, **(values | {"triggerPrice": trigger} | more))


def covers(got: Any, known: Any) -> bool:
    """Whether a payload has every recorded key, with its type, and is of the same length where a list."""
    if isinstance(known, dict):
        return isinstance(got, dict) and all(key in got and covers(got[key], known[key]) for key in known)
    if isinstance(known, list):
        return isinstance(got, list) and all(covers(item, known[0]) for item in got if known)
    return got == known


def test_answers_have_the_recorded_keys_and_types(
    paper: PaperClient, recorded: Fixture, types: Types
) -> None:
    def check(got: Any, name: str) -> None:
        assert covers(types(got), types(recorded(name))), (types(got), types(recorded(name)))

    python, rust = "nautilus_py/http_responses/http_futures", "nautilus_rust/futures/http_json"
    check(market(paper), f"{rust}/order_response.json")
    check(paper.get("/fapi/v1/userTrades", **BTC), f"{python}_account_trades.json")
    check(paper.get(ORDER, **BTC, orderId=1), f"{rust}/order_response.json")
    check(paper.get("/fapi/v2/account"), f"{rust}/account_info_v2.json")
    check(paper.get("/fapi/v2/balance"), f"{rust}/balance.json")
    check(paper.get("/fapi/v2/positionRisk", **BTC), f"{rust}/position_risk.json")
    check(paper.get("/fapi/v1/positionSide/dual"), f"{python}_account_position_side_dual.json")
    check(paper.get("/fapi/v1/symbolConfig", **BTC), f"{python}_account_symbol_config.json")
    check(paper.get("/fapi/v1/commissionRate", **BTC), f"{python}_wallet_commission_rate_btcusdt.json")
    stop(paper, 30_000)
    check(paper.get("/fapi/v1/openAlgoOrders"), f"{rust}/open_algo_orders.json")
    tiers = recorded("freqtrade/binance_leverage_tiers.json")["BTC/USDT:USDT"]
    known = {"brackets": [tiers[0]["info"]]}
    got = paper.get("/fapi/v1/leverageBracket", **BTC)[0]
    assert set(got["brackets"][0]) == set(known["brackets"][0])


def test_an_order_and_its_position(paper: PaperClient) -> None:
    order = market(paper)
    assert (order["status"], order["executedQty"]) == ("FILLED", "0.100000")
    assert market(paper, newOrderRespType="ACK")["status"] == "NEW"
    (held,) = paper.get("/fapi/v2/positionRisk", **BTC)
    assert (held["positionAmt"], held["positionSide"], held["marginType"]) == ("0.200000", "BOTH", "cross")
    (third,) = paper.get("/fapi/v3/positionRisk")
    assert third["entryPrice"] == held["entryPrice"]
    account = paper.get("/fapi/v3/account")
    assert float(account["availableBalance"]) < 10_000
    assert account["positions"][0]["positionAmt"] == "0.200000"
    market(paper, "SELL", "0.2", reduceOnly="true")
    assert paper.get("/fapi/v3/positionRisk") == []
    kinds = [item["incomeType"] for item in paper.get("/fapi/v1/income")]
    assert kinds == ["TRANSFER", "COMMISSION", "COMMISSION", "REALIZED_PNL", "COMMISSION"]
    assert [item["incomeType"] for item in paper.get("/fapi/v1/income", incomeType="REALIZED_PNL")] == [
        "REALIZED_PNL"
    ]


def test_open_orders_and_cancels(paper: PaperClient) -> None:
    values = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": 50_000}
    paper.post(ORDER, **BTC, **values, newClientOrderId="mine")
    assert paper.refused("POST", ORDER, **BTC, **values, newClientOrderId="mine") == -4116
    assert paper.get("/fapi/v1/openOrder", **BTC, origClientOrderId="mine")["status"] == "NEW"
    assert paper.delete(ORDER, **BTC, origClientOrderId="mine")["status"] == "CANCELED"
    assert paper.refused("GET", "/fapi/v1/openOrder", **BTC, origClientOrderId="mine") == -2013
    assert paper.refused("DELETE", ORDER, **BTC, origClientOrderId="mine") == -2011
    assert paper.refused("DELETE", ORDER, **BTC, origClientOrderId="nobody") == -2011
    paper.post(ORDER, **BTC, **values)
    assert paper.delete("/fapi/v1/allOpenOrders", **BTC)["code"] == 200
    assert paper.get("/fapi/v1/openOrders") == []
    assert len(paper.get("/fapi/v1/allOrders", **BTC)) == 2
    assert paper.refused("POST", ORDER, **BTC, **(values | {"type": "STOP_MARKET"})) == -4120
    assert paper.refused("POST", ORDER, **BTC, **(values | {"price": 50_000.01})) == -1111
    assert paper.refused("POST", ORDER, **BTC, **(values | {"quantity": "0.00005"})) == -4164
    assert paper.refused("POST", ORDER, **BTC, **(values | {"price": 65_000, "timeInForce": "GTX"})) == -5022


def test_conditional_orders_over_their_own_endpoint(paper: PaperClient) -> None:
    market(paper)
    first, second = stop(paper, 30_000, clientAlgoId="a"), stop(paper, 29_000, reduceOnly="true")
    assert paper.refused("POST", ALGO, **BTC, algoType="CONDITIONAL", side="SELL", type="STOP_MARKET",
                         quantity="0.1", triggerPrice=30_000, clientAlgoId="a") == -4116  # fmt: skip
    assert paper.get(ALGO, clientAlgoId="a")["algoId"] == first["algoId"]
    assert paper.get("/fapi/v1/openOrders") == []
    assert paper.delete(ALGO, clientAlgoId="a")["code"] == "200"
    assert paper.get(ALGO, clientAlgoId="a")["algoStatus"] == "CANCELED"
    assert paper.refused("DELETE", ALGO, clientAlgoId="a") == -2011
    assert paper.refused("GET", ALGO, clientAlgoId="b") == -2013
    assert [item["algoId"] for item in paper.get("/fapi/v1/openAlgoOrders")] == [second["algoId"]]
    paper.delete("/fapi/v1/algoOpenOrders", **BTC)
    assert paper.get("/fapi/v1/openAlgoOrders") == []
    assert len(paper.get("/fapi/v1/allAlgoOrders", **BTC)) == 2


def test_how_positions_are_held(paper: PaperClient) -> None:
    assert paper.post("/fapi/v1/leverage", **BTC, leverage=25) == {
        "symbol": "BTCUSDT",
        "leverage": 25,
        "maxNotionalValue": "1000000",
    }
    assert paper.refused("POST", "/fapi/v1/leverage", **BTC, leverage=126) == -4028
    assert paper.refused("POST", "/fapi/v1/marginType", **BTC, marginType="CROSSED") == -4046
    assert paper.post("/fapi/v1/marginType", **BTC, marginType="ISOLATED")["code"] == 200
    assert paper.refused("POST", "/fapi/v1/positionSide/dual", dualSidePosition="false") == -4059
    market(paper)
    (held,) = paper.get("/fapi/v2/positionRisk")
    assert (held["leverage"], held["marginType"]) == ("25", "isolated")
    assert float(held["isolatedWallet"]) > 0
    assert paper.refused("POST", "/fapi/v1/marginType", **BTC, marginType="CROSSED") == -4048
    assert paper.refused("POST", "/fapi/v1/positionSide/dual", dualSidePosition="true") == -4068
    market(paper, "SELL")
    assert paper.post("/fapi/v1/positionSide/dual", dualSidePosition="true")["code"] == 200
    assert [it["positionSide"] for it in paper.get("/fapi/v2/positionRisk", **BTC)] == ["LONG", "SHORT"]


def test_funding_is_what_the_public_api_says(paper: PaperClient) -> None:
    market(paper)
    paper.wait(24 * 60)
    paid = paper.get("/fapi/v1/income", incomeType="FUNDING_FEE", startTime=1)
    rates = {
        item["fundingTime"]: float(item["fundingRate"])
        for item in paper.http.get("/fapi/v1/fundingRate", params=BTC).json()
    }
    assert len(paid) == 3
    for item in paid:
        marks = {**BTC, "interval": "1m", "limit": 1, "startTime": item["time"]}
        opened = float(paper.http.get("/fapi/v1/markPriceKlines", params=marks).json()[0][1])
        assert abs(float(item["income"]) + 0.1 * opened * rates[item["time"]]) < 1e-7


def test_the_dead_mans_timer(paper: PaperClient) -> None:
    values = {"side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": 50_000}
    paper.post(ORDER, **BTC, **values)
    answer = paper.post("/fapi/v1/countdownCancelAll", **BTC, countdownTime=120_000)
    assert answer == {"symbol": "BTCUSDT", "countdownTime": "120000"}
    paper.wait(1)
    assert len(paper.get("/fapi/v1/openOrders")) == 1
    paper.post("/fapi/v1/countdownCancelAll", **BTC, countdownTime=0)
    paper.wait(5)
    assert len(paper.get("/fapi/v1/openOrders")) == 1
    paper.post("/fapi/v1/countdownCancelAll", **BTC, countdownTime=120_000)
    paper.wait(2)
    assert paper.get("/fapi/v1/openOrders") == []
