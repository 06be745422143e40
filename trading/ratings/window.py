"""A day's ratings over a fixed look-back, so that any day rebuilds alone to the same bytes."""

from __future__ import annotations

from datetime import date

import polars as pl

from trading.indicators.window import day_start_ms, first_day, trim
from trading.model.interval import Interval
from trading.ratings.tv_lib_v3 import rate

#: Bars before a day's first bar that its ratings are computed over. The votes need two; the streak
#: counter forgets where it started once it has met one of its ends, which it does within a few bars.
RATING_LOOKBACK_BARS = 64


def window_start(day: date, interval: Interval) -> date:
    """First day of indicators that :func:`for_day` needs."""
    return first_day(day, interval, RATING_LOOKBACK_BARS)


def for_day(indicator_window: pl.DataFrame, day: date, interval: Interval) -> pl.DataFrame:
    """Ratings of the bars that open in ``day``, from indicators since :func:`window_start`.

    Raises
    ------
    BadData
        When rows are unsorted or repeated.
    """
    rated = rate(trim(indicator_window, day, interval, RATING_LOOKBACK_BARS))
    return rated.filter(pl.col("open_time").dt.epoch("ms") >= day_start_ms(day))
