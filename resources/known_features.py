"""Model features as they were known at a moment: what a correction touched since is computed anew."""

from __future__ import annotations

from collections.abc import Callable, Collection
from datetime import date, timedelta

import polars as pl

from resources.known import bars_as_of, corrected_since
from trading.confidence import features as feature_set
from trading.indicators import window as indicator_window
from trading.model.days import days_between
from trading.model.interval import Interval
from trading.ratings import window as rating_window
from warehouse.datasets.research import FEATURE_ROWS
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake
from warehouse.schema import Dataset

#: Days before its own that a day's features read.
FEATURE_DAYS = timedelta(hours=feature_set.FEATURE_LOOKBACK_BARS) // timedelta(days=1) + 1
#: Intervals whose ratings are features.
_RATED = (Interval.H1, Interval.H4)
_Build = Callable[[date], pl.DataFrame]


def features_as_of(lake: Lake, first_day: date, last_day: date, at_ms: int, reference: str) -> pl.DataFrame:
    """Features of the days that are stored, as the klines known at a moment give them, sorted.

    Days whose look-back holds no later correction are taken as they are stored; a stored partition may
    have been made before the correction or after it, so the others are computed anew.

    Parameters
    ----------
    at_ms
        The moment, UTC. Rows of bars that had not closed by then are absent.
    reference
        The symbol whose return and RSI every row also carries.

    Returns
    -------
    polars.DataFrame
        Rows of the ``features`` dataset, by symbol and time.
    """
    world = _World(lake, first_day, last_day, at_ms, reference)
    days = [day for day in lake.days(FEATURE_ROWS) if first_day <= day <= last_day]
    anew = [day for day in days if world.touches(day, world.reach)]
    stored = lake.scan(FEATURE_ROWS, first_day, last_day).collect()
    kept = stored.filter(~pl.col("open_time").dt.date().is_in(anew))
    rows = pl.concat([kept, *(world.features(day) for day in anew)])
    return rows.filter(pl.col("close_time").dt.epoch("ms") <= at_ms).sort(FEATURE_ROWS.key)


class _World:
    """The graph from bars to features over the bars of a moment."""

    def __init__(self, lake: Lake, first_day: date, last_day: date, at_ms: int, reference: str) -> None:
        self._lake = lake
        self._at_ms = at_ms
        self._reference = reference
        self.reach = FEATURE_DAYS + max(_rating_days(interval, last_day) for interval in _RATED)
        earliest = first_day - timedelta(days=self.reach)
        self._corrected = [
            day for day in days_between(earliest, last_day) if corrected_since(lake, day, at_ms)
        ]
        self._span = earliest, last_day
        self._bars: dict[Interval, pl.DataFrame] = {}
        self._made: dict[tuple[str, Interval, date], pl.DataFrame] = {}

    def touches(self, day: date, days_before: int) -> bool:
        """Whether a later correction lies within a look-back."""
        return _within(self._corrected, day, days_before)

    def features(self, day: date) -> pl.DataFrame:
        """A day's features, made of what was known."""
        first = day - timedelta(days=FEATURE_DAYS)
        days = days_between(first, day)
        return feature_set.for_day(
            self._known_bars(Interval.H1),
            pl.concat([self._indicators(each, Interval.H1) for each in days]),
            pl.concat([self._ratings(each, Interval.H1) for each in days]),
            pl.concat([self._ratings(each, Interval.H4) for each in days]),
            self._reference,
            day,
        )

    def _known_bars(self, interval: Interval) -> pl.DataFrame:
        """Bars of all that is asked for and its look-backs, sorted by symbol and time."""
        if interval not in self._bars:
            first_day, last_day = self._span
            first = indicator_window.window_start(first_day, interval)
            self._bars[interval] = bars_as_of(self._lake, first, last_day, interval, self._at_ms)
        return self._bars[interval]

    def _indicators(self, day: date, interval: Interval) -> pl.DataFrame:
        def build(day: date) -> pl.DataFrame:
            return indicator_window.for_day(self._known_bars(interval), day, interval)

        return self._day(INDICATORS, interval, day, _indicator_days(interval, day), build)

    def _ratings(self, day: date, interval: Interval) -> pl.DataFrame:
        def build(day: date) -> pl.DataFrame:
            days = days_between(rating_window.window_start(day, interval), day)
            rows = pl.concat([self._indicators(each, interval) for each in days])
            return rating_window.for_day(rows.sort(INDICATORS.key), day, interval)

        return self._day(SCREENER_RATINGS, interval, day, _rating_days(interval, day), build)

    def _day(
        self, dataset: Dataset, interval: Interval, day: date, days_before: int, build: _Build
    ) -> pl.DataFrame:
        """A day's rows: as stored where nothing was corrected within the look-back, made once otherwise."""
        stored = self._lake.window(dataset, day, day, interval)
        if stored.is_empty() or not self.touches(day, days_before):
            return stored
        key = (dataset.name, interval, day)
        if key not in self._made:
            self._made[key] = build(day)
        return self._made[key]


def _indicator_days(interval: Interval, day: date) -> int:
    return (day - indicator_window.window_start(day, interval)).days


def _rating_days(interval: Interval, day: date) -> int:
    return (day - rating_window.window_start(day, interval)).days + _indicator_days(interval, day)


def _within(corrected: Collection[date], day: date, days_before: int) -> bool:
    first = day - timedelta(days=days_before)
    return any(first <= other <= day for other in corrected)
