from __future__ import annotations

import hashlib
import io
import json
import zipfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.sandbox.clock import SandboxClock
from apps.sandbox.gate import WeightGate
from apps.sandbox.render import klines_json
from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, FaultSettings, SandboxSettings
from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings, Outage

MARKET = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT", "PEPEUSDT"),
    origin="2024-12-20",
    horizon_days=60,
    outages=(Outage("2025-01-02T05:00", 30, "ETHUSDT"),),
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
NOW = "2025-01-03T12:34:30"
NOW_MS = int(datetime(2025, 1, 3, 12, 34, 30, tzinfo=UTC).timestamp() * 1000)
JAN_2 = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
STILL = SandboxSettings(market=MARKET, clock=ClockSettings(start=NOW, speed=0.0))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmbeddedSandbox]:
    with EmbeddedSandbox(STILL) as running:
        yield running


@pytest.fixture
def http(sandbox: EmbeddedSandbox) -> Iterator[httpx.Client]:
    sandbox.clock.set(NOW_MS)
    with httpx.Client(base_url=sandbox.base_url) as client:
        yield client


def klines(http: httpx.Client, **parameters: str | int) -> list[list[Any]]:
    answer = http.get("/api/v3/klines", params={"symbol": "BTCUSDT", "interval": "1m", **parameters})
    assert answer.status_code == 200, answer.text
    return answer.json()


@pytest.mark.parametrize(
    ("path", "recorded"),
    [
        ("klines?symbol=BTCUSDT&interval=1m&limit=1", "klines"),
        ("ticker/24hr?symbol=BTCUSDT", "ticker_24hr"),
        ("ticker/price?symbol=BTCUSDT", "ticker_price"),
        ("ticker/bookTicker?symbol=BTCUSDT", "book_ticker"),
        ("time", "server_time"),
        ("ping", "ping"),
    ],
)
def test_answers_have_the_recorded_shape(
    http: httpx.Client, shared: Path, shape: Callable[[Any], Any], path: str, recorded: str
) -> None:
    folder = shared / "fixtures/binance/nautilus_rust/spot/http_json"
    expected = shape(json.loads((folder / f"{recorded}_response.json").read_text()))
    got = shape(http.get(f"/api/v3/{path}").json())
    assert got == expected


def test_exchange_info_has_the_recorded_keys(
    http: httpx.Client, shared: Path, shape: Callable[[Any], Any]
) -> None:
    folder = shared / "fixtures/binance"
    recorded = json.loads((folder / "nautilus_rust/spot/http_json/exchange_info_response.json").read_text())
    got = http.get("/api/v3/exchangeInfo").json()
    assert list(got) == list(recorded)
    assert set(got["symbols"][0]) == set(recorded["symbols"][0])
    older = json.loads(
        (folder / "nautilus_py/http_responses/http_spot_market_exchange_info.json").read_text()
    )
    assert shape(got["rateLimits"][0]) == shape(older["rateLimits"][0])
    known = {item["filterType"]: item for item in older["symbols"][0]["filters"]}
    for item in got["symbols"][0]["filters"]:
        if item["filterType"] in known:
            assert shape(item) == shape(known[item["filterType"]])


def test_klines_are_the_simulation(http: httpx.Client) -> None:
    rows = klines(http, startTime=JAN_2, limit=1000) + klines(
        http, startTime=JAN_2 + 1000 * MINUTE_MS, endTime=JAN_2 + DAY_MS - 1, limit=1000
    )
    day = Market(MARKET).minutes("BTCUSDT", datetime(2025, 1, 2, tzinfo=UTC).date())
    for column, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        assert [float(row[column]) for row in rows] == day[name].to_list()
    assert [float(row[7]) for row in rows] == day["quote_volume"].to_list()
    assert [row[8] for row in rows] == day["trades"].to_list()
    assert [row[6] - row[0] for row in rows] == [MINUTE_MS - 1] * 1440


def test_the_last_bar_is_unclosed_and_grows_into_its_final_form(
    http: httpx.Client, sandbox: EmbeddedSandbox
) -> None:
    open_minute = NOW_MS // MINUTE_MS * MINUTE_MS
    (part,) = klines(http, limit=1)
    assert (part[0], part[6]) == (open_minute, open_minute + MINUTE_MS - 1)
    before = klines(http, endTime=open_minute - 1, limit=1000)
    sandbox.clock.set(NOW_MS + MINUTE_MS)
    (whole,) = klines(http, startTime=open_minute, limit=1)
    assert float(part[5]) == pytest.approx(float(whole[5]) / 2)
    assert part[1] == whole[1]
    assert klines(http, endTime=open_minute - 1, limit=1000) == before


def test_paging_skips_holes_and_cuts_the_limit(http: httpx.Client) -> None:
    rows = klines(http, symbol="ETHUSDT", startTime=JAN_2 + 290 * MINUTE_MS, limit=20)
    assert [(row[0] - JAN_2) // MINUTE_MS for row in rows] == [*range(290, 300), *range(330, 340)]
    assert len(klines(http, startTime=JAN_2, limit=5000)) == 1000
    assert len(klines(http)) == 500
    assert klines(http, startTime=NOW_MS + DAY_MS) == []
    early = klines(http, startTime=0, limit=1)
    assert early[0][0] == Market(MARKET).origin_ms


@pytest.mark.parametrize(("interval", "minutes"), [("15m", 15), ("1h", 60), ("4h", 240), ("1d", 1440)])
def test_longer_bars_add_up_to_their_minutes(http: httpx.Client, interval: str, minutes: int) -> None:
    (bar,) = klines(http, interval=interval, startTime=JAN_2, limit=1)
    parts = klines(http, startTime=JAN_2, endTime=JAN_2 + minutes * MINUTE_MS - 1, limit=1000)
    if minutes > 1000:
        parts += klines(http, startTime=JAN_2 + 1000 * MINUTE_MS, endTime=JAN_2 + DAY_MS - 1, limit=1000)
    assert (bar[0], bar[6]) == (parts[0][0], parts[-1][6])
    assert (bar[1], bar[4]) == (parts[0][1], parts[-1][4])
    assert float(bar[2]) == max(float(part[2]) for part in parts)
    assert float(bar[5]) == pytest.approx(sum(float(part[5]) for part in parts))
    last = klines(http, interval=interval, limit=1)[0]
    assert last[0] <= NOW_MS <= last[6]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("klines?symbol=NOPE&interval=1m", -1121),
        ("klines?interval=1m", -1102),
        ("klines?symbol=BTCUSDT", -1102),
        ("klines?symbol=BTCUSDT&interval=7m", -1120),
        ("klines?symbol=BTCUSDT&interval=1m&limit=ten", -1100),
        ("klines?symbol=BTCUSDT&interval=1m&startTime=-1", -1100),
        ("exchangeInfo?symbol=NOPE", -1121),
        ("exchangeInfo?symbols=BTCUSDT", -1100),
        ('exchangeInfo?symbol=BTCUSDT&symbols=["BTCUSDT"]', -1128),
        ("ticker/price?symbol=NOPE", -1121),
    ],
)
def test_errors_are_binances(http: httpx.Client, path: str, code: int) -> None:
    answer = http.get(f"/api/v3/{path}")
    assert answer.status_code == 400
    assert answer.json()["code"] == code


@pytest.mark.parametrize(("day", "scale"), [("2024-12-31", 1), ("2025-01-01", 1000)])
def test_the_archive_counts_microseconds_from_2025_on(http: httpx.Client, day: str, scale: int) -> None:
    path = f"/archive/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-{day}.zip"
    content = http.get(path).content
    expected, name = http.get(path + ".CHECKSUM").text.split()
    assert (hashlib.sha256(content).hexdigest(), name) == (expected, path.rpartition("/")[2])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        lines = archive.read(f"BTCUSDT-1m-{day}.csv").decode().splitlines()
    start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000)
    rows = klines(http, startTime=start, limit=1)
    first = lines[0].split(",")
    assert (len(lines), len(first)) == (1440, 12)
    assert (int(first[0]), int(first[6])) == (start * scale, (start + MINUTE_MS) * scale - 1)
    assert first[1:6] == rows[0][1:6]


def test_the_archive_has_neither_today_nor_strangers(http: httpx.Client) -> None:
    folder = "/archive/data/spot/daily/klines"
    for name in ("BTCUSDT/1m/BTCUSDT-1m-2025-01-03.zip", "NOPE/1m/NOPE-1m-2025-01-01.zip"):
        assert http.get(f"{folder}/{name}").status_code == 404
    assert http.get(f"{folder}/ETHUSDT/1m/BTCUSDT-1m-2025-01-01.zip").status_code == 404


def test_the_clock_can_be_set(http: httpx.Client) -> None:
    assert http.post("/sandbox/clock", json={"now_ms": JAN_2}).status_code == 200
    assert http.get("/api/v3/time").json() == {"serverTime": JAN_2}
    assert http.post("/sandbox/clock", json={"now": 1}).status_code == 400


def test_a_clock_runs_at_its_speed() -> None:
    seconds = [100.0]
    clock = SandboxClock(1_000, 60.0, lambda: seconds[0])
    seconds[0] += 2.0
    assert clock.now_ms() == 1_000 + 120_000
    clock.set(5_000)
    assert clock.now_ms() == 5_000
    assert SandboxClock(None, 1.0, lambda: 3.5).now_ms() == 3_500


def test_weights_refuse_then_ban_then_forgive() -> None:
    from apps.sandbox.errors import ApiError

    seconds = [0.0]
    gate = WeightGate(10, lambda: seconds[0])
    gate.admit(10, 0)
    answers = []
    for _ in range(4):
        with pytest.raises(ApiError) as refused:
            gate.admit(1, 0)
        answers.append((refused.value.status, refused.value.headers["Retry-After"]))
    assert answers == [(429, "60"), (429, "60"), (429, "60"), (418, "120")]
    seconds[0] = 121.0
    gate.admit(1, 0)
    assert gate.used == 1


def test_weights_are_reported(http: httpx.Client) -> None:
    one = int(http.get("/api/v3/ping").headers["X-MBX-USED-WEIGHT-1M"])
    two = int(http.get("/api/v3/exchangeInfo").headers["X-MBX-USED-WEIGHT-1M"])
    assert two - one == 20 or two == 20  # a new minute may have begun


def test_planned_faults_happen() -> None:
    faults = FaultSettings(rate_limit_every=2, server_error_every=3, retry_after_seconds=7)
    settings = SandboxSettings(market=MARKET, clock=STILL.clock, faults=faults)
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        answers = [http.get("/api/v3/ping") for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 429, 503, 429]
    assert answers[1].headers["Retry-After"] == "7"
    assert answers[1].json()["code"] == -1003


def test_replay_serves_recorded_minutes_and_says_what_it_derived(shared: Path) -> None:
    file = shared / "data/binance/usdm/1m/src=typhonun/BTCUSDT.parquet"
    settings = SandboxSettings(backing="replay", replay_folder=str(file.parent))
    recorded = pl.read_parquet(file)
    with EmbeddedSandbox(settings) as running, httpx.Client(base_url=running.base_url) as http:
        end_ms = int(recorded["open_time"].dt.epoch("ms")[-1]) + MINUTE_MS
        assert http.get("/api/v3/time").json()["serverTime"] >= end_ms
        answer = http.get(
            "/api/v3/klines?symbol=BTCUSDT&interval=1m&limit=1000",
            params={
                "symbol": "BTCUSDT",
                "interval": "1m",
                "limit": 1000,
                "endTime": end_ms - 1,
            },
        )
    tail = recorded.tail(1000)
    rows = answer.json()
    assert [row[0] for row in rows] == tail["open_time"].dt.epoch("ms").to_list()
    for column, name in enumerate(("open", "high", "low", "close", "volume"), start=1):
        assert [float(row[column]) for row in rows] == tail[name].to_list()
    mean = tail.select(pl.mean_horizontal("open", "high", "low", "close") * pl.col("volume")).to_series()
    assert [float(row[7]) for row in rows] == pytest.approx(mean.to_list())
    assert answer.headers["X-Tidemill-Derived"] == "quote_volume"
    assert answer.headers["X-Tidemill-Missing"] == "trades,taker_buy_base,taker_buy_quote"


def test_longer_bars_cannot_serve_minutes(shared: Path, tmp_path: Path) -> None:
    hourly = str(shared / "data/binance/usdm/1h")
    with pytest.raises(FixConfiguration, match="bars of 60 minutes"):
        EmbeddedSandbox(SandboxSettings(backing="replay", replay_folder=hourly))
    with pytest.raises(FixConfiguration, match=r"no \.parquet files"):
        EmbeddedSandbox(SandboxSettings(backing="replay", replay_folder=str(tmp_path)))


@pytest.mark.filterwarnings("ignore::DeprecationWarning:ccxt")
def test_ccxt_trades_with_the_sandbox_as_with_binance(sandbox: EmbeddedSandbox) -> None:
    import ccxt

    sandbox.clock.set(NOW_MS)
    client = ccxt.binance({"options": {"defaultType": "spot", "fetchMarkets": {"types": ["spot"]}}})
    client.urls["api"]["public"] = f"{sandbox.base_url}/api/v3"
    client.urls["api"]["v1"] = f"{sandbox.base_url}/api/v3"
    client.options["fetchCurrencies"] = False
    client.has["fetchCurrencies"] = False
    client.session.trust_env = False
    markets = client.load_markets()
    pepe = markets["PEPE/USDT"]
    assert set(markets) == {"BTC/USDT", "ETH/USDT", "PEPE/USDT"}
    assert pepe["precision"]["price"] == 1e-8
    assert pepe["limits"]["cost"]["min"] == 5.0
    assert client.fetch_time() == NOW_MS
    candles = client.fetch_ohlcv("ETH/USDT", "1m", since=JAN_2, limit=1000)
    assert (candles[0][0], len(candles)) == (JAN_2, 1000)
    ticker = client.fetch_ticker("BTC/USDT")
    assert ticker["last"] == client.fetch_ohlcv("BTC/USDT", "1m", limit=1)[-1][4]
    assert ticker["bid"] < ticker["ask"]
    with pytest.raises(ccxt.BadSymbol):
        client.public_get_klines({"symbol": "NOPE", "interval": "1m"})


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.floats(0, 1e13), st.floats(0, 1e-6), st.floats(0, 2e7)), min_size=1, max_size=5))
def test_rendered_numbers_are_exact_to_eight_decimals(values: list[float]) -> None:
    day = Market(MARKET).minutes("BTCUSDT", datetime(2025, 1, 2, tzinfo=UTC).date()).head(len(values))
    rounded = [float(f"{value:.8f}") for value in values]
    rows = json.loads(klines_json(day.with_columns(volume=pl.Series(rounded)), MINUTE_MS))
    assert [float(row[5]) for row in rows] == rounded
    assert all(len(row[5].partition(".")[2]) == 8 for row in rows)
