"""A day's ratings: the same bytes from any window, with streaks that have forgotten where they began."""

from __future__ import annotations

import io
from datetime import date

import polars as pl
import pytest

from trading.model.interval import Interval
from trading.ratings.tv_lib_v3 import rate
from trading.ratings.window import for_day, window_start


def parquet(frame: pl.DataFrame) -> bytes:
    sink = io.BytesIO()
    frame.write_parquet(sink, compression="zstd")
    return sink.getvalue()


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        (Interval.M15, date(2024, 6, 29)),
        (Interval.H1, date(2024, 6, 27)),
        (Interval.H4, date(2024, 6, 19)),
        (Interval.D1, date(2024, 4, 27)),
    ],
)
def test_window_start(interval: Interval, start: date) -> None:
    assert window_start(date(2024, 6, 30), interval) == start


def test_range_and_single_day_rebuilds_are_the_same_bytes(real_indicators: pl.DataFrame) -> None:
    for day in (date(2023, 3, 24), date(2023, 3, 25), date(2023, 6, 30)):
        opened = pl.col("open_time").dt.date()
        window = real_indicators.filter(opened >= window_start(day, Interval.H1), opened <= day)
        single = for_day(window, day, Interval.H1)
        assert parquet(single) == parquet(for_day(real_indicators, day, Interval.H1))
        assert set(single["open_time"].dt.date()) == {day}


def test_windowed_ratings_equal_the_full_history(real_indicators: pl.DataFrame) -> None:
    full = rate(real_indicators)
    days = [date(2023, 2, 1), date(2023, 3, 10), date(2023, 5, 5), date(2023, 6, 30)]
    for day in days:
        expected = full.filter(pl.col("open_time").dt.date() == day)
        assert for_day(real_indicators, day, Interval.H1).equals(expected)
