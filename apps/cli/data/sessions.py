"""Whether a market shuts: hours or weekdays that no bar of a file ever falls in."""

from __future__ import annotations

import polars as pl

from trading.model.interval import DAY_MS

_WEEK_MS = 7 * DAY_MS
#: Days or weeks that a file must span before an empty hour or weekday means that the market is shut.
_LEAST_PERIODS = 3
#: Share of the missing bars that must fall into such hours or weekdays.
_EXPLAINED_FRACTION = 0.9


def has_sessions(bars: pl.DataFrame, interval_ms: int) -> bool:
    """Whether nearly all bars that are missing are so at an hour, or weekday, that has no bar at all.

    ``bars`` have a plausible ``open_time``; those of all symbols are taken together.
    """
    times = bars["open_time"].dt.epoch("ms").unique().sort()
    first, last = int(times[0]), int(times[-1])
    every = pl.int_range(first, last + interval_ms, interval_ms, eager=True)
    missing = every.filter(~every.is_in(times.implode()))
    if missing.is_empty():
        return False
    shut = pl.repeat(False, len(missing), eager=True)
    for period_ms, slot_ms in ((DAY_MS, interval_ms), (_WEEK_MS, DAY_MS)):
        if last - first >= _LEAST_PERIODS * period_ms and slot_ms < period_ms:
            slots = (times % period_ms // slot_ms).unique()
            shut = shut | ~(missing % period_ms // slot_ms).is_in(slots.implode())
    return int(shut.sum()) >= _EXPLAINED_FRACTION * len(missing)
