"""Reads as of a moment: what the system knew then, for training and replay."""

from __future__ import annotations

from datetime import date

import polars as pl

from resources.history import History
from trading.bars.resample import resample
from trading.bars.revisions import as_known
from trading.model.days import days_between, end_ms
from trading.model.interval import Interval
from warehouse.datasets.certificates import KLINE_REVISIONS, KLINE_VERSIONS
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import Lake
from warehouse.schema import Dataset


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


def futures_known_at(
    lake: Lake, dataset: Dataset, first_day: date, last_day: date, at_ms: int
) -> pl.DataFrame:
    """A series of perpetuals as it was known at a moment, sorted by symbol and time: rows of its dataset."""
    history = History(lake, dataset)
    rows = lake.window(dataset, first_day, last_day)
    return as_known(rows, history.revisions(first_day, last_day), at_ms, history.subject)


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


def bars_as_of(lake: Lake, first_day: date, last_day: date, interval: Interval, at_ms: int) -> pl.DataFrame:
    """What `bars_known_at` gives, from the stored bars: only days that were corrected since are made anew.

    For long windows, such as a training's: a correction is rare, and a year of klines is not.

    Parameters
    ----------
    at_ms
        The moment, UTC. Bars that had not closed by then are absent.
    """
    corrected = [day for day in days_between(first_day, last_day) if corrected_since(lake, day, at_ms)]
    stored = lake.window(BARS, first_day, last_day, interval).filter(
        pl.col("close_time").dt.epoch("ms") <= at_ms,
        ~pl.col("open_time").dt.date().is_in(corrected),
    )
    anew = [bars_known_at(lake, day, day, interval, at_ms) for day in corrected]
    return pl.concat([stored, *anew]).sort(BARS.key)


def corrected_since(lake: Lake, day: date, at_ms: int) -> bool:
    """Whether a value of the day's klines became known, or gave way, after a moment and after its own close."""
    versions = lake.window(KLINE_VERSIONS, day, day)
    later = (pl.col("stored_at").dt.epoch("ms") > at_ms) & (pl.col("changed") + pl.col("late") > 0)
    return versions.filter(later).height > 0
