"""A training sees the features of its day: a correction that came later changes none of them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import date, timedelta
from pathlib import Path

import polars as pl
import pytest

from resources.history import History
from resources.known_features import FEATURE_DAYS, features_as_of
from trading.bars.resample import resample
from trading.confidence import features as feature_set
from trading.indicators import window as indicator_window
from trading.model.days import end_ms, start_ms
from trading.model.interval import DAY_MS, MINUTE_MS, Interval
from trading.ratings import window as rating_window
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.research import FEATURE_ROWS
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake, open_lake

FIRST = date(2026, 1, 1)
DAYS = [FIRST + timedelta(days=number) for number in range(13)]
CORRECTED, LAST = DAYS[4], DAYS[-1]
SYMBOLS = ("BTCUSDT", "ETHUSDT")
INTERVALS = (Interval.H1, Interval.H4)


def klines(day: date, factor: float = 1.0) -> pl.DataFrame:
    """Two coins that swing; with a factor, other highs and closes in the day's second half."""
    moments = range(start_ms(day), end_ms(day), MINUTE_MS)
    frames = []
    for phase, symbol in enumerate(SYMBOLS):
        price = [100 + 10 * math.sin(ms / DAY_MS * 5 + phase) for ms in moments]
        half = [factor if number >= 720 else 1.0 for number in range(1440)]
        close = [value * scale for value, scale in zip(price, half, strict=True)]
        frames.append(
            pl.DataFrame(
                {
                    "symbol": symbol,
                    "open_time": moments,
                    "open": price,
                    "high": [max(pair) * 1.001 for pair in zip(price, close, strict=True)],
                    "low": [min(pair) * 0.999 for pair in zip(price, close, strict=True)],
                    "close": close,
                    "volume": [1.0 + number % 7 for number in range(1440)],
                    "source": "archive",
                    "known_at": [ms + MINUTE_MS for ms in moments],
                }
            )
        )
    frame = pl.concat(frames)
    absent = [name for name in KLINES.schema if name not in frame.columns]
    return frame.with_columns(pl.lit(None).alias(name) for name in absent).select(
        pl.col(name).cast(kind) for name, kind in KLINES.schema.items()
    )


def ingest(lake: Lake, day: date, fresh: pl.DataFrame, now_ms: int) -> None:
    history = History(lake, KLINES)
    update = history.update(day, fresh, now_ms=now_ms, source="archive")
    history.record(day, update, lake.write(KLINES, day, update.rows), "archive")


def build(lake: Lake, days: Sequence[date]) -> None:
    """What the assets make of klines, stage by stage."""
    for interval in INTERVALS:
        for day in days:
            bars = resample(lake.read(KLINES, day), interval, closed_before_ms=end_ms(day))
            lake.write(BARS, day, bars, interval)
        for day in days:
            window = lake.window(BARS, FIRST, day, interval).sort(BARS.key)
            lake.write(INDICATORS, day, indicator_window.for_day(window, day, interval), interval)
        for day in days:
            window = lake.window(INDICATORS, FIRST, day, interval).sort(INDICATORS.key)
            lake.write(SCREENER_RATINGS, day, rating_window.for_day(window, day, interval), interval)
    for day in days:
        first = day - timedelta(days=FEATURE_DAYS)
        rows = feature_set.for_day(
            lake.window(BARS, first, day, Interval.H1),
            lake.window(INDICATORS, first, day, Interval.H1),
            lake.window(SCREENER_RATINGS, first, day, Interval.H1),
            lake.window(SCREENER_RATINGS, first, day, Interval.H4),
            "BTCUSDT",
            day,
        )
        lake.write(FEATURE_ROWS, day, rows)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> tuple[Lake, pl.DataFrame]:
    """A lake whose fifth day was corrected after the last one closed, and its features before that."""
    lake = open_lake(str(Path(tmp_path_factory.mktemp("known")) / "lake"))
    for day in DAYS:
        ingest(lake, day, klines(day), end_ms(day))
    build(lake, DAYS)
    before = stored(lake)
    ingest(lake, CORRECTED, klines(CORRECTED, 1.02), end_ms(LAST) + MINUTE_MS)
    build(lake, DAYS)
    return lake, before


def stored(lake: Lake, last: date = LAST) -> pl.DataFrame:
    return lake.window(FEATURE_ROWS, FIRST, last).sort(FEATURE_ROWS.key)


def test_features_before_a_correction_are_those_that_stood_then(world: tuple[Lake, pl.DataFrame]) -> None:
    lake, before = world
    assert not stored(lake).equals(before), "the correction changed what is stored"
    assert features_as_of(lake, FIRST, LAST, end_ms(LAST), "BTCUSDT").equals(before)


def test_features_after_a_correction_are_those_that_are_stored(world: tuple[Lake, pl.DataFrame]) -> None:
    lake, _ = world
    known = features_as_of(lake, FIRST, LAST, end_ms(LAST) + MINUTE_MS, "BTCUSDT")
    assert known.equals(stored(lake))


def test_features_of_an_earlier_day_end_with_it(world: tuple[Lake, pl.DataFrame]) -> None:
    lake, before = world
    day = DAYS[7]
    noon = end_ms(day) - DAY_MS // 2
    closed = before.filter(pl.col("close_time").dt.epoch("ms") <= noon)
    assert features_as_of(lake, FIRST, day, noon, "BTCUSDT").equals(closed)
    assert features_as_of(lake, DAYS[6], day, noon, "BTCUSDT").equals(
        closed.filter(pl.col("open_time").dt.date() >= DAYS[6])
    )


def test_days_out_of_reach_of_a_correction_are_taken_as_they_are(world: tuple[Lake, pl.DataFrame]) -> None:
    lake, _ = world
    day = DAYS[3]
    as_it_was = lake.read(FEATURE_ROWS, day)
    lake.write(FEATURE_ROWS, day, as_it_was.with_columns(rating=pl.lit(0.125)))
    known = features_as_of(lake, day, day, end_ms(day), "BTCUSDT")
    lake.write(FEATURE_ROWS, day, as_it_was)
    assert known["rating"].unique().to_list() == [0.125]
