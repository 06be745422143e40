"""A day's indicators over a fixed look-back, so that any day rebuilds alone to the same bytes."""

from __future__ import annotations

from datetime import UTC, date, datetime

import polars as pl

from trading.errors import BadData
from trading.indicators.catalogue import LOOKBACK_BARS
from trading.indicators.columns import milliseconds
from trading.indicators.panel import compute_rows
from trading.model.interval import DAY_MS, Interval


def day_start_ms(day: date) -> int:
    """Midnight UTC at the start of ``day``, milliseconds since the epoch."""
    return int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000


def first_day(day: date, interval: Interval, lookback_bars: int) -> date:
    """The UTC day that holds the bar ``lookback_bars`` before the first bar of ``day``."""
    start = day_start_ms(day) - lookback_bars * interval.milliseconds
    return datetime.fromtimestamp(start // 1000, tz=UTC).date()


def trim(frame: pl.DataFrame, day: date, interval: Interval, lookback_bars: int) -> pl.DataFrame:
    """Rows that open from ``lookback_bars`` intervals before ``day`` up to its end, by time.

    Whoever hands in more history than that gets the same rows, hence the same results bit for bit.
    """
    start = day_start_ms(day)
    opened = pl.col("open_time").dt.epoch("ms")
    first = start - lookback_bars * interval.milliseconds
    return frame.filter(opened >= first, opened < start + DAY_MS)


def window_start(day: date, interval: Interval) -> date:
    """First day of bars that :func:`for_day` needs."""
    return first_day(day, interval, LOOKBACK_BARS)


def for_day(window_bars: pl.DataFrame, day: date, interval: Interval) -> pl.DataFrame:
    """Indicators of the bars that open in ``day``.

    Parameters
    ----------
    window_bars
        Bars from :func:`window_start` to ``day``, sorted by symbol and open_time. More on either side is
        ignored; less (a young listing) leaves the values null that need it.

    Raises
    ------
    BadData
        When bars are unsorted, repeated or not finite, or not of ``interval``.
    """
    bars = trim(window_bars, day, interval, LOOKBACK_BARS)
    opened = milliseconds(bars["open_time"])
    if (opened % interval.milliseconds != 0).any():
        raise BadData(f"open_time: bars are not aligned to {interval}; hand in bars of that interval")
    return compute_rows(bars, interval, opened >= day_start_ms(day))
