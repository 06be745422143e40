from __future__ import annotations

import gzip
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, FaultSettings, SandboxSettings
from resources.market_data.archive.source import ArchiveMarketData, read_csv, read_zip
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.columns import BINANCE_COLUMNS
from resources.market_data.factory import create
from resources.market_data.files.source import FilesMarketData, read_file
from resources.market_data.settings import (
    ArchiveSettings,
    BinanceSettings,
    FilesSettings,
    MarketDataSettings,
)
from trading.errors import BadData, FixConfiguration
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
    assert rows.drop("source").equals(expected)
    assert (
        rows.filter(pl.col("source") == "archive")["open_time"].dt.date().unique().sort().to_list()
        == days[:2]
    )
    assert rows.filter(pl.col("source") == "binance")["open_time"].dt.date().unique().to_list() == days[2:]
    assert len(list(tmp_path.rglob("*.zip"))) == 4
    assert not list(tmp_path.rglob("*.part"))
    source.close()


def test_cached_days_need_no_second_download(sandbox: EmbeddedSandbox, tmp_path: Path) -> None:
    source = archive_of(sandbox, str(tmp_path))
    first = source.klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS)
    source._http.close()  # a download would fail now
    assert source.klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS).equals(first)


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
    assert not list(tmp_path.rglob("*.*"))
    assert fetch(2).height == 1440


def test_a_damaged_cache_is_named(sandbox: EmbeddedSandbox, tmp_path: Path) -> None:
    broken = tmp_path / "BTCUSDT" / "BTCUSDT-1m-2024-12-31.zip"
    broken.parent.mkdir()
    broken.write_bytes(b"PK no zip")
    with pytest.raises(BadData, match=r"BTCUSDT-1m-2024-12-31\.zip is no zip"):
        archive_of(sandbox, str(tmp_path)).klines(["BTCUSDT"], DEC_31, DEC_31 + DAY_MS)
    with pytest.raises(BadData, match="no zip"):
        read_zip(b"", "x.zip", "BTCUSDT", date(2024, 12, 31))


@pytest.mark.parametrize("day", ["2017-08-17", "2024-12-31", "2025-01-01"])
def test_real_archive_files_parse_on_both_sides_of_the_switch(shared: Path, day: str) -> None:
    file = shared / f"data/raw/binance_vision_spot_1m/BTCUSDT-1m-{day}.csv.gz"
    text = gzip.decompress(file.read_bytes())
    rows = read_csv(text, file.name, "BTCUSDT", date.fromisoformat(day))
    lines = text.decode().splitlines()
    assert rows.height == len(lines)
    assert rows["open_time"].dt.date().unique().to_list() == [date.fromisoformat(day)]
    assert rows["close"].to_list() == [float(line.split(",")[4]) for line in lines]
    assert rows["trades"].to_list() == [int(line.split(",")[8]) for line in lines]
    with pytest.raises(BadData, match="rows of another day"):
        read_csv(text, file.name, "BTCUSDT", date(2020, 1, 1))


def raw_csv(shared: Path) -> pl.DataFrame:
    file = shared / "data/raw/binance_vision_spot_1m/BTCUSDT-1m-2025-01-01.csv.gz"
    return pl.read_csv(file, has_header=False, new_columns=list(BINANCE_COLUMNS))


def test_files_read_csv_with_and_without_names(shared: Path, tmp_path: Path) -> None:
    frame = raw_csv(shared)
    frame.write_csv(tmp_path / "BTCUSDT-1m-2025-01-01.csv", include_header=False)
    named = frame.select("close", "open", "high", "low", "volume", "open_time").with_columns(
        symbol=pl.lit("ETHUSDT")
    )
    named.write_csv(tmp_path / "named.csv")
    source = create(MarketDataSettings(source="files", files=FilesSettings(str(tmp_path))))
    start = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    assert source.now_ms() == start + DAY_MS
    assert [item.symbol for item in source.instruments()] == ["BTCUSDT", "ETHUSDT"]
    rows = source.klines(["BTCUSDT", "ETHUSDT"], start, start + DAY_MS)
    assert dict(rows.schema) == KLINES.schema
    assert rows.height == 2 * 1440
    btc, eth = (rows.filter(pl.col("symbol") == symbol) for symbol in ("BTCUSDT", "ETHUSDT"))
    assert btc["close"].equals(eth["close"])
    assert (btc["trades"].null_count(), eth["trades"].null_count()) == (0, 1440)
    with pytest.raises(FixConfiguration, match="nearest is BTCUSDT"):
        source.klines(["BTCUSDC"], start, start + DAY_MS)


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (("open_time", "open", "low", "high", "close"), "high is below low"),
        (("open", "open_time", "high", "low", "close"), "columns swapped"),
        (("close_time", "open", "high", "low", "close"), "does not start a minute"),
    ],
)
def test_swapped_columns_are_found(
    shared: Path, tmp_path: Path, order: tuple[str, ...], message: str
) -> None:
    frame = raw_csv(shared)
    rest = [name for name in BINANCE_COLUMNS if name not in order]
    file = tmp_path / "BTCUSDT-1m.csv"
    frame.select([*order, *rest]).write_csv(file, include_header=False)
    with pytest.raises(BadData, match=message):
        read_file(file)


def test_files_read_recorded_parquet_and_refuse_longer_bars(shared: Path) -> None:
    folder = shared / "data/binance/usdm"
    recorded = pl.read_parquet(folder / "1m/src=typhonun/BTCUSDT.parquet", hive_partitioning=False)
    rows = read_file(folder / "1m/src=typhonun/BTCUSDT.parquet")
    assert rows.drop("source").equals(recorded.select(rows.drop("source").columns))
    with pytest.raises(FixConfiguration, match="bars of 60 minutes"):
        read_file(folder / "1h/src=varanus/BTCUSDT.parquet".replace("BTCUSDT", "ADAUSDT"))


def test_wrong_folders_and_files_are_named(tmp_path: Path) -> None:
    with pytest.raises(FixConfiguration, match=r"files\.folder"):
        FilesMarketData(FilesSettings(str(tmp_path / "absent")))
    with pytest.raises(FixConfiguration, match="has no"):
        FilesMarketData(FilesSettings(str(tmp_path))).now_ms()
    (tmp_path / "BTCUSDT.csv").write_text("1,2,3\n")
    with pytest.raises(BadData, match="3 columns without names"):
        FilesMarketData(FilesSettings(str(tmp_path))).now_ms()
