"""The venue's clock, kept by a steady one here, so that no request depends on this machine's time of day."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

#: An answer that took longer tells the time too vaguely: ask again.
_VAGUE_SECONDS = 0.5
_TRIES = 3


@dataclass(frozen=True, slots=True)
class _Reading:
    """The venue's time at a moment of the steady clock, and how long the answer was under way."""

    venue_ms: float
    at_seconds: float
    under_way_seconds: float


class VenueClock:
    """The venue's time: read once, then counted on, and read again after a while or on demand.

    Parameters
    ----------
    server_time_ms
        Asks the venue; may raise `RetryLater`.
    seconds
        A steady clock.
    refresh_seconds
        Age at which a reading is replaced.
    """

    def __init__(
        self, server_time_ms: Callable[[], int], seconds: Callable[[], float], refresh_seconds: float
    ) -> None:
        self._server_time_ms = server_time_ms
        self._seconds = seconds
        self._refresh_seconds = refresh_seconds
        self._lock = threading.Lock()
        self._reading: _Reading | None = None

    def now_ms(self) -> int:
        """Milliseconds since the epoch by the venue's clock. Raises `RetryLater` if it cannot be read."""
        with self._lock:
            reading = self._reading
            if reading is None or self._seconds() - reading.at_seconds > self._refresh_seconds:
                reading = self._reading = self._read()
            return int(reading.venue_ms + (self._seconds() - reading.at_seconds) * 1_000)

    def refresh(self) -> None:
        """Forget the reading: the venue said that it is wrong."""
        with self._lock:
            self._reading = None

    def _read(self) -> _Reading:
        best: _Reading | None = None
        for _ in range(_TRIES):
            asked = self._seconds()
            stamp = self._server_time_ms()
            answered = self._seconds()
            # The stamp was made somewhere on the way: half of it is the best guess, and at most half wrong.
            reading = _Reading(stamp, (asked + answered) / 2, answered - asked)
            if best is None or reading.under_way_seconds < best.under_way_seconds:
                best = reading
            if best.under_way_seconds <= _VAGUE_SECONDS:
                break
        assert best is not None  # noqa: S101 - the loop runs at least once
        return best
