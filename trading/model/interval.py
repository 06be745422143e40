"""Bar intervals: the only ones Tidemill stores, all aligned to midnight UTC."""

from __future__ import annotations

from enum import StrEnum

MINUTE_MS = 60_000
DAY_MS = 86_400_000


class Interval(StrEnum):
    """A bar length. The value is the venue's usual spelling and the lake's partition name."""

    M1 = "1m"
    M15 = "15m"
    H1 = "1h"
    H4 = "4h"
    D1 = "1d"

    @property
    def minutes(self) -> int:
        """Length in minutes."""
        return _MINUTES[self]

    @property
    def milliseconds(self) -> int:
        """Length in milliseconds."""
        return self.minutes * MINUTE_MS

    @property
    def bars_per_day(self) -> int:
        """Bars in one UTC day."""
        return 1440 // self.minutes


_MINUTES = {Interval.M1: 1, Interval.M15: 15, Interval.H1: 60, Interval.H4: 240, Interval.D1: 1440}

#: Intervals resampled from one-minute klines, shortest first.
RESAMPLED = (Interval.M15, Interval.H1, Interval.H4, Interval.D1)
