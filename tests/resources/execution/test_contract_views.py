"""A contract's view: its own price and spread, its pair's verdicts, and everything in its own units."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from resources.execution.contracts import ContractMarket
from resources.execution.market_view import VIEW_INDICATORS, LakeReader
from tests.trading_scenario import CLOSE_MS, instrument, view
from trading.costs.spread import spread_by_symbol
from trading.errors import RetryLater
from trading.instruments.contracts import Contract
from trading.model.interval import MINUTE_MS, Interval
from trading.model.series import Market, Series
from warehouse.datasets.futures import USDM_KLINES
from warehouse.lake.lake import Lake, open_lake

HOUR_MS = 60 * MINUTE_MS
CONTRACTS = {
    "1000PEPEUSDT": Contract(instrument("1000PEPEUSDT", market=Market.USDM), "PEPEUSDT", 1000),
    "AAAUSDT": Contract(instrument("AAAUSDT", market=Market.USDM), "AAAUSDT", 1),
}


def minutes(symbol: str, first_ms: int, end_ms: int, seed: int = 0, scale: float = 1.0) -> pl.DataFrame:
    opened = np.arange(first_ms, end_ms, MINUTE_MS)
    rng = np.random.default_rng(seed)
    close = scale * np.exp(np.cumsum(rng.normal(0, 0.001, opened.size)))
    wick = np.abs(rng.normal(0, 0.0005, (2, opened.size)))
    frame = pl.DataFrame(
        {
            "symbol": symbol, "open_time": opened, "open": close, "high": close * (1 + wick[0]),
            "low": close * (1 - wick[1]), "close": close, "volume": 10.0, "quote_volume": 10.0 * close,
            "trades": 5, "taker_buy_base": 1.0, "taker_buy_quote": close, "source": "files",
        }
    )  # fmt: skip
    times = pl.col("open_time").cast(pl.Datetime("ms", "UTC"))
    known = (pl.col("open_time") + MINUTE_MS).cast(pl.Datetime("ms", "UTC"))
    made = frame.with_columns(known_at=known).with_columns(times).select(list(USDM_KLINES.schema))
    return made.cast(dict(USDM_KLINES.schema))


@dataclass
class Source:
    """A market data source that shows the rows it was given, and remembers what it was asked."""

    rows: pl.DataFrame
    name: str = "files"
    asked: list[tuple[tuple[str, ...], int, int]] = field(default_factory=list)
    error: Exception | None = None

    def klines(self, symbols: Any, start_ms: int, end_ms: int, series: Series) -> pl.DataFrame:
        assert series is Series.USDM
        self.asked.append((tuple(symbols), start_ms, end_ms))
        if self.error is not None:
            raise self.error
        opened = pl.col("open_time").dt.epoch("ms")
        inside = opened.is_between(start_ms, end_ms, closed="left")
        return self.rows.filter(pl.col("symbol").is_in(list(symbols)), inside)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return open_lake(str(tmp_path / "lake"))


@pytest.fixture
def source() -> Source:
    first = CLOSE_MS - 8 * HOUR_MS
    parts = [
        minutes("1000PEPEUSDT", first, CLOSE_MS + HOUR_MS, 1, 0.01),
        minutes("AAAUSDT", first, CLOSE_MS, 2),
    ]
    return Source(pl.concat(parts))


def market(lake: Lake, source: Source) -> ContractMarket:
    return ContractMarket(LakeReader(lake, CLOSE_MS), source, CONTRACTS)  # type: ignore[arg-type]  # what it needs


def closes(rows: pl.DataFrame, symbol: str, end_ms: int = CLOSE_MS) -> pl.Series:
    before = pl.col("open_time").dt.epoch("ms") < end_ms
    return rows.filter(pl.col("symbol") == symbol, before)["close"]


def test_price_and_spread_are_the_contracts_and_the_rest_its_pairs(lake: Lake, source: Source) -> None:
    indicators = {
        f"{interval.value}.{name}": 2.0 for interval, names in VIEW_INDICATORS.items() for name in names
    }
    pair = view("PEPEUSDT", close=0.0000101, indicators=indicators, quote_volume_24h=7.0)
    found = market(lake, source).views({"PEPEUSDT": pair}, 6 * HOUR_MS)["1000PEPEUSDT"]
    assert found.close == closes(source.rows, "1000PEPEUSDT")[-1]
    assert (found.spot_symbol, found.spot_close) == ("PEPEUSDT", pytest.approx(0.0101))
    assert (found.fork_score, found.confidence, found.quote_volume_24h) == (pair.fork_score, 0.7, 7.0)
    opened = pl.col("open_time").dt.epoch("ms")
    recent = source.rows.filter(opened.is_between(CLOSE_MS - 6 * HOUR_MS, CLOSE_MS - 1))
    assert found.spread_bps == dict(spread_by_symbol(recent).iter_rows())["1000PEPEUSDT"]
    assert found.spread_bps != pair.spread_bps
    assert found.indicators == {
        "15m.rsi_14": 2.0,
        "15m.macd_histogram": 2_000.0,
        "15m.atr_14": 2_000.0,
        "15m.volume_sma_20": pytest.approx(0.002),
        "1h.rsi_14": 2.0,
        "1h.macd_histogram": 2_000.0,
        "1h.atr_14": 2_000.0,
        "1h.ema_50": 2_000.0,
        "1h.adx_14": 2.0,
    }


def test_a_pair_without_a_contract_has_no_price(lake: Lake, source: Source) -> None:
    found = market(lake, source).views({"ZZZUSDT": view("ZZZUSDT")}, HOUR_MS)["ZZZUSDT"]
    assert math.isnan(found.close)
    assert math.isnan(found.spread_bps)
    assert (found.spot_symbol, found.spot_close) == ("ZZZUSDT", 100.0)


def test_a_contract_without_minutes_has_no_price_and_an_old_one_is_stale(lake: Lake, source: Source) -> None:
    source.rows = source.rows.filter(
        pl.col("symbol") == "AAAUSDT", pl.col("open_time").dt.epoch("ms") < CLOSE_MS - HOUR_MS
    )
    pairs = {"AAAUSDT": view(close=1.0), "PEPEUSDT": view("PEPEUSDT")}
    found = market(lake, source).views(pairs, 6 * HOUR_MS)
    assert found["AAAUSDT"].close == closes(source.rows, "AAAUSDT")[-1]
    assert found["AAAUSDT"].bar_close_ms == CLOSE_MS - HOUR_MS
    assert math.isnan(found["1000PEPEUSDT"].close)
    assert found["1000PEPEUSDT"].spot_close == 100_000.0


def test_a_source_that_cannot_be_reached_is_not_a_market_without_prices(lake: Lake, source: Source) -> None:
    source.error = RetryLater("no answer")
    with pytest.raises(RetryLater):
        market(lake, source).views({"AAAUSDT": view()}, HOUR_MS)


def test_the_lake_comes_first_and_the_source_fills_up(lake: Lake, source: Source) -> None:
    day = datetime.fromtimestamp((CLOSE_MS - 1) / 1000, UTC).date()
    until = CLOSE_MS - 30 * MINUTE_MS
    stored = source.rows.filter(
        pl.col("symbol") == "AAAUSDT", pl.col("open_time").dt.epoch("ms") < until
    ).with_columns(close=pl.lit(5.0))
    lake.write(USDM_KLINES, day, stored)
    own = market(lake, source)
    rows = own.minutes(CONTRACTS, CLOSE_MS - HOUR_MS)
    assert rows["open_time"].is_duplicated().sum() == rows.height, "both contracts have the same minutes"
    assert rows.group_by("symbol").len()["len"].to_list() == [60, 60]
    assert (closes(rows, "AAAUSDT", until) == 5.0).all()
    assert (closes(rows, "AAAUSDT")[30:] == closes(source.rows, "AAAUSDT")[-30:]).all()
    assert source.asked == [
        (("1000PEPEUSDT",), CLOSE_MS - HOUR_MS, CLOSE_MS),
        (("AAAUSDT",), until, CLOSE_MS),
    ]
    assert f"usdm_klines/date={day}" in own.reader.sources
    noted = own.reader.sources[f"usdm_klines/source=files/since={CLOSE_MS - HOUR_MS}"]
    source.rows = source.rows.with_columns(close=pl.col("close") * 2)
    again = market(lake, source)
    again.minutes(CONTRACTS, CLOSE_MS - HOUR_MS)
    assert again.reader.sources[f"usdm_klines/source=files/since={CLOSE_MS - HOUR_MS}"] != noted


def test_closes_of_a_contract_are_those_of_its_bars_since_the_entry(lake: Lake, source: Source) -> None:
    since = CLOSE_MS - 2 * HOUR_MS + 61_000
    found = market(lake, source).closes_since("AAAUSDT", since)
    step = Interval.M15.minutes
    assert found == closes(source.rows, "AAAUSDT")[-120:].to_list()[step - 1 :: step]
    assert len(found) == 8
    assert market(lake, source).closes_since("GONEUSDT", since) == []
