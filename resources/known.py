"""Reads as of a moment: what the system knew then, for training and replay."""

from __future__ import annotations

from datetime import date

import polars as pl

from trading.bars.resample import resample
from trading.bars.revisions import as_known
from trading.model.days import days_between, end_ms
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_REVISIONS
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import Lake


def klines_known_at(lake: Lake, first_day: date, last_day: date, at_ms: int) -> pl.DataFrame:
    """One-minute klines of the days as they were known at a moment, sorted by symbol and time.

    Parameters
    ----------
    at_ms
        The moment, UTC. What was corrected later shows the value that was believed then; what had not
        closed, or came later, is absent.
    """
    klines = lake.window(KLINES, first_day, last_day)
    return as_known(klines, lake.window(KLINE_REVISIONS, first_day, last_day), at_ms)


def bars_known_at(
    lake: Lake, first_day: date, last_day: date, interval: Interval, at_ms: int
) -> pl.DataFrame:
    """Bars resampled from the klines that were known at a moment: rows of the ``bars`` dataset."""
    klines = klines_known_at(lake, first_day, last_day, at_ms)
    days = [
        resample(
            klines.filter(pl.col("open_time").dt.date() == day),
            interval,
            closed_before_ms=min(end_ms(day), at_ms),
        )
        for day in days_between(first_day, last_day)
    ]
    return pl.concat(days).sort(BARS.key)
