"""The venue's request weight, kept by all threads together."""

from __future__ import annotations

import threading
from collections.abc import Callable

_WINDOW_SECONDS = 60.0


class WeightBudget:
    """Delays requests so that the used weight stays under a share of the limit.

    The venue counts per minute of its own clock and reports what is used. Requests in flight are
    added to the newest report; when the budget is spent, callers wait until the minute is over.

    Parameters
    ----------
    limit, fraction
        Weight allowed per minute, and the share of it that may be used.
    seconds, sleep
        A steady source of seconds, and how to wait.
    """

    def __init__(
        self, limit: int, fraction: float, seconds: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._fraction = fraction
        self._limit = limit
        self._seconds = seconds
        self._sleep = sleep
        self._lock = threading.Lock()
        self._used = 0
        self._window_ends = seconds() + _WINDOW_SECONDS
        self._paused_until = 0.0

    def set_limit(self, limit: int) -> None:
        """Take over the limit that the venue publishes."""
        self._limit = limit

    def pause(self, duration_seconds: float) -> None:
        """Let every thread wait: the venue asked for it."""
        with self._lock:
            self._paused_until = max(self._paused_until, self._seconds() + duration_seconds)

    def acquire(self, weight: int) -> None:
        """Wait until the weight may be spent, then count it."""
        while True:
            with self._lock:
                wait = self._wait_or_spend(weight)
            if wait <= 0.0:
                return
            self._sleep(wait)

    def report(self, used: int) -> None:
        """Take over the venue's count of this minute."""
        with self._lock:
            now = self._seconds()
            if used < self._used // 2:
                # The venue's minute has turned; ours follows it.
                self._used, self._window_ends = used, now + _WINDOW_SECONDS
            else:
                self._used = max(self._used, used)

    def _wait_or_spend(self, weight: int) -> float:
        now = self._seconds()
        if now < self._paused_until:
            return self._paused_until - now
        if now >= self._window_ends:
            self._used, self._window_ends = 0, now + _WINDOW_SECONDS
        if self._used and self._used + weight > self._limit * self._fraction:
            return self._window_ends - now
        self._used += weight
        return 0.0
