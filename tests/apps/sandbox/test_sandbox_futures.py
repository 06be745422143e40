from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from trading.model.interval import DAY_MS
from trading.model.series import Series
from trading.simulation.contracts import CHANGING, HOURLY
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings

MARKET = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT", "PEPEUSDT", HOURLY, CHANGING),
    origin="2024-11-01",
    horizon_days=120,
    late_listing_days=0,
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
NOW_MS = int(datetime(2025, 1, 3, 12, 34, 30, tzinfo=UTC).timestamp() * 1000)
DAY = date(2025, 1, 2)
DAY_START = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
SETTINGS = SandboxSettings(
    market=MARKET, clock=ClockSettings(start="2025-01-03T12:34:30", speed=0.0), odd_symbols=True
)
Shape = Callable[[Any], Any]


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmbeddedSandbox]:
    with EmbeddedSandbox(SETTINGS) as running:
        yield running


@pytest.fixture
def http(sandbox: EmbeddedSandbox) -> Iterator[httpx.Client]:
    sandbox.clock.set(NOW_MS)
    with httpx.Client(base_url=sandbox.base_url) as client:
        yield client


@pytest.fixture(scope="module")
def futures() -> FuturesMarket:
    return FuturesMarket(Market(MARKET))


def get(http: httpx.Client, path: str, **parameters: str | int) -> Any:
    answer = http.get(path, params=parameters or None)
    assert answer.status_code == 200, answer.text
    return answer.json()


def recorded(shared: Path, name: str) -> Any:
    folder = shared / "fixtures/binance/nautilus_py/http_responses"
    return json.loads((folder / f"http_futures_market_{name}.json").read_text())


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/fapi/v1/markPriceKlines?symbol=BTCUSDT&interval=1m&limit=1", "mark_price_klines"),
        ("/fapi/v1/indexPriceKlines?pair=BTCUSDT&interval=1m&limit=1", "index_price_klines"),
        ("/fapi/v1/premiumIndexKlines?symbol=BTCUSDT&interval=1m&limit=1", "mark_price_klines"),
        ("/fapi/v1/premiumIndex?symbol=BTCUSDT", "premium_index"),
        ("/fapi/v1/fundingRate?symbol=BTCUSDT&limit=2", "funding_rate"),
        ("/fapi/v1/ticker/24hr?symbol=BTCUSDT", "ticker_24hr"),
        ("/fapi/v1/ticker/bookTicker?symbol=BTCUSDT", "book_ticker"),
        ("/fapi/v1/openInterest?symbol=BTCUSDT", "open_interest"),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&limit=2", "open_interest_historical"),
    ],
)
def test_answers_have_the_recorded_shape(
    http: httpx.Client, shared: Path, shape: Shape, path: str, name: str
) -> None:
    assert shape(get(http, path)) == shape(recorded(shared, name))


def test_klines_have_the_recorded_shape(http: httpx.Client, shared: Path, shape: Shape) -> None:
    (row,) = shape(get(http, "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", limit=1))
    (known,) = shape(recorded(shared, "klines"))
    # The twelfth field means nothing: Binance's example has a number there, its answers a plain zero.
    assert row[:11] == known[:11]


def test_exchange_info_has_the_recorded_keys_and_types(
    http: httpx.Client, shared: Path, shape: Shape
) -> None:
    got, known = get(http, "/fapi/v1/exchangeInfo"), recorded(shared, "exchange_info")
    assert list(got) == list(known)
    for key in ("rateLimits", "assets"):
        assert shape(got[key][0]) == shape(known[key][0])

    def types(value: dict[str, Any]) -> dict[str, str]:
        return {name: type(item).__name__ for name, item in value.items()}

    assert types(got["symbols"][0]) == types(known["symbols"][0])
    filters = {item["filterType"]: types(item) for item in known["symbols"][0]["filters"]}
    assert {item["filterType"]: types(item) for item in got["symbols"][0]["filters"]} == filters


@pytest.mark.parametrize(
    ("path", "series"),
    [
        ("klines", Series.USDM),
        ("markPriceKlines", Series.MARK),
        ("indexPriceKlines", Series.INDEX),
        ("premiumIndexKlines", Series.PREMIUM),
    ],
)
def test_bars_are_the_simulation(
    http: httpx.Client, futures: FuturesMarket, path: str, series: Series
) -> None:
    name = "pair" if series is Series.INDEX else "symbol"
    query = {name: "1000PEPEUSDT", "interval": "1m", "startTime": DAY_START, "limit": 1440}
    rows = get(http, f"/fapi/v1/{path}", **query)
    day = futures.minutes("1000PEPEUSDT", DAY, series)
    assert [row[0] for row in rows] == day["open_time"].dt.epoch("ms").to_list()
    for column, part in enumerate(("open", "high", "low", "close", "volume"), start=1):
        assert [float(row[column]) for row in rows] == day[part].to_list()
    if series is Series.PREMIUM:
        assert any(row[4].startswith("-") for row in rows)
        assert all(len(row[4].partition(".")[2]) == 8 and "-0.00000000" not in row for row in rows)


def test_a_page_has_at_most_1500_bars_and_costs_what_binance_takes(http: httpx.Client) -> None:
    rows = get(http, "/fapi/v1/klines", symbol="BTCUSDT", interval="1m", startTime=DAY_START, limit=5000)
    assert (len(rows), rows[0][0]) == (1500, DAY_START)
    assert len(get(http, "/fapi/v1/klines", symbol="BTCUSDT", interval="1m")) == 500

    def cost(limit: int) -> int:
        used = []
        for asked in (1, limit):
            answer = http.get(
                "/fapi/v1/klines", params={"symbol": "BTCUSDT", "interval": "1m", "limit": asked}
            )
            used.append(int(answer.headers["X-MBX-USED-WEIGHT-1M"]))
        return used[1] - used[0]

    costs = [cost(limit) for limit in (99, 100, 499, 500, 1000, 1001, 1500)]
    # The window may turn once between two requests: the counter then starts afresh.
    assert sum(a == b for a, b in zip(costs, [1, 2, 2, 5, 5, 10, 10], strict=True)) >= 6


def test_weights_of_spot_and_futures_are_counted_apart() -> None:
    from dataclasses import replace

    settings = replace(SETTINGS, futures_weight_limit=20)
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        limits = get(http, "/fapi/v1/exchangeInfo")["rateLimits"]
        assert limits[0]["limit"] == 20
        answers = [http.get("/fapi/v1/premiumIndex") for _ in range(4)]
        assert answers[-1].status_code == 429
        assert answers[-1].json()["code"] == -1003
        assert "X-MBX-USED-WEIGHT" not in answers[-1].headers
        assert http.get("/api/v3/ping").status_code == 200


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/fapi/v1/klines?symbol=NOPE&interval=1m", -1121),
        ("/fapi/v1/klines?symbol=PEPEUSDT&interval=1m", -1121),
        ("/fapi/v1/klines?interval=1m", -1102),
        ("/fapi/v1/indexPriceKlines?symbol=BTCUSDT&interval=1m", -1102),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=7m", -1120),
        ("/fapi/v1/klines?symbol=BTCUSDT&interval=1m&limit=ten", -1100),
        ("/fapi/v1/premiumIndex?symbol=NOPE", -1121),
        ("/fapi/v1/fundingRate?symbol=NOPE", -1121),
        ("/futures/data/openInterestHist?symbol=BTCUSDT", -1102),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=1m", -1120),
        ("/futures/data/openInterestHist?symbol=BTCUSDT&period=5m&startTime=1", -1130),
    ],
)
def test_errors_are_binances(http: httpx.Client, path: str, code: int) -> None:
    answer = http.get(path)
    assert answer.status_code == 400
    assert answer.json()["code"] == code


def test_funding_is_paged_from_its_start_or_back_from_its_end(
    http: httpx.Client, futures: FuturesMarket
) -> None:
    paid = futures.funding("BTCUSDT", DAY)
    rows = get(http, "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=DAY_START, limit=3)
    assert [row["fundingTime"] for row in rows] == paid["funding_time"].dt.epoch("ms").to_list()
    assert [float(row["fundingRate"]) for row in rows] == paid["funding_rate"].to_list()
    latest = get(http, "/fapi/v1/fundingRate", symbol="BTCUSDT", limit=2)
    assert [row["fundingTime"] for row in latest] == [
        NOW_MS // DAY_MS * DAY_MS + hour * 3_600_000 for hour in (0, 8)
    ]
    window = get(
        http, "/fapi/v1/fundingRate", symbol=HOURLY, startTime=DAY_START, endTime=DAY_START + 3 * 3_600_000
    )
    assert len(window) == 4
    everyone = get(http, "/fapi/v1/fundingRate", startTime=DAY_START, endTime=DAY_START)
    assert {row["symbol"] for row in everyone} >= {"BTCUSDT", "1000PEPEUSDT", HOURLY}
    first = get(http, "/fapi/v1/fundingRate", symbol="BTCUSDT", startTime=0, limit=1)
    assert first[0]["fundingTime"] == futures.market.origin_ms + 8 * 3_600_000


def test_funding_info_names_the_adjusted_contracts_as_of_now(
    http: httpx.Client, sandbox: EmbeddedSandbox, futures: FuturesMarket
) -> None:
    changed_ms = futures.contracts[CHANGING].intervals[1][0]
    answers = {}
    for name, now_ms in (("before", changed_ms - 1), ("after", changed_ms)):
        sandbox.clock.set(now_ms)
        found = get(http, "/fapi/v1/fundingInfo")
        answers[name] = {item["symbol"]: item["fundingIntervalHours"] for item in found}
    before = {HOURLY: 1, "1000PEPEUSDT": 4}
    assert answers == {"before": before, "after": {**before, CHANGING: 4}}


def test_the_premium_index_agrees_with_the_last_bars(http: httpx.Client) -> None:
    found = get(http, "/fapi/v1/premiumIndex", symbol="ETHUSDT")
    mark = get(http, "/fapi/v1/markPriceKlines", symbol="ETHUSDT", interval="1m", limit=1)[0]
    index = get(http, "/fapi/v1/indexPriceKlines", pair="ETHUSDT", interval="1m", limit=1)[0]
    assert (found["markPrice"], found["indexPrice"]) == (mark[4], index[4])
    assert found["nextFundingTime"] == NOW_MS // DAY_MS * DAY_MS + 16 * 3_600_000
    assert len(get(http, "/fapi/v1/premiumIndex")) == 6


def test_open_interest_goes_back_thirty_days_in_steps(http: httpx.Client, futures: FuturesMarket) -> None:
    rows = get(
        http,
        "/futures/data/openInterestHist",
        symbol="BTCUSDT",
        period="5m",
        startTime=DAY_START,
        endTime=DAY_START + DAY_MS - 1,
        limit=500,
    )
    expected = futures.positions("BTCUSDT", DAY)
    assert [int(row["timestamp"]) for row in rows] == expected["time"].dt.epoch("ms").to_list()
    assert [float(row["sumOpenInterest"]) for row in rows] == expected["open_interest"].to_list()
    hourly = get(http, "/futures/data/openInterestHist", symbol="BTCUSDT", period="1h")
    assert len(hourly) == 30
    assert {int(row["timestamp"]) % 3_600_000 for row in hourly} == {0}
    now = get(http, "/fapi/v1/openInterest", symbol="BTCUSDT")
    latest = get(http, "/futures/data/openInterestHist", symbol="BTCUSDT", period="5m", limit=1)
    assert float(now["openInterest"]) == float(latest[0]["sumOpenInterest"])


def test_contracts_appear_when_listed_and_settle_when_delisted(
    http: httpx.Client, sandbox: EmbeddedSandbox
) -> None:
    delisted_ms = Market(MARKET, odd_symbols=True).calendar.delisted_ms("WAVESUSDT")
    assert delisted_ms is not None

    def status(now_ms: int, path: str) -> str:
        sandbox.clock.set(now_ms)
        return next(item["status"] for item in get(http, path)["symbols"] if item["symbol"] == "WAVESUSDT")

    assert status(delisted_ms - 1, "/fapi/v1/exchangeInfo") == "TRADING"
    assert status(delisted_ms, "/fapi/v1/exchangeInfo") == "SETTLING"
    assert status(delisted_ms - 1, "/api/v3/exchangeInfo") == "TRADING"
    assert status(delisted_ms, "/api/v3/exchangeInfo") == "BREAK"
    spot = {item["symbol"]: item["status"] for item in get(http, "/api/v3/exchangeInfo")["symbols"]}
    assert spot["SRMUSDT"] == "BREAK"
    assert {"USDCUSDT", "EURUSDT", "WBTCUSDT", "BTCUPUSDT"} <= set(spot)


def test_a_replay_has_no_futures(shared: Path) -> None:
    folder = shared / "data/binance/usdm/1m/src=typhonun"
    settings = SandboxSettings(backing="replay", replay_folder=str(folder))
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        for path in ("/fapi/v1/exchangeInfo", "/futures/data/openInterestHist"):
            answer = http.get(path)
            assert (answer.status_code, answer.json()["code"]) == (404, -1121)
            assert "a replay has spot klines only" in answer.json()["msg"]
        file = "/archive/data/futures/um/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2025-06-01.zip"
        assert http.get(file).status_code == 404
        assert http.get(file.replace("futures/um", "spot")).status_code == 200


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
def test_ccxt_reads_the_futures_as_from_binance(sandbox: EmbeddedSandbox, futures: FuturesMarket) -> None:
    import ccxt

    sandbox.clock.set(NOW_MS)
    client = ccxt.binanceusdm({"options": {"fetchMarkets": {"types": ["linear"]}}})
    client.urls["api"]["fapiPublic"] = f"{sandbox.base_url}/fapi/v1"
    client.urls["api"]["fapiData"] = f"{sandbox.base_url}/futures/data"
    client.options["fetchCurrencies"] = False
    client.has["fetchCurrencies"] = False
    client.session.trust_env = False
    markets = client.load_markets()
    pepe = markets["1000PEPE/USDT:USDT"]
    assert (pepe["swap"], pepe["linear"], pepe["settle"]) == (True, True, "USDT")
    assert pepe["precision"]["price"] == float(futures.contracts["1000PEPEUSDT"].listing.tick_size)
    assert pepe["limits"]["cost"]["min"] == 5.0
    symbol = "BTC/USDT:USDT"
    candles = client.fetch_ohlcv(symbol, "1m", since=DAY_START, limit=1000)
    assert [row[4] for row in candles] == futures.minutes("BTCUSDT", DAY)["close"].to_list()[:1000]
    for fetch, series in (
        (client.fetch_mark_ohlcv, Series.MARK),
        (client.fetch_index_ohlcv, Series.INDEX),
        (client.fetch_premium_index_ohlcv, Series.PREMIUM),
    ):
        rows = fetch(symbol, "1m", since=DAY_START, limit=10)
        assert [row[4] for row in rows] == futures.minutes("BTCUSDT", DAY, series)["close"][:10].to_list()
    paid = client.fetch_funding_rate_history(symbol, since=DAY_START, limit=3)
    assert [row["fundingRate"] for row in paid] == futures.funding("BTCUSDT", DAY)["funding_rate"].to_list()
    assert client.fetch_funding_rate(symbol)["fundingTimestamp"] == NOW_MS // DAY_MS * DAY_MS + 16 * 3_600_000
    assert client.fetch_funding_intervals()["ENA/USDT:USDT"]["interval"] == "1h"
    held = client.fetch_open_interest_history(symbol, "5m", since=DAY_START, limit=12)
    known = futures.positions("BTCUSDT", DAY)["open_interest"].to_list()
    assert {row["openInterestAmount"] for row in held} <= set(known)
    assert client.fetch_open_interest(symbol)["openInterestAmount"] > 0.0
    ticker = client.fetch_ticker(symbol)
    assert ticker["last"] == client.fetch_ohlcv(symbol, "1m", limit=1)[-1][4]
    with pytest.raises(ccxt.BadSymbol):
        client.fapiPublicGetKlines({"symbol": "NOPE", "interval": "1m"})
