from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, FaultSettings, SandboxSettings
from resources.clock import FixedClock, SourceClock, SystemClock
from resources.market_data.binance import parse, parse_instruments
from resources.market_data.binance.client import BinanceClient
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.budget import Quota, WeightBudget
from resources.market_data.factory import create
from resources.market_data.settings import BinanceSettings, MarketDataSettings, SandboxSourceSettings
from resources.market_data.spending import MemoryBook
from resources.market_data.surroundings import Surroundings
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings
from warehouse.datasets.market import KLINES

MARKET = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT", "PEPEUSDT"),
    origin="2024-12-20",
    horizon_days=60,
    listings=("PEPEUSDT=2025-01-02T06:00",),
    venue_outage_probability=0.0,
)
NOW_MS = int(datetime(2025, 1, 3, 12, 34, 30, tzinfo=UTC).timestamp() * 1000)
JAN_2 = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
CLOCK = ClockSettings(start="2025-01-03T12:34:30", speed=0.0)


class Waits:
    """A steady clock that only sleeping advances, and a record of the sleeps."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)
        self.now += duration

    @property
    def surroundings(self) -> Surroundings:
        return Surroundings(lambda: self.now, self.sleep, lambda: 1.0)


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmbeddedSandbox]:
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=CLOCK)) as running:
        yield running


@pytest.fixture
def source(sandbox: EmbeddedSandbox) -> Iterator[BinanceMarketData]:
    found = BinanceMarketData(BinanceSettings(base_url=sandbox.base_url), name="sandbox")
    yield found
    found.close()


def simulated(symbol: str, day: int) -> pl.DataFrame:
    return Market(MARKET).minutes(symbol, datetime(2025, 1, day, tzinfo=UTC).date())


def test_a_day_of_several_symbols_comes_whole_and_ordered(source: BinanceMarketData) -> None:
    rows = source.klines(["ETHUSDT", "BTCUSDT", "PEPEUSDT"], JAN_2, JAN_2 + DAY_MS)
    assert dict(rows.schema) == KLINES.schema
    expected = pl.concat([simulated(symbol, 2) for symbol in MARKET.symbols])
    assert rows.drop("source", "known_at").equals(expected)
    assert rows["source"].unique().to_list() == ["sandbox"]


def test_the_open_minute_is_dropped_and_a_shorter_day_is_a_prefix(
    source: BinanceMarketData, sandbox: EmbeddedSandbox
) -> None:
    later = source.klines(["BTCUSDT"], JAN_2 + DAY_MS, JAN_2 + 2 * DAY_MS)
    assert later["open_time"].dt.epoch("ms")[-1] == NOW_MS // MINUTE_MS * MINUTE_MS - MINUTE_MS
    sandbox.clock.set(NOW_MS - 3 * 3_600_000)
    try:
        earlier = source.klines(["BTCUSDT"], JAN_2 + DAY_MS, JAN_2 + 2 * DAY_MS)
    finally:
        sandbox.clock.set(NOW_MS)
    assert earlier.height == later.height - 180
    assert earlier.equals(later.head(earlier.height))
    assert source.klines(["BTCUSDT"], NOW_MS + DAY_MS, NOW_MS + 2 * DAY_MS).is_empty()


def test_instruments_and_listings(source: BinanceMarketData) -> None:
    found = source.instruments()
    expected = [
        replace(item, listed_at_ms=None, underlying=item.base) for item in Market(MARKET).instruments()
    ]
    assert found == sorted(expected, key=lambda item: item.symbol)
    assert source.listed_at_ms(["PEPEUSDT"]) == {"PEPEUSDT": JAN_2 + 6 * 3_600_000}


def test_an_unknown_symbol_names_the_nearest(source: BinanceMarketData) -> None:
    with pytest.raises(FixConfiguration, match=r"'BTCUSD' is unknown.*nearest is BTCUSDT"):
        source.klines(["ETHUSDT", "BTCUSD"], JAN_2, JAN_2 + DAY_MS)


def test_the_factory_shares_one_embedded_sandbox() -> None:
    settings = MarketDataSettings(
        sandbox=SandboxSourceSettings(exchange=SandboxSettings(market=MARKET, clock=CLOCK))
    )
    one, two = create(settings), create(settings)
    assert one.name == "sandbox"
    assert one.now_ms() == two.now_ms() == NOW_MS
    assert [item.listed_at_ms is not None for item in one.instruments()] == [True] * 3
    assert SourceClock(one).now_ms() == NOW_MS
    EmbeddedSandbox.shared(settings.sandbox.exchange).stop()


def test_clocks() -> None:
    assert FixedClock(5).now_ms() == 5
    assert SystemClock().now_ms() > 1_700_000_000_000


def test_faults_of_every_kind_are_outlived() -> None:
    faults = FaultSettings(rate_limit_every=3, server_error_every=4, retry_after_seconds=2)
    waits = Waits()
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=CLOCK, faults=faults)) as running:
        settings = BinanceSettings(base_url=running.base_url, concurrency=1)
        source = BinanceMarketData(settings, surroundings=waits.surroundings)
        rows = source.klines(["BTCUSDT", "ETHUSDT"], JAN_2, JAN_2 + DAY_MS)
        source.close()
    expected = pl.concat([simulated(symbol, 2) for symbol in ("BTCUSDT", "ETHUSDT")])
    assert rows.drop("source", "known_at").equals(expected)
    assert 2.0 in waits.slept  # the Retry-After of a 429
    assert 0.5 in waits.slept  # the first backoff of a 503


def test_timeouts_are_retried() -> None:
    faults = FaultSettings(timeout_every=2, timeout_seconds=2.0)
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=CLOCK, faults=faults)) as running:
        settings = BinanceSettings(base_url=running.base_url, timeout_seconds=0.5, backoff_seconds=0.0)
        client = BinanceClient(settings)
        client.get("/api/v3/ping", {}, weight=1)
        assert client.get("/api/v3/ping", {}, weight=1).is_success
        impatient = BinanceClient(replace(settings, attempts=1))
        with pytest.raises(RetryLater, match="did not answer"):
            impatient.get("/api/v3/ping", {}, weight=1)
        client.close()
        impatient.close()


def answering(answers: Callable[[int], httpx.Response], **settings: Any) -> tuple[BinanceClient, Waits]:
    waits, calls = Waits(), iter(range(1000))
    transport = httpx.MockTransport(lambda request: answers(next(calls)))
    given = BinanceSettings(base_url="https://example.invalid", **settings)
    return BinanceClient(given, waits.surroundings, transport=transport), waits


def test_retries_are_bounded_and_back_off_doubling() -> None:
    client, waits = answering(lambda _: httpx.Response(502), attempts=4)
    with pytest.raises(RetryLater, match="502"):
        client.get("/x", {}, weight=1)
    assert waits.slept == [0.5, 1.0, 2.0]


def test_a_long_ban_is_not_waited_for() -> None:
    client, waits = answering(lambda _: httpx.Response(418, headers={"Retry-After": "3600"}))
    with pytest.raises(RetryLater) as banned:
        client.get("/x", {}, weight=1)
    assert (banned.value.retry_after_seconds, waits.slept) == (3600.0, [])


def test_other_refusals_are_not_repeated() -> None:
    seen: list[int] = []

    def refuse(call: int) -> httpx.Response:
        seen.append(call)
        return httpx.Response(451, text="restricted location")

    client, _ = answering(refuse)
    with pytest.raises(FixConfiguration, match=r"data-api\.binance\.vision"):
        client.get("/x", {}, weight=1)
    assert seen == [0]


def test_the_weight_budget_waits_for_the_next_minute() -> None:
    waits = Waits()
    budget = WeightBudget(Quota("test", 100, 0.5), MemoryBook(), lambda: waits.now, waits.sleep)
    budget.acquire(40)
    budget.acquire(10)
    waits.now = 20.0
    budget.acquire(2)
    assert waits.slept == [40.0]
    budget.report(49)
    budget.acquire(1)
    budget.acquire(1)
    assert waits.slept == [40.0, 60.0]


def read(content: bytes) -> pl.DataFrame:
    """One page of BTCUSDT between two good pages of others, so that the right one must be named."""
    good = b'[[1600000020000,"1","1","1","1","0",1600000079999,"0",0,"0","0","0"]]'
    pages = [parse.page(good, "AAAUSDT"), parse.page(content, "BTCUSDT"), parse.page(good, "ZZZUSDT")]
    return parse.klines(pages, "binance").filter(pl.col("symbol") == "BTCUSDT")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda row: row.pop(), "BTCUSDT row 2: expected 12 values"),
        (lambda row: row.__setitem__(1, 1.5), "BTCUSDT row 2: open is 1.5, expected str"),
        (lambda row: row.__setitem__(1, "many"), "BTCUSDT row 2: open is 'many'"),
        (lambda row: row.__setitem__(8, "3"), "BTCUSDT row 2: trades is '3', expected int"),
        (lambda row: row.__setitem__(0, 12), "BTCUSDT row 2: open_time 12 is no time"),
        (lambda row: row.__setitem__(0, row[0] + 1), "BTCUSDT row 2: .* does not start a minute"),
        (lambda row: row.__setitem__(2, "0.1"), "high is below low"),
    ],
)
def test_a_malformed_row_is_named(shared: Path, change: Callable[[Any], object], message: str) -> None:
    file = shared / "fixtures/binance/nautilus_py/http_responses/http_spot_market_klines.json"
    rows = json.loads(file.read_text())
    assert read(json.dumps(rows).encode()).height == len(rows)
    change(rows[1])
    with pytest.raises(BadData, match=message):
        read(json.dumps(rows).encode())


def test_recorded_klines_parse_to_the_letter(shared: Path) -> None:
    file = shared / "fixtures/binance/nautilus_py/http_responses/http_spot_market_klines.json"
    first = read(file.read_bytes()).row(0, named=True)
    assert first["open_time"] == datetime(2021, 10, 22, 23, 3, tzinfo=UTC)
    assert (first["open"], first["high"], first["low"], first["close"]) == (
        60685.22,
        60729.84,
        60670.90,
        60719.27,
    )
    assert (first["volume"], first["quote_volume"]) == (21.63272, 1313200.0134041)
    assert (first["trades"], first["taker_buy_base"], first["taker_buy_quote"]) == (
        617,
        12.28492,
        745719.4102284,
    )


@pytest.mark.parametrize("content", [b"", b"<html>", b'{"a":1}', b"[[1,2"])
def test_an_answer_that_is_no_list_is_bad_data(content: bytes) -> None:
    with pytest.raises(BadData, match="klines of BTCUSDT"):
        read(content)


def test_recorded_exchange_info_parses(shared: Path) -> None:
    file = shared / "fixtures/binance/nautilus_py/http_responses/http_spot_market_exchange_info.json"
    info = parse_instruments.exchange_info(file.read_bytes())
    btc = next(item for item in parse_instruments.spot(info) if item.symbol == "BTCUSDT")
    assert parse_instruments.weight_limit(info) == 1200
    assert [str(value) for value in (btc.tick_size, btc.lot_step, btc.min_notional)] == [
        "0.01",
        "0.00001",
        "10",
    ]
    assert (btc.base, btc.quote, str(btc.max_quantity)) == ("BTC", "USDT", "9000")
    with pytest.raises(BadData, match="exchangeInfo"):
        parse_instruments.exchange_info(b'{"symbols": []}')


def test_replayed_candles_come_through_the_protocol_unchanged(shared: Path) -> None:
    folder = shared / "data/binance/usdm/1m"
    recorded = pl.read_parquet(folder / "src=typhonun/ETHUSDT.parquet", hive_partitioning=False)
    day = int(recorded["open_time"].dt.epoch("ms")[-1]) // DAY_MS * DAY_MS - DAY_MS
    exchange = SandboxSettings(backing="replay", replay_folder=str(folder))
    with EmbeddedSandbox(exchange) as running:
        source = BinanceMarketData(BinanceSettings(base_url=running.base_url), name="sandbox")
        rows = source.klines(["ETHUSDT"], day, day + DAY_MS)
        source.close()
    expected = recorded.filter(
        pl.col("open_time").dt.epoch("ms").is_between(day, day + DAY_MS, closed="left")
    )
    same = ["symbol", "open_time", "open", "high", "low", "close", "volume", "trades", "taker_buy_base"]
    assert rows.height == 1440
    assert rows.select(same).equals(expected.select(same))
    assert rows["trades"].null_count() == 1440
    assert rows["quote_volume"].null_count() == 0
