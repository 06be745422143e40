from __future__ import annotations

from collections import Counter
from typing import Any

import httpx
import pytest
from paper_client import MARKET, NOW_MS, SETTINGS, PaperClient, with_faults

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.faults import RequestFaults
from apps.sandbox.trading.settings import TradingFaults, TradingSettings
from trading.model.series import Market

ORDER = "/api/v3/order"
BTC = {"symbol": "BTCUSDT"}


def buy(paper: PaperClient, number: int) -> tuple[int, int | None]:
    """Status and code of the answer to an order; 0 when the connection ended instead."""
    try:
        answer = paper.send(
            "POST", ORDER, **BTC, side="BUY", type="MARKET", quantity="0.001", newClientOrderId=f"n{number}"
        )
    except httpx.RemoteProtocolError:
        return 0, None
    return answer.status_code, answer.json().get("code")


@pytest.mark.parametrize(
    ("kind", "answer", "carried_out"),
    [
        ("timeout_before", (408, -1007), False),
        ("timeout_after", (408, -1007), True),
        ("drop_before", (0, None), False),
        ("drop_after", (0, None), True),
        ("server_error_before", (503, -1000), False),
        ("server_error_after", (503, -1000), True),
        ("rate_limit", (429, -1003), False),
        ("ban", (418, -1003), False),
    ],
)
def test_a_planned_fault_answers_so_and_does_or_does_nothing(
    kind: str, answer: tuple[int, int | None], carried_out: bool
) -> None:
    faults = TradingFaults(seed=5, **{f"{kind}_fraction": 0.4})  # type: ignore[arg-type]
    with EmbeddedSandbox(with_faults(faults)) as running, PaperClient(running) as paper:
        answers = [buy(paper, number) for number in range(12)]
        failed = [number for number, got in enumerate(answers) if got == answer]
        assert 0 < len(failed) < 12
        assert {got[0] for number, got in enumerate(answers) if number not in failed} == {200}
        account = running.exchange.account("paper", Market.SPOT)
        done = {order.client_order_id for order in account.orders.values()}
    for number in range(12):
        assert (f"n{number}" in done) is (carried_out or number not in failed)


def test_who_is_asked_to_wait_is_told_how_long() -> None:
    faults = TradingFaults(rate_limit_fraction=1.0, retry_after_seconds=7)
    with EmbeddedSandbox(with_faults(faults)) as running, PaperClient(running) as paper:
        answer = paper.send("GET", "/api/v3/account")
    assert (answer.status_code, answer.headers["Retry-After"]) == (429, "7")


def test_equal_seeds_meet_equal_faults() -> None:
    def fates(seed: int) -> list[Any]:
        faults = RequestFaults(
            TradingFaults(seed=seed, timeout_before_fraction=0.2, drop_after_fraction=0.2, ban_fraction=0.1)
        )
        return [faults.next(f"POST {path}", changes=True) for path in "ab" for _ in range(200)]

    assert fates(1) == fates(1) != fates(2)
    assert fates(1)[:200] != fates(1)[200:]
    counts = Counter(fates(1))
    assert 40 < counts["timeout_before"] < 120
    assert 15 < counts["ban"] < 70
    reads = RequestFaults(TradingFaults(timeout_before_fraction=1.0))
    assert reads.next("GET a", changes=False) is None


def test_a_clock_that_jumps_refuses_requests_until_the_client_asks_the_time() -> None:
    faults = TradingFaults(clock_skew_ms=20_000, clock_skew_after_requests=3)
    with EmbeddedSandbox(with_faults(faults)) as running, PaperClient(running) as paper:
        answers = [paper.send("GET", "/api/v3/account").status_code for _ in range(4)]
        assert answers == [200, 200, 400, 400]
        now_ms = paper.http.get("/api/v3/time").json()["serverTime"]
        assert now_ms == NOW_MS + 20_000 == paper.http.get("/fapi/v1/time").json()["serverTime"]
        assert paper.send("GET", "/api/v3/account", timestamp=now_ms).status_code == 200


def test_stale_prices_are_old_ones_and_orders_meet_the_present() -> None:
    faults = TradingFaults(seed=2, stale_fraction=0.5, stale_seconds=3_600)
    with EmbeddedSandbox(with_faults(faults)) as running, PaperClient(running) as paper:
        shown = {paper.http.get("/api/v3/ticker/price", params=BTC).json()["price"] for _ in range(20)}
        futures = [
            paper.http.get("/fapi/v1/klines", params={**BTC, "interval": "1m", "limit": 1}).json()[0][0]
            for _ in range(20)
        ]
        order = paper.post(ORDER, **BTC, side="BUY", type="MARKET", quantity="0.001")
    with EmbeddedSandbox(SETTINGS) as running, PaperClient(running) as paper:
        now = paper.http.get("/api/v3/ticker/price", params=BTC).json()["price"]
    assert len(shown) == 2
    assert now in shown
    assert float(order["fills"][0]["price"]) - float(now) == pytest.approx(0.1)
    assert max(futures) - min(futures) == 3_600_000


def test_too_many_orders_are_refused_and_counted() -> None:
    settings = SandboxSettings(
        market=MARKET,
        clock=ClockSettings(start="2025-01-03T12:34:30", speed=0.0),
        trading=TradingSettings(orders_per_ten_seconds=3),
    )
    with EmbeddedSandbox(settings) as running, PaperClient(running) as paper:
        answers = [
            paper.send("POST", ORDER, **BTC, side="BUY", type="MARKET", quantity="0.001") for _ in range(12)
        ]
    codes = [item.status_code for item in answers]
    assert codes.count(429) >= 12 - 3 * 3
    refused = next(item for item in answers if item.status_code == 429)
    assert (refused.json()["code"], refused.headers["Retry-After"]) == (-1015, "10")
    assert answers[0].headers["X-MBX-ORDER-COUNT-1D"] == "1"
    assert int(answers[0].headers["X-MBX-USED-WEIGHT-1M"]) == 1
