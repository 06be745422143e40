"""A day over its fixed look-back: the same bytes from any window, and the full history's values."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading.errors import BadData
from trading.indicators.catalogue import INDICATORS, LOOKBACK_BARS
from trading.indicators.panel import compute
from trading.indicators.window import for_day, window_start
from trading.model.interval import Interval

MakeBars = Callable[..., pl.DataFrame]


def parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink, compression="zstd")
    return sink.getvalue()


def opened_on(day: date) -> pl.Expr:
    return pl.col("open_time").dt.date() == day


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        (Interval.M15, date(2024, 6, 14)),  # 1500 x 15 min = 15.625 days
        (Interval.H1, date(2024, 4, 28)),  # 62.5 days
        (Interval.H4, date(2023, 10, 24)),  # 250 days
        (Interval.D1, date(2020, 5, 22)),  # 1500 days
    ],
)
def test_window_starts_with_the_day_of_the_first_bar(interval: Interval, start: date) -> None:
    assert window_start(date(2024, 6, 30), interval) == start


def test_range_and_single_day_rebuilds_are_the_same_bytes(make_bars: MakeBars) -> None:
    bars = make_bars({"AUSDT": 2200, "BUSDT": 2200, "YOUNGUSDT": 1900})
    for offset in (17, 20, 22):
        day = date(2024, 1, 1) + timedelta(days=offset)
        first = datetime.combine(window_start(day, Interval.M15), datetime.min.time(), UTC)
        single = for_day(
            bars.filter(pl.col("open_time") >= first, pl.col("open_time").dt.date() <= day),
            day,
            Interval.M15,
        )
        alone = for_day(bars.filter(pl.col("symbol") == "BUSDT"), day, Interval.M15)
        assert parquet(for_day(bars, day, Interval.M15)) == parquet(single)
        assert parquet(single.filter(pl.col("symbol") == "BUSDT")) == parquet(alone)
        assert set(single["open_time"].dt.date()) == {day}


def test_the_open_day_extended_bar_by_bar_ends_as_the_closed_day(make_bars: MakeBars) -> None:
    bars = make_bars({"AUSDT": 1700, "BUSDT": 1700})
    day = date(2024, 1, 17)
    whole = for_day(bars, day, Interval.M15)
    for closed in (1, 40, 95):
        cut = datetime(2024, 1, 17, tzinfo=UTC) + closed * timedelta(minutes=15)
        so_far = for_day(bars.filter(pl.col("open_time") < cut), day, Interval.M15)
        assert parquet(so_far) == parquet(whole.filter(pl.col("open_time") < cut))


def test_bars_of_another_interval_are_refused(make_bars: MakeBars) -> None:
    with pytest.raises(BadData, match="not aligned to 1h"):
        for_day(make_bars({"AUSDT": 200}), date(2024, 1, 1), Interval.H1)


def test_a_day_without_bars_is_empty(make_bars: MakeBars) -> None:
    assert for_day(make_bars({"AUSDT": 10}), date(2024, 3, 1), Interval.M15).is_empty()


@pytest.mark.parametrize(
    ("fixture", "interval", "days"),
    [
        ("hourly_candles", Interval.H1, [date(2023, 3, 24), date(2023, 3, 25), date(2023, 5, 30)]),
        ("quarter_hour_candles", Interval.M15, [date(2024, 6, 1), date(2024, 7, 14)]),
    ],
)
def test_windowed_values_equal_the_full_history(
    request: pytest.FixtureRequest, fixture: str, interval: Interval, days: list[date]
) -> None:
    bars: pl.DataFrame = request.getfixturevalue(fixture)
    full = compute(bars, interval)
    for day in days:
        bars_before = bars.filter(pl.col("open_time").dt.date() < day).group_by("symbol").len()
        assert bars_before["len"].min() > LOOKBACK_BARS + interval.bars_per_day
        windowed, expected = for_day(bars, day, interval), full.filter(opened_on(day))
        assert windowed.select("symbol", "open_time").equals(expected.select("symbol", "open_time"))
        # A difference of averages may be near zero: it is held to 1e-12 of the price there.
        slack = 1e-12 * expected["close"].to_numpy()
        for name in (indicator.name for indicator in INDICATORS):
            got, want = windowed[name].to_numpy(), expected[name].to_numpy()
            error = np.abs(got - want)
            wrong = error > 1e-6 * np.abs(want) + (slack if "macd" in name else 0.0)
            assert not wrong.any(), (name, day, error.max())
            assert (np.isnan(got) == np.isnan(want)).all(), name
