from __future__ import annotations

import hashlib
import hmac
import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

import pytest
from paper_client import KEYS, PaperClient, with_faults
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.trading.faults import Draws
from apps.sandbox.trading.settings import TradingFaults
from apps.sandbox.trading.stream.faults import EventFaults

Fixture = Callable[[str], Any]
Types = Callable[[Any], Any]
FOLDER = "nautilus_rust/futures/user_data_json"
BTC = {"symbol": "BTCUSDT"}


def socket(paper: PaperClient, path: str) -> ClientConnection:
    return connect(paper.sandbox.base_url.replace("http", "ws") + path, proxy=None)


@contextmanager
def listening(paper: PaperClient, path: str) -> Iterator[ClientConnection]:
    key = paper.http.post(path).json()["listenKey"]
    with socket(paper, f"/ws/{key}") as line:
        yield line


def heard(line: ClientConnection, count: int) -> list[Any]:
    return [json.loads(line.recv(timeout=10)) for _ in range(count)]


def buy(paper: PaperClient, path: str, quantity: str = "0.01", **more: Any) -> Any:
    return paper.post(path, **BTC, side="BUY", type="MARKET", quantity=quantity, **more)


def test_spot_events_tell_an_orders_life(paper: PaperClient, recorded: Fixture, types: Types) -> None:
    with listening(paper, "/api/v3/userDataStream") as line:
        order = buy(paper, "/api/v3/order", newClientOrderId="mine")
        new, trade, balances = heard(line, 3)
        resting = paper.post("/api/v3/order", **BTC, side="BUY", type="LIMIT", timeInForce="GTC",
                             quantity="0.01", price=50_000, newClientOrderId="rest")  # fmt: skip
        paper.delete("/api/v3/order", **BTC, orderId=resting["orderId"], newClientOrderId="gone")
        rest, held, ended, freed = heard(line, 4)
    assert [(it["x"], it["X"]) for it in (new, trade, rest, ended)] == [
        ("NEW", "NEW"),
        ("TRADE", "FILLED"),
        ("NEW", "NEW"),
        ("CANCELED", "CANCELED"),
    ]
    assert (trade["c"], trade["i"], trade["l"]) == ("mine", order["orderId"], "0.01000000")
    assert trade["n"] == order["fills"][0]["commission"]
    assert (ended["c"], ended["C"]) == ("gone", "rest")
    assert {it["a"]: it["l"] for it in held["B"]}["USDT"] == "500.00000000"
    assert {it["a"]: it["l"] for it in freed["B"]}["USDT"] == "0.00000000"
    known = "nautilus_rust/spot/user_data_json"
    assert types(new) == types(recorded(f"{known}/execution_report_wrapped.json")["event"])
    assert set(trade) == set(new)
    assert types(balances) == types(recorded(f"{known}/account_position.json"))


def test_futures_events_tell_orders_positions_and_triggers(
    paper: PaperClient, recorded: Fixture, types: Types
) -> None:
    with listening(paper, "/fapi/v1/listenKey") as line:
        buy(paper, "/fapi/v1/order", "0.1")
        new, trade, wallet = heard(line, 3)
        last = float(paper.get("/fapi/v2/positionRisk", **BTC)[0]["markPrice"])
        paper.post("/fapi/v1/algoOrder", **BTC, algoType="CONDITIONAL", side="SELL", type="STOP_MARKET",
                   quantity="0.1", triggerPrice=round(last * 0.998, 1), clientAlgoId="stop")  # fmt: skip
        (waiting,) = heard(line, 1)
        paper.wait(48 * 60)
        later = []
        while not later or later[-1]["e"] != "ALGO_UPDATE" or later[-1]["o"]["X"] != "FINISHED":
            later += heard(line, 1)
    for got, name in ((new, "order_update_new"), (trade, "order_update_trade"), (waiting, "algo_update_new")):
        known = recorded(f"{FOLDER}/{name}.json")
        shared = {key: types(value) for key, value in got["o"].items() if key in known["o"]}
        assert shared == types(known["o"])
        assert set(got) == set(known)
    known = recorded(f"{FOLDER}/account_update.json")
    assert types(wallet) == types(known)
    assert (trade["o"]["x"], trade["o"]["X"], wallet["a"]["P"][0]["pa"]) == ("TRADE", "FILLED", "0.100000")
    assert [(it["e"], it["o"]["X"]) for it in later if it["e"] != "ACCOUNT_UPDATE"] == [
        ("ALGO_UPDATE", "TRIGGERING"),
        ("ALGO_UPDATE", "TRIGGERED"),
        ("ORDER_TRADE_UPDATE", "NEW"),
        ("ORDER_TRADE_UPDATE", "FILLED"),
        ("ALGO_UPDATE", "FINISHED"),
    ]
    (closing,) = [it["o"] for it in later if it["e"] == "ORDER_TRADE_UPDATE" and it["o"]["X"] == "FILLED"]
    assert (later[-1]["o"]["ai"], later[-1]["o"]["ap"]) == (str(closing["i"]), closing["ap"])
    assert closing["c"] == "stop"


def test_a_signed_subscription_hears_wrapped_events(paper: PaperClient) -> None:
    with socket(paper, "/ws-api/v3") as line:
        values = {"apiKey": KEYS.api_key, "timestamp": str(paper.sandbox.clock.now_ms())}
        payload = urlencode(sorted(values.items())).encode()
        values["signature"] = hmac.new(KEYS.secret.encode(), payload, hashlib.sha256).hexdigest()
        line.send(json.dumps({"id": "1", "method": "userDataStream.subscribe.signature", "params": values}))
        assert heard(line, 1) == [{"id": "1", "status": 200, "result": {"subscriptionId": 0}}]
        buy(paper, "/api/v3/order")
        assert [it["event"]["e"] for it in heard(line, 3)] == [
            "executionReport",
            "executionReport",
            "outboundAccountPosition",
        ]
    with socket(paper, "/ws-api/v3") as line:
        values["signature"] = "00"
        line.send(json.dumps({"id": "2", "method": "userDataStream.subscribe.signature", "params": values}))
        (answer,) = heard(line, 1)
        assert (answer["status"], answer["error"]["code"]) == (400, -1022)


def test_combined_streams_are_wrapped(paper: PaperClient) -> None:
    key = paper.http.post("/fapi/v1/listenKey").json()["listenKey"]
    with socket(paper, f"/stream?streams={key}") as line:
        buy(paper, "/fapi/v1/order")
        (first,) = heard(line, 1)
    assert (first["stream"], first["data"]["e"]) == (key, "ORDER_TRADE_UPDATE")


def test_listen_keys_are_kept_and_closed(paper: PaperClient) -> None:
    path = "/fapi/v1/listenKey"
    key = paper.http.post(path).json()["listenKey"]
    assert paper.http.post(path).json()["listenKey"] == key
    assert paper.http.put(path).status_code == 200
    with socket(paper, f"/ws/{key}") as line:
        assert paper.http.delete(path).json() == {}
        (ended,) = heard(line, 1)
        assert (ended["e"], ended["listenKey"]) == ("listenKeyExpired", key)
    assert paper.http.put(path).json()["code"] == -1125
    with socket(paper, f"/ws/{key}") as line, pytest.raises(ConnectionClosed):
        line.recv(timeout=5)
    assert paper.http.post("/api/v3/userDataStream").json()["listenKey"] != key
    assert paper.http.put("/api/v3/userDataStream").json()["code"] == -1102


def passed_on(settings: TradingFaults, count: int) -> list[int]:
    faults = EventFaults(settings, Draws(settings.seed), "paper/spot")
    sent = [event["n"] for number in range(count) for event in faults.passed_on({"n": number})]
    return sent + [event["n"] for event in faults.flushed()]


@pytest.mark.parametrize("kind", ["duplicate", "late", "reordered"])
def test_planned_faults_of_events_lose_none_and_repeat_with_the_seed(kind: str) -> None:
    settings = TradingFaults(seed=3, **{f"event_{kind}_fraction": 0.3})  # type: ignore[arg-type]
    sent = passed_on(settings, 200)
    assert sent == passed_on(settings, 200)
    counts = Counter(sent)
    assert set(counts) == set(range(200))
    twice = sum(number == 2 for number in counts.values())
    if kind == "duplicate":
        assert 30 < twice < 90
        assert sorted(sent) == sent
    else:
        assert twice == 0
        assert sent != sorted(sent)
        furthest = max(sent.index(number) - number for number in range(200))
        assert furthest >= (3 if kind == "late" else 1)


def until_the_end(line: ClientConnection, count: int) -> tuple[list[Any], int | None]:
    """Some events, and the code of the close that came before the last of them."""
    told: list[Any] = []
    try:
        for _ in range(count):
            told += heard(line, 1)
    except ConnectionClosed as closed:
        return told, closed.rcvd.code if closed.rcvd else 0
    return told, None


def test_a_dropped_stream_loses_an_event_and_goes_on_with_the_next_connection() -> None:
    settings = with_faults(TradingFaults(seed=1, stream_drop_fraction=0.2))
    with EmbeddedSandbox(settings) as running, PaperClient(running) as paper:
        heard_ids: list[int] = []
        drops = 0
        for _ in range(12):
            with listening(paper, "/fapi/v1/listenKey") as line:
                buy(paper, "/fapi/v1/order")
                told, code = until_the_end(line, 3)
            heard_ids += [it["o"]["t"] for it in told if it["e"] == "ORDER_TRADE_UPDATE"]
            drops += code == 1012
        trades = [item["id"] for item in paper.get("/fapi/v1/userTrades", **BTC)]
    assert trades == list(range(1, 13))
    assert 0 < drops < 12
    assert set(heard_ids) - {0} < set(trades)
