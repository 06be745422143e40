from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, FaultSettings, SandboxSettings
from resources.market_data.archive.source import ArchiveMarketData
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.factory import create
from resources.market_data.settings import (
    ArchiveSettings,
    BinanceSettings,
    MarketDataSettings,
    SandboxSourceSettings,
)
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings
from warehouse.datasets.market import KLINES

MARKET = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT"), origin="2024-12-20", horizon_days=60, venue_outage_probability=0.0
)
CLOCK = ClockSettings(start="2025-01-02T12:34:30", speed=0.0)
DEC_31 = int(datetime(2024, 12, 31, tzinfo=UTC).timestamp() * 1000)


def archive_of(running: EmbeddedSandbox, cache_folder: str = "") -> ArchiveMarketData:
    settings = ArchiveSettings(base_url=f"{running.base_url}/archive", cache_folder=cache_folder)
    return ArchiveMarketData(settings, BinanceMarketData(BinanceSettings(base_url=running.base_url)))


@pytest.fixture(scope="module")
def sandbox() -> Iterator[EmbeddedSandbox]:
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=CLOCK)) as running:
        yield running


def test_archive_days_on_both_sides_of_the_switch_and_today_from_rest(
    sandbox: EmbeddedSandbox, tmp_path: Path
) -> None:
    source = archive_of(sandbox, str(tmp_path))
    rows = source.klines(["BTCUSDT", "ETHUSDT"], DEC_31 + 3_600_000, DEC_31 + 3 * DAY_MS)
    market = Market(MARKET)
    days = [date(2024, 12, 31), date(2025, 1, 1), date(2025, 1, 2)]
    expected = pl.concat([market.minutes(symbol, day) for symbol in MARKET.symbols for day in days])
    now = source.now_ms()
    times = pl.col("open_time").dt.epoch("ms")
    expected = expected.filter((times >= DEC_31 + 3_600_000) & (times + MINUTE_MS <= now))
    assert dict(rows.schema) == KLINES.schema
    assert rows.drop("source", "known_at").equals(expected)
    assert (
        rows.filter(pl.col("source") == "archive")["open_time"].dt.date().unique().sort().to_list()
        == days[:2]
    )
    assert rows.filter(pl.col("source") == "binance")["open_time"].dt.date().unique().to_list() == days[2:]
    assert len(list(tmp_path.rglob("*.zip"))) == 4
    assert not list(tmp_path.rglob("*.part"))
    source.close()


def test_cached_days_need_no_second_download(sandbox: EmbeddedSandbox, tmp_path: Path) -> None:
    first = archive_of(sandbox, str(tmp_path)).klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS)
    rest = BinanceMarketData(BinanceSettings(base_url=sandbox.base_url))
    nowhere = ArchiveSettings(base_url="http://127.0.0.1:9", cache_folder=str(tmp_path), attempts=1)
    source = ArchiveMarketData(nowhere, rest)
    assert source.klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS).equals(first)
    with pytest.raises(RetryLater, match="cannot be read"):
        source.klines(["ETHUSDT"], DEC_31, DEC_31 + DAY_MS)


def test_a_corrupt_zip_is_fetched_again_and_refused_when_it_stays_corrupt(tmp_path: Path) -> None:
    def fetch(every: int) -> pl.DataFrame:
        faults = FaultSettings(corrupt_zip_every=every)
        with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=CLOCK, faults=faults)) as running:
            source = archive_of(running, str(tmp_path))
            try:
                if every > 1:
                    source.klines(["ETHUSDT"], DEC_31, DEC_31 + DAY_MS)
                return source.klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS)
            finally:
                source.close()

    with pytest.raises(BadData, match=r"BTCUSDT-1m-2024-12-31\.zip.*CHECKSUM"):
        fetch(1)
    assert not [file for file in tmp_path.rglob("*") if file.suffix in (".zip", ".part", ".CHECKSUM")]
    assert fetch(2).height == 1440


def test_the_sandbox_can_be_read_by_its_archive(sandbox: EmbeddedSandbox) -> None:
    settings = SandboxSourceSettings(base_url=sandbox.base_url, archive=True)
    source = create(MarketDataSettings(sandbox=settings))
    rows = source.klines(["BTCUSDT"], DEC_31, DEC_31 + 2 * DAY_MS)
    proof = source.evidence(["BTCUSDT"], DEC_31, DEC_31 + 2 * DAY_MS)
    assert rows["source"].unique().to_list() == ["archive"]
    assert proof["file"].to_list() == [f"BTCUSDT-1m-{day}.zip" for day in ("2024-12-31", "2025-01-01")]


def test_a_symbol_that_nobody_publishes_names_the_nearest(sandbox: EmbeddedSandbox) -> None:
    source = archive_of(sandbox)
    with pytest.raises(FixConfiguration, match=r"'BTCUSD' is unknown.*nearest is BTCUSDT"):
        source.klines(["BTCUSD"], DEC_31, DEC_31 + DAY_MS)
    source.close()
