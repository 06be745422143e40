from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from resources.market_data.binance import parse, parse_instruments
from resources.market_data.binance.endpoints import KLINES
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.settings import BinanceSettings
from tests.venue_server import VenueServer
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Market, Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST

FIXTURES = "fixtures/binance/nautilus_py/http_responses"
START = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
NOW_MS = START + 40 * DAY_MS + 30_000
HOUR_MS = 3_600_000


@pytest.fixture
def source(venue: VenueServer) -> Iterator[BinanceMarketData]:
    venue.pages["/api/v3/time"] = lambda _: {"serverTime": NOW_MS}
    settings = BinanceSettings(
        base_url=venue.base_url, futures_base_url=venue.base_url, attempts=2, backoff_seconds=0.0
    )
    found = BinanceMarketData(settings)
    yield found
    found.close()


def recorded(shared: Path, name: str) -> Any:
    return json.loads((shared / FIXTURES / name).read_text())


def row(time_ms: int) -> list[Any]:
    return [time_ms, "1.5", "2", "-1", "1.75", "3", time_ms + 59_999, "4", 5, "1", "2", "0"]


def serve_klines(venue: VenueServer, path: str, parameter: str) -> None:
    def page(query: dict[str, str]) -> list[list[Any]]:
        assert query[parameter] in ("BTCUSDT", "ETHUSDT")
        until_ms = int(query["endTime"]) + 1
        times = range(int(query["startTime"]), until_ms, MINUTE_MS)
        return [row(time) for time in times][: int(query["limit"])]

    venue.pages[path] = page


@pytest.mark.parametrize("series", [series for series in Series if series is not Series.SPOT])
def test_each_series_comes_from_its_endpoint_in_its_dataset(
    source: BinanceMarketData, venue: VenueServer, series: Series
) -> None:
    endpoint = KLINES[series]
    serve_klines(venue, endpoint.path, endpoint.symbol_parameter)
    rows = source.klines(["ETHUSDT", "BTCUSDT"], START, START + DAY_MS + 5 * MINUTE_MS, series)
    assert rows.height == 2 * 1445
    assert rows["symbol"].is_sorted()
    assert ("volume" in rows.columns) == series.traded
    assert rows["low"].unique().to_list() == [-1.0]
    assert (rows["known_at"] - rows["open_time"]).unique().to_list() == [
        rows["known_at"][0] - rows["open_time"][0]
    ]
    asked = [query for path, query, _ in venue.requests if path == endpoint.path]
    assert sorted(int(query["limit"]) for query in asked) == [5, 5] + [480] * 6


def test_pages_are_priced_as_the_venue_prices_them() -> None:
    futures = KLINES[Series.USDM]
    assert [futures.weight(bars) for bars in (1, 99, 100, 480, 499, 500, 1_000, 1_001, 1_500)] == [
        1, 1, 2, 2, 2, 5, 5, 10, 10,
    ]  # fmt: skip
    assert KLINES[Series.SPOT].weight(1_000) == 2


@pytest.mark.parametrize(
    ("name", "series"),
    [
        ("http_futures_market_mark_price_klines.json", Series.MARK),
        ("http_futures_market_index_price_klines.json", Series.INDEX),
        ("http_spot_market_klines.json", Series.USDM),
    ],
)
def test_recorded_klines_parse_to_the_letter(shared: Path, name: str, series: Series) -> None:
    rows = recorded(shared, name)
    page = parse.page(json.dumps(rows).encode(), "BTCUSDT")
    klines = parse.klines([page], "binance", series)
    assert klines.height == len(rows)
    assert klines["open_time"].dt.epoch("ms").to_list() == [row[0] for row in rows]
    assert klines["close"].to_list() == [float(row[4]) for row in rows]


def test_recorded_instruments_are_the_perpetuals(
    shared: Path, source: BinanceMarketData, venue: VenueServer
) -> None:
    info = recorded(shared, "http_futures_market_exchange_info.json")
    base = info["symbols"][0]
    ended = {
        **base,
        "symbol": "1000PEPEUSDT",
        "baseAsset": "1000PEPE",
        "status": "SETTLING",
        "deliveryDate": START,
    }
    info["symbols"] += [ended, {**base, "symbol": "BTCUSDC", "quoteAsset": "USDC"}]
    venue.pages["/fapi/v1/exchangeInfo"] = lambda _: info
    venue.pages["/fapi/v1/fundingInfo"] = lambda _: [
        {"symbol": "ETHUSDT", "adjustedFundingRateCap": "0.02", "fundingIntervalHours": 4}
    ]
    pepe, btc, eth = source.instruments(Market.USDM)
    assert [item.symbol for item in (pepe, btc, eth)] == ["1000PEPEUSDT", "BTCUSDT", "ETHUSDT"]
    assert (btc.tick_size, btc.lot_step, btc.min_notional, btc.max_quantity) == (
        Decimal("0.1"),
        Decimal("0.001"),
        Decimal(10),
        Decimal(1000),
    )
    assert {item.market for item in (pepe, btc, eth)} == {Market.USDM}
    assert (btc.listed_at_ms, btc.delisted_at_ms, btc.funding_interval_hours) == (1569398400000, None, 8)
    assert (eth.funding_interval_hours, eth.underlying, eth.multiplier) == (4, "ETH", 1)
    assert (pepe.underlying, pepe.multiplier, pepe.delisted_at_ms, pepe.status) == (
        "PEPE",
        1000,
        START,
        "SETTLING",
    )
    assert parse_instruments.weight_limit(parse_instruments.exchange_info(json.dumps(info).encode())) == 6000


def test_funding_is_paged_by_time_and_its_interval_is_the_time_between_payments(
    source: BinanceMarketData, venue: VenueServer
) -> None:
    # Every eight hours at first, every hour from the tenth day on; the venue is a few ms late.
    times = [START + hour * HOUR_MS for hour in range(-8, 240, 8)]
    times += [START + hour * HOUR_MS for hour in range(240, 61 * 24)]
    payments = [{"symbol": "BTCUSDT", "fundingTime": time + 7, "fundingRate": "-0.0001"} for time in times]

    def page(query: dict[str, str]) -> list[dict[str, Any]]:
        begin, until = int(query["startTime"]), int(query["endTime"])
        return [item for item in payments if begin <= item["fundingTime"] <= until][: int(query["limit"])]

    venue.pages["/fapi/v1/fundingRate"] = page
    rows = source.funding_rates(["BTCUSDT"], START, START + 60 * DAY_MS)
    assert dict(rows.schema) == FUNDING_RATES.schema
    wanted = [time + 7 for time in times if START <= time + 7 < START + 60 * DAY_MS]
    assert len(wanted) > 1_000  # more than a page
    assert rows["funding_time"].dt.epoch("ms").to_list() == wanted
    assert rows["interval_hours"].to_list() == [8] * 31 + [1] * (len(wanted) - 31)
    first = source.funding_rates(["BTCUSDT"], START - 8 * HOUR_MS, START)
    assert first["interval_hours"].to_list() == [None]  # nothing is known of a payment before


def test_recorded_funding_and_open_interest(
    shared: Path, source: BinanceMarketData, venue: VenueServer
) -> None:
    funding = recorded(shared, "http_futures_market_funding_rate.json")
    venue.pages["/fapi/v1/fundingRate"] = lambda _: funding
    rows = source.funding_rates(["BTCUSDT"], 1570600000000, 1570700000000)
    assert rows["funding_rate"].to_list() == [-0.0375, 0.0001]
    assert rows["interval_hours"].to_list() == [None, 8]
    interest = recorded(shared, "http_futures_market_open_interest_historical.json")
    begin = NOW_MS // DAY_MS * DAY_MS - DAY_MS
    for number, item in enumerate(interest):
        item["timestamp"] = str(begin + number * 300_000)
    venue.pages["/futures/data/openInterestHist"] = lambda _: interest
    counts = source.open_interest(["BTCUSDT"], begin, begin + 600_000)
    assert dict(counts.schema) == OPEN_INTEREST.schema
    assert counts["open_interest"].to_list() == [20403.637, 20401.367]
    with pytest.raises(BadData, match="has rows of BTCUSDT"):
        source.open_interest(["ETHUSDT"], begin, begin + 600_000)


def test_open_interest_is_paged_and_refused_beyond_thirty_days(
    source: BinanceMarketData, venue: VenueServer
) -> None:
    def page(query: dict[str, str]) -> list[dict[str, Any]]:
        times = range(int(query["startTime"]), int(query["endTime"]) + 1, 300_000)
        assert len(times) <= int(query["limit"]) == 500
        return [
            {
                "symbol": query["symbol"],
                "sumOpenInterest": "1",
                "sumOpenInterestValue": "2",
                "timestamp": time,
            }
            for time in times
        ]

    venue.pages["/futures/data/openInterestHist"] = page
    begin = NOW_MS // DAY_MS * DAY_MS - 7 * DAY_MS
    assert source.open_interest(["BTCUSDT", "ETHUSDT"], begin, begin + 7 * DAY_MS).height == 2 * 7 * 288
    with pytest.raises(FixConfiguration, match=r"last 30 days only.*archive, which has older"):
        source.open_interest(["BTCUSDT"], START, START + DAY_MS)


def test_daily_volumes_of_closed_days_with_trades(source: BinanceMarketData, venue: VenueServer) -> None:
    today = NOW_MS // DAY_MS * DAY_MS

    def page(query: dict[str, str]) -> list[list[Any]]:
        assert query["interval"] == "1d"
        days = range(int(query["startTime"]), min(int(query["endTime"]), NOW_MS), DAY_MS)
        return [
            [day, "1", "1", "1", "1", "9", day + DAY_MS - 1, "0" if day == START else "4.5", 5, "1", "2", "0"]
            for day in days
        ]

    venue.pages["/api/v3/klines"] = page
    volumes = source.daily_volumes(["BTCUSDT", "AUSDT"], date(2025, 1, 1), date(2025, 3, 1))
    assert volumes.schema == {"symbol": pl.String, "day": pl.Date, "quote_volume": pl.Float64}
    assert volumes["symbol"].unique().sort().to_list() == ["AUSDT", "BTCUSDT"]
    assert volumes.height == 2 * 39  # neither the first day, without trades, nor today
    assert volumes["day"].max() < datetime.fromtimestamp(today / 1000, UTC).date()
    assert len([1 for path, _, _ in venue.requests if path == "/api/v3/klines"]) == 2


def test_an_unknown_perpetual_names_the_nearest(
    shared: Path, source: BinanceMarketData, venue: VenueServer
) -> None:
    info = recorded(shared, "http_futures_market_exchange_info.json")
    venue.pages["/fapi/v1/exchangeInfo"] = lambda _: info
    venue.pages["/fapi/v1/fundingInfo"] = lambda _: []
    for series, code in ((Series.USDM, -1121), (Series.INDEX, -4144)):
        refusal = (400, {}, json.dumps({"code": code, "msg": "Invalid."}).encode())
        venue.answers[KLINES[series].path] = [refusal]
        with pytest.raises(FixConfiguration, match=r"'BTCUSD' is unknown.*nearest is BTCUSDT"):
            source.klines(["BTCUSD"], START, START + MINUTE_MS, series)


def test_a_venue_that_answers_html_is_named(source: BinanceMarketData, venue: VenueServer) -> None:
    page = (200, {"Content-Type": "text/html"}, b"<html>maintenance</html>")
    venue.answers["/fapi/v1/klines"] = [page, page]
    with pytest.raises(RetryLater, match=r"/fapi/v1/klines.* web page instead of data"):
        source.klines(["BTCUSDT"], START, START + MINUTE_MS, Series.USDM)


def test_an_interface_vouches_for_nothing(source: BinanceMarketData, venue: VenueServer) -> None:
    source.prefetch(["BTCUSDT"], START, START + DAY_MS)
    assert source.evidence(["BTCUSDT"], START, START + DAY_MS).equals(
        pl.DataFrame(schema=KLINE_SOURCES.schema)
    )
    assert not venue.requests
