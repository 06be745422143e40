from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from resources.market_data.coinbase import parse
from resources.market_data.coinbase.source import CoinbaseMarketData
from resources.market_data.factory import create_second
from resources.market_data.settings import CoinbaseSettings, MarketDataSettings, SandboxSourceSettings
from tests.venue_server import VenueServer
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import REFERENCE_KLINES

PATH = "/api/v3/brokerage/market/products/BTC-USD/candles"
START = 1_735_689_600_000


def candle(start_seconds: int, **changes: str) -> dict[str, str]:
    usual = {"low": "1", "high": "3", "open": "1.5", "close": "2.5", "volume": "7"}
    return {"start": str(start_seconds), **usual, **changes}


@pytest.fixture
def source(venue: VenueServer) -> Iterator[CoinbaseMarketData]:
    settings = CoinbaseSettings(
        base_url=venue.base_url, attempts=2, backoff_seconds=0.0, requests_per_second=1_000
    )
    found = CoinbaseMarketData(settings)
    yield found
    found.close()


@pytest.mark.parametrize("inclusive", [True, False])
def test_candles_come_in_pages_oldest_first_and_each_once(
    source: CoinbaseMarketData, venue: VenueServer, inclusive: bool
) -> None:
    def page(query: dict[str, str]) -> dict[str, Any]:
        first, last = int(query["start"]), int(query["end"]) + inclusive
        starts = range(first, last, 60)
        assert len(starts) <= 350
        assert query["granularity"] == "ONE_MINUTE"
        return {"candles": [candle(start) for start in reversed(starts) if start % 600]}

    venue.pages[PATH] = page
    rows = source.reference_klines(["BTCUSDT", "DOGEUSDT"], START, START + 1_440 * MINUTE_MS)
    assert dict(rows.schema) == REFERENCE_KLINES.schema
    expected = [START + minute * MINUTE_MS for minute in range(1_440) if minute % 10]
    assert rows["open_time"].dt.epoch("ms").to_list() == expected
    assert rows.row(0)[0] == "BTCUSDT"
    assert rows.row(0)[2:] == (1.5, 3.0, 1.0, 2.5, 7.0, "coinbase")
    assert {path for path, _, _ in venue.requests} == {PATH}


def test_symbols_without_a_product_have_no_second_opinion(
    source: CoinbaseMarketData, venue: VenueServer
) -> None:
    assert source.reference_klines(["DOGEUSDT"], START, START + MINUTE_MS).is_empty()
    assert not venue.requests


def test_recorded_candles_parse_to_the_letter(shared: Path) -> None:
    content = (shared / "fixtures/coinbase/nautilus/http_candles.json").read_bytes()
    rows = parse.reference_klines(content, "BTCUSDT", "coinbase")
    candles = json.loads(content)["candles"]
    assert rows.height == len(candles)
    assert rows["open_time"].dt.epoch("ms").to_list() == sorted(int(item["start"]) * 1000 for item in candles)
    assert rows["close"].to_list() == [float(item["close"]) for item in reversed(candles)]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda item: item.pop("close"), "not as documented"),
        (lambda item: item.update(low="many"), "candle 2 is"),
        (lambda item: item.update(low="4"), "candle 2 is"),
        (lambda item: item.update(start=str(START // 1000 + 1)), "candle 2 is"),
        (lambda item: item.update(start="17"), "no time"),
    ],
)
def test_a_candle_that_cannot_be_is_named(change: Callable[[dict[str, str]], object], message: str) -> None:
    candles = [candle(START // 1000 + 60), candle(START // 1000)]
    change(candles[1])
    with pytest.raises(BadData, match=rf"candles of BTCUSDT at coinbase.*{message}"):
        parse.reference_klines(json.dumps({"candles": candles}).encode(), "BTCUSDT", "coinbase")


def test_a_product_that_does_not_exist_and_a_web_page_are_named(
    source: CoinbaseMarketData, venue: VenueServer
) -> None:
    with pytest.raises(FixConfiguration, match=r"BTC-USD.*no such product.*coinbase\.products"):
        source.reference_klines(["BTCUSDT"], START, START + MINUTE_MS)
    page = (200, {"Content-Type": "text/html"}, b"<html>")
    venue.answers[PATH] = [page, page]
    with pytest.raises(RetryLater, match="web page instead of data"):
        source.reference_klines(["BTCUSDT"], START, START + MINUTE_MS)


def test_the_factory_makes_the_second_source_that_the_settings_name(venue: VenueServer) -> None:
    assert create_second(MarketDataSettings()) is None
    sandbox = SandboxSourceSettings(base_url=venue.base_url)
    source = create_second(MarketDataSettings(second_source="coinbase", sandbox=sandbox))
    assert source is not None
    venue.pages[f"/coinbase{PATH}"] = lambda query: {"candles": [candle(int(query["start"]))]}
    assert source.reference_klines(["BTCUSDT"], START, START + MINUTE_MS).height == 1
    source.close()
