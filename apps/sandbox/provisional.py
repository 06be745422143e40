"""What REST says of a day before its archive file is published, where a planned fault makes it differ."""

from __future__ import annotations

import polars as pl

from apps.sandbox.archive.faults import ArchiveFaults
from apps.sandbox.backing import Minutes, day_of
from apps.sandbox.clock import SandboxClock
from trading.model.interval import DAY_MS
from trading.model.series import Series


class ProvisionalMinutes:
    """Spot minutes as REST shows them.

    Parameters
    ----------
    delay_ms
        How long after its end a day is published, and so final.
    """

    def __init__(self, minutes: Minutes, faults: ArchiveFaults, clock: SandboxClock, delay_ms: int) -> None:
        self._minutes = minutes
        self._faults = faults
        self._clock = clock
        self._delay_ms = delay_ms
        self.start_ms = minutes.start_ms
        self.end_ms = minutes.end_ms

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Bars of one symbol and UTC day."""
        minutes = self._minutes.day(symbol, start_ms)
        if self._clock.now_ms() >= start_ms + DAY_MS + self._delay_ms:
            return minutes
        return self._faults.provisional(minutes, Series.SPOT, symbol, day_of(start_ms))
