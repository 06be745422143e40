from __future__ import annotations

import hashlib
from datetime import UTC, date, datetime
from pathlib import Path

import polars as pl
import pytest

from resources.market_data.columns import BINANCE_COLUMNS
from resources.market_data.factory import create
from resources.market_data.files.source import FilesMarketData, read_file
from resources.market_data.settings import FilesSettings, MarketDataSettings
from trading.errors import BadData, FixConfiguration
from trading.model.interval import DAY_MS
from trading.model.series import Market, Series
from warehouse.datasets.certificates import KLINE_SOURCES
from warehouse.datasets.market import KLINES


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
    assert rows.drop("source", "known_at").equals(recorded.select(rows.drop("source", "known_at").columns))
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


def test_files_vouch_for_themselves_and_tell_daily_volumes(shared: Path, tmp_path: Path) -> None:
    frame = raw_csv(shared)
    plain = frame.select("open_time", "open", "high", "low", "close", "volume").head(1439)
    frame.write_csv(tmp_path / "BTCUSDT.csv", include_header=False)
    plain.with_columns(symbol=pl.lit("ETHUSDT")).write_csv(tmp_path / "eth.csv")
    source = FilesMarketData(FilesSettings(str(tmp_path)))
    start = int(datetime(2025, 1, 1, tzinfo=UTC).timestamp() * 1000)
    symbols = ["BTCUSDT", "ETHUSDT"]
    assert source.klines(symbols, start, start + DAY_MS)["known_at"][0] == datetime(
        2025, 1, 1, 0, 1, tzinfo=UTC
    )
    proof = source.evidence(symbols, start, start + DAY_MS)
    assert dict(proof.schema) == KLINE_SOURCES.schema
    content = (tmp_path / "eth.csv").read_bytes()
    assert proof.rows()[1] == (
        "ETHUSDT",
        "eth.csv",
        hashlib.sha256(content).hexdigest(),
        len(content),
        "files",
    )
    assert source.evidence(symbols, start + DAY_MS, start + 2 * DAY_MS).is_empty()
    volumes = source.daily_volumes(symbols, date(2025, 1, 1), date(2025, 1, 2))
    assert volumes.select("symbol", "day").rows() == [(symbol, date(2025, 1, 1)) for symbol in symbols]
    assert volumes["quote_volume"].to_list() == pytest.approx(
        [frame["quote_volume"].sum(), (plain["volume"] * plain["close"]).sum()]
    )


def test_a_day_that_is_not_over_has_no_volume(shared: Path, tmp_path: Path) -> None:
    raw_csv(shared).head(1439).write_csv(tmp_path / "BTCUSDT.csv", include_header=False)
    source = FilesMarketData(FilesSettings(str(tmp_path)))
    assert source.daily_volumes(["BTCUSDT"], date(2025, 1, 1), date(2025, 1, 1)).is_empty()


def test_futures_are_refused_with_the_sources_that_have_them(shared: Path, tmp_path: Path) -> None:
    raw_csv(shared).write_csv(tmp_path / "BTCUSDT.csv", include_header=False)
    source = FilesMarketData(FilesSettings(str(tmp_path)))
    for refused in (
        lambda: source.klines(["BTCUSDT"], 0, 1, Series.MARK),
        lambda: source.evidence(["BTCUSDT"], 0, 1, Series.USDM),
        lambda: source.instruments(Market.USDM),
        lambda: source.funding_rates(["BTCUSDT"], 0, 1),
        lambda: source.open_interest(["BTCUSDT"], 0, 1),
    ):
        with pytest.raises(FixConfiguration, match=r"source files has no .*binance or archive"):
            refused()


def test_a_unit_that_changes_inside_a_file_is_named_with_its_row(shared: Path, tmp_path: Path) -> None:
    frame = raw_csv(shared)
    mixed = pl.concat(
        [frame.head(10).with_columns(pl.col("open_time") // 1000), frame.slice(10)], how="vertical"
    )
    mixed.write_csv(tmp_path / "BTCUSDT.csv", include_header=False)
    with pytest.raises(BadData, match=r"BTCUSDT\.csv row 11: open_time .* another unit"):
        read_file(tmp_path / "BTCUSDT.csv")
