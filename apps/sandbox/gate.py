"""What stands before the routes: request weights, bans and planned faults."""

from __future__ import annotations

import time
from collections.abc import Callable

from apps.sandbox.errors import ApiError, banned, too_many_requests
from apps.sandbox.settings import FaultSettings

#: Limit published by a sandbox that enforces none, so that clients need not hold back.
UNLIMITED_WEIGHT = 1_000_000
_IGNORED_BEFORE_BAN = 3
_BAN_SECONDS = 120
_MINUTE_SECONDS = 60.0


def monotonic_seconds() -> float:
    """Real seconds that never run backwards: weights count real time whatever the sandbox's clock shows."""
    return time.monotonic()


class WeightGate:
    """Counts request weight per real minute, answers 429 over the limit and 418 to who goes on.

    Parameters
    ----------
    limit
        Weight per minute; 0 counts without refusing.
    """

    def __init__(self, limit: int, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self.limit = limit
        self.used = 0
        self._seconds = seconds
        self._window = -1
        self._refused_until = 0.0
        self._ignored = 0
        self._banned = False

    def admit(self, weight: int, now_ms: int) -> None:
        """Count a request, or raise the answer that refuses it."""
        now = self._seconds()
        if now < self._refused_until:
            self._ignored += 1
            if not self._banned and self._ignored >= _IGNORED_BEFORE_BAN:
                self._banned, self._refused_until = True, now + _BAN_SECONDS
            wait = max(1, round(self._refused_until - now))
            raise (
                banned(now_ms + wait * 1000, wait) if self._banned else too_many_requests(self.limit, wait)
            )
        self._banned, self._ignored = False, 0
        window = int(now // _MINUTE_SECONDS)
        if window != self._window:
            self._window, self.used = window, 0
        self.used += weight
        if self.limit and self.used > self.limit:
            self._refused_until = (window + 1) * _MINUTE_SECONDS
            raise too_many_requests(self.limit, max(1, round(self._refused_until - now)))


class FaultPlan:
    """Makes every n-th request go wrong, as the settings say."""

    def __init__(self, settings: FaultSettings) -> None:
        self.settings = settings
        self._requests = 0
        self._zips = 0

    def next_request(self) -> float:
        """Seconds that the request hangs first; raises the planned error answer."""
        self._requests += 1
        if _due(self._requests, self.settings.rate_limit_every):
            raise too_many_requests(self.settings.rate_limit_every, self.settings.retry_after_seconds)
        if _due(self._requests, self.settings.server_error_every):
            raise ApiError(503, -1000, "An unknown error occurred while processing the request.")
        return self.settings.timeout_seconds if _due(self._requests, self.settings.timeout_every) else 0.0

    def damage(self, content: bytes) -> bytes:
        """The archive file, cut in half when its turn has come."""
        self._zips += 1
        due = _due(self._zips, self.settings.corrupt_zip_every)
        return content[: len(content) // 2] if due else content


def _due(count: int, every: int) -> bool:
    return every > 0 and count % every == 0
