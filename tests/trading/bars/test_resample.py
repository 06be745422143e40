from __future__ import annotations

import math
from datetime import UTC, datetime

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.bars.resample import resample
from trading.errors import BadData
from trading.model.interval import DAY_MS, MINUTE_MS, RESAMPLED, Interval
from warehouse.datasets.market import BARS, KLINES

DAY = int(datetime(2026, 1, 5, tzinfo=UTC).timestamp() * 1000)
END = DAY + DAY_MS


def klines(minutes: list[int], *, symbol: str = "BTCUSDT", **changes: list[object]) -> pl.DataFrame:
    count = len(minutes)
    base = [100.0 + minute % 7 for minute in minutes]
    columns: dict[str, object] = {
        "symbol": [symbol] * count,
        "open_time": [DAY + minute * MINUTE_MS for minute in minutes],
        "open": base,
        "high": [value + 2.0 for value in base],
        "low": [value - 2.0 for value in base],
        "close": [value + 1.0 for value in base],
        "volume": [1.0 + minute for minute in minutes],
        "quote_volume": [10.0 + minute for minute in minutes],
        "trades": list(minutes),
        "taker_buy_base": [0.5] * count,
        "taker_buy_quote": [5.0] * count,
        "source": ["sandbox"] * count,
        "known_at": [DAY + (minute + 1) * MINUTE_MS for minute in minutes],
        **changes,
    }
    return pl.DataFrame(columns).cast(KLINES.schema)  # type: ignore[arg-type]


def test_a_bar_by_hand() -> None:
    bars = resample(klines([0, 1, 14, 15]), Interval.M15, closed_before_ms=END)
    assert bars.schema == BARS.schema
    first = bars.row(0, named=True)
    assert (first["open"], first["high"], first["low"], first["close"]) == (100.0, 103.0, 98.0, 101.0)
    assert (first["volume"], first["quote_volume"], first["trades"]) == (18.0, 45.0, 15)
    assert (first["minutes"], first["complete"]) == (3, False)
    assert first["close_time"].timestamp() * 1000 == DAY + 15 * MINUTE_MS
    assert bars["minutes"].to_list() == [3, 1]


@pytest.mark.parametrize("interval", RESAMPLED)
def test_a_full_day_is_complete_and_starts_at_midnight(interval: Interval) -> None:
    bars = resample(klines(list(range(1440))), interval, closed_before_ms=END)
    assert bars.height == interval.bars_per_day
    assert bars["complete"].all()
    assert bars["open_time"].dt.epoch("ms")[0] == DAY


def test_only_bars_that_ended_are_returned() -> None:
    rows = klines(list(range(31)))
    at_end = resample(rows, Interval.M15, closed_before_ms=DAY + 30 * MINUTE_MS)
    before = resample(rows, Interval.M15, closed_before_ms=DAY + 30 * MINUTE_MS - 1)
    assert (at_end.height, before.height) == (2, 1)


def test_one_missing_quote_volume_makes_the_bars_missing_not_zero() -> None:
    values: list[object] = [None if minute == 3 else 1.0 for minute in range(30)]
    bars = resample(klines(list(range(30)), quote_volume=values), Interval.M15, closed_before_ms=END)
    assert bars["quote_volume"].to_list() == [None, 15.0]
    assert bars["trades"].null_count() == 0


def test_duplicates_are_refused() -> None:
    with pytest.raises(BadData, match="BTCUSDT 2026-01-05 00:01"):
        resample(klines([0, 1, 1]), Interval.H1, closed_before_ms=END)


def test_no_klines_no_bars() -> None:
    assert resample(klines([]), Interval.H1, closed_before_ms=END).schema == BARS.schema


@settings(max_examples=40, deadline=None)
@given(
    minutes=st.lists(st.integers(0, 1439), min_size=1, max_size=120, unique=True),
    cut=st.integers(0, 1440),
)
def test_quarters_aggregate_to_the_same_hours_and_the_future_never_matters(
    minutes: list[int], cut: int
) -> None:
    rows = klines(minutes)
    quarters = resample(rows, Interval.M15, closed_before_ms=END)
    hours = resample(rows, Interval.H1, closed_before_ms=END)
    again = (
        quarters.group_by(pl.col("open_time").dt.truncate("1h"), maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
            pl.col("minutes").sum(),
        )
        .sort("open_time")
    )
    for name in ("open_time", "open", "high", "low", "close", "minutes"):
        assert again[name].to_list() == hours[name].to_list()
    assert all(math.isclose(a, b) for a, b in zip(again["volume"], hours["volume"], strict=True))
    closed = DAY + cut * MINUTE_MS
    truncated = rows.filter(pl.col("open_time").dt.epoch("ms") < closed)
    known = resample(truncated, Interval.H1, closed_before_ms=closed)
    assert known.equals(resample(rows, Interval.H1, closed_before_ms=closed))
    assert known.equals(hours.head(known.height))
