from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from paper_client import MARKET, NOW_MS, SETTINGS, PaperClient

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import SandboxSettings
from apps.sandbox.trading.settings import TradingSettings
from trading.errors import BadData, FixConfiguration

BTC = {"symbol": "BTCUSDT"}


def keeping(path: Path, **trading: Any) -> SandboxSettings:
    return replace(SETTINGS, trading=TradingSettings(journal=str(path), **trading))


def state(paper: PaperClient) -> list[Any]:
    spot = ("account", "allOrders", "myTrades", "openOrders")
    futures = (
        "v2/account",
        "v2/positionRisk",
        "v1/income",
        "v1/allOrders",
        "v1/userTrades",
        "v1/openAlgoOrders",
    )
    return [paper.get(f"/api/v3/{name}", **BTC) for name in spot] + [
        paper.get(f"/fapi/{name}", **BTC) for name in futures
    ]


def trade(paper: PaperClient) -> None:
    """Orders of every kind over some hours, some with ids of the venue's own, some refused."""

    def near(share: float) -> float:
        ticker = paper.http.get("/api/v3/ticker/price", params=BTC).json()
        return round(float(ticker["price"]) * share, 1)

    paper.post("/api/v3/order", **BTC, side="BUY", type="MARKET", quantity="0.02")
    limit = {"type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01"}
    resting = paper.post("/api/v3/order", **BTC, side="BUY", **limit, price=near(0.998))
    paper.post("/api/v3/order", **BTC, side="SELL", type="STOP_LOSS", quantity="0.01", stopPrice=near(0.995))
    assert paper.refused("POST", "/api/v3/order", **BTC, side="BUY", **limit, price=1) == -1013
    paper.wait(90)
    replaced = {"cancelReplaceMode": "ALLOW_FAILURE", "cancelOrderId": 999, "price": 50_000}
    assert (
        paper.send("POST", "/api/v3/order/cancelReplace", **BTC, side="BUY", **limit, **replaced).status_code
        == 409
    )
    paper.send("DELETE", "/api/v3/order", **BTC, orderId=resting["orderId"])
    paper.post("/fapi/v1/leverage", **BTC, leverage=10)
    paper.post("/fapi/v1/order", **BTC, side="SELL", type="MARKET", quantity="0.2")
    stop = {"algoType": "CONDITIONAL", "side": "BUY", "type": "STOP_MARKET", "quantity": "0.1"}
    paper.post("/fapi/v1/algoOrder", **BTC, **stop, triggerPrice=near(1.005))
    paper.post("/fapi/v1/order", **BTC, **limit, side="SELL", price=near(1.2))
    paper.post("/fapi/v1/countdownCancelAll", **BTC, countdownTime=3_600_000)
    paper.wait(12 * 60)


def test_a_restart_loses_nothing(tmp_path: Path) -> None:
    settings = keeping(tmp_path / "kept" / "paper.jsonl")
    with EmbeddedSandbox(settings) as running, PaperClient(running) as paper:
        trade(paper)
        before = state(paper)
        now_ms = running.clock.now_ms()
    with EmbeddedSandbox(settings) as running, PaperClient(running) as paper:
        assert NOW_MS < running.clock.now_ms() <= now_ms  # no earlier than what was done last
        running.clock.set(now_ms)
        assert state(paper) == before
        trade(paper)
        before = state(paper)
        now_ms = running.clock.now_ms()
    with EmbeddedSandbox(settings) as running, PaperClient(running) as paper:
        running.clock.set(now_ms)
        assert state(paper) == before


def test_the_same_requests_at_the_same_moments_end_the_same() -> None:
    states = []
    for _ in range(2):
        with EmbeddedSandbox(SETTINGS) as running, PaperClient(running) as paper:
            trade(paper)
            states.append(state(paper))
    assert states[0] == states[1]


def test_a_line_torn_by_a_crash_was_never_answered(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    with EmbeddedSandbox(keeping(path)) as running, PaperClient(running) as paper:
        for _ in range(2):
            paper.post("/api/v3/order", **BTC, side="BUY", type="MARKET", quantity="0.01")
    whole = path.read_bytes()
    path.write_bytes(whole[:-20])
    with EmbeddedSandbox(keeping(path)) as running, PaperClient(running) as paper:
        assert len(paper.get("/api/v3/myTrades", **BTC)) == 1
        paper.post("/api/v3/order", **BTC, side="BUY", type="MARKET", quantity="0.01")
    assert path.read_bytes().count(b"\n") == whole.count(b"\n")


def test_a_journal_of_another_world_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "paper.jsonl"
    EmbeddedSandbox(keeping(path))
    EmbeddedSandbox(keeping(path, orders_per_ten_seconds=5))
    with pytest.raises(FixConfiguration, match="another market, accounts or fees"):
        EmbeddedSandbox(replace(keeping(path), market=replace(MARKET, seed=7)))
    with pytest.raises(FixConfiguration, match="another market, accounts or fees"):
        EmbeddedSandbox(keeping(path, accounts=("other",)))
    path.write_text('{"no": "head"}\n')
    with pytest.raises(BadData, match="does not begin as a journal"):
        EmbeddedSandbox(keeping(path))
    path.write_text("no json\n")
    with pytest.raises(BadData, match="no JSON in line 1"):
        EmbeddedSandbox(keeping(path))


def test_accounts_have_their_own_names_and_money() -> None:
    from apps.sandbox.trading.keys import paper_keys

    with pytest.raises(FixConfiguration, match="give each account its own name"):
        EmbeddedSandbox(replace(SETTINGS, trading=TradingSettings(accounts=("a", "a"))))
    settings = replace(SETTINGS, trading=TradingSettings(accounts=("paper", "other")))
    with (
        EmbeddedSandbox(settings) as running,
        PaperClient(running) as one,
        PaperClient(running, paper_keys(MARKET.seed, "other")) as two,
    ):
        one.post("/api/v3/order", **BTC, side="BUY", type="MARKET", quantity="0.01")
        assert two.get("/api/v3/allOrders", **BTC) == []
        assert two.get("/api/v3/account", omitZeroBalances="true")["balances"][0]["free"] == "10000.00000000"
        assert running.clock.now_ms() == NOW_MS
