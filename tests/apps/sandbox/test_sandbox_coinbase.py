from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from trading.simulation.market import Market
from trading.simulation.second_venue import SecondVenue
from trading.simulation.settings import MarketSettings, Outage

MARKET = MarketSettings(
    symbols=("BTCUSDT", "DOGEUSDT"),
    outages=(Outage("2025-03-04T01:00", 10, market="coinbase"),),
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
SETTINGS = SandboxSettings(market=MARKET, clock=ClockSettings(start="2025-03-05T00:00:30", speed=0.0))
START = int(datetime(2025, 3, 4, tzinfo=UTC).timestamp())
URL = "/coinbase/api/v3/brokerage/market/products/{}/candles"


@pytest.fixture(scope="module")
def http() -> Iterator[httpx.Client]:
    with EmbeddedSandbox(SETTINGS) as running, httpx.Client(base_url=running.base_url) as client:
        yield client


def candles(http: httpx.Client, start: int, end: int) -> list[dict[str, str]]:
    answer = http.get(URL.format("BTC-USD"), params={"start": start, "end": end, "granularity": "ONE_MINUTE"})
    assert answer.status_code == 200, answer.text
    return list(answer.json()["candles"])


def test_candles_have_the_recorded_keys_as_text(http: httpx.Client, shared: Path) -> None:
    known = json.loads((shared / "fixtures/coinbase/nautilus/http_candles.json").read_text())
    answer = http.get(
        URL.format("BTC-USD"), params={"start": START, "end": START + 600, "granularity": "ONE_MINUTE"}
    ).json()

    def types(body: dict[str, Any]) -> dict[str, Any]:
        return {name: type(value).__name__ for name, value in body["candles"][0].items()}

    assert list(answer) == list(known)
    assert types(answer) == types(known)


def test_candles_are_the_second_venue_newest_first(http: httpx.Client) -> None:
    found: list[dict[str, str]] = []
    for first in range(START, START + 86_400, 350 * 60):
        page = candles(http, first, min(first + 349 * 60, START + 86_340))
        times = [int(row["start"]) for row in page]
        assert times == sorted(times, reverse=True)
        found += page[::-1]
    day = SecondVenue(Market(MARKET)).minutes("BTC-USD", date(2025, 3, 4))
    assert [int(row["start"]) * 1000 for row in found] == day["open_time"].dt.epoch("ms").to_list()
    assert len(found) == 1430
    for name in ("open", "high", "low", "close", "volume"):
        assert [float(row[name]) for row in found] == day[name].to_list()


def test_both_ends_belong_to_the_answer_and_the_open_candle_shows(http: httpx.Client) -> None:
    assert [int(row["start"]) - START for row in candles(http, START, START + 120)] == [120, 60, 0]
    latest = candles(http, START + 86_340, START + 90_000)
    assert [int(row["start"]) - START for row in latest] == [86_400, 86_340]


@pytest.mark.parametrize(
    ("product", "query", "status", "message"),
    [
        ("DOGE-USD", {}, 404, "product_id"),
        ("ETH-USD", {}, 404, "product_id"),
        ("BTC-USD", {"granularity": "1m"}, 400, "granularity"),
        ("BTC-USD", {"start": "yesterday"}, 400, "start and end"),
        ("BTC-USD", {"end": START - 60}, 400, "before end"),
        ("BTC-USD", {"end": START + 350 * 60}, 400, "less than 350"),
    ],
)
def test_refusals_say_why(
    http: httpx.Client, product: str, query: dict[str, Any], status: int, message: str
) -> None:
    usual = {"start": START, "end": START + 60, "granularity": "ONE_MINUTE"}
    answer = http.get(URL.format(product), params={**usual, **query})
    assert answer.status_code == status
    assert message in answer.json()["message"]
    assert answer.json()["error"] in ("NOT_FOUND", "INVALID_ARGUMENT")


def test_a_replay_has_no_second_venue(shared: Path) -> None:
    folder = shared / "data/binance/usdm/1m/src=typhonun"
    settings = SandboxSettings(backing="replay", replay_folder=str(folder))
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        assert http.get(URL.format("BTC-USD")).status_code == 404
