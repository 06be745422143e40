"""The exchange's clock: real, standing still, or running at another speed, and settable."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime

from apps.sandbox.settings import ClockSettings
from trading.errors import FixConfiguration


def system_seconds() -> float:
    """Seconds since the epoch by the system's clock."""
    return time.time()


class SandboxClock:
    """Shows ``start_ms`` now and advances ``speed`` seconds per real second.

    Parameters
    ----------
    start_ms
        What the clock shows at the start; None follows the system's time.
    speed
        Sandbox seconds per real second; 0 stands still.
    seconds
        Source of real time, in seconds.
    """

    def __init__(
        self,
        start_ms: int | None = None,
        speed: float = 1.0,
        seconds: Callable[[], float] = system_seconds,
    ) -> None:
        self._seconds = seconds
        self._speed = speed
        self._set_at = seconds()
        self._start_ms = int(self._set_at * 1000) if start_ms is None else start_ms

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as the exchange sees it."""
        return self._start_ms + int((self._seconds() - self._set_at) * self._speed * 1000.0)

    def set(self, now_ms: int) -> None:
        """Show another moment from here on; the speed stays."""
        self._set_at, self._start_ms = self._seconds(), now_ms


def create_clock(settings: ClockSettings, end_ms: int | None) -> SandboxClock:
    """Clock of a sandbox.

    Parameters
    ----------
    end_ms
        End of the backing's data where it has one (a replay): the default start, standing still.
    """
    if settings.start:
        try:
            moment = datetime.fromisoformat(settings.start)
        except ValueError as error:
            raise FixConfiguration(
                f"sandbox.clock.start is {settings.start!r}; write a moment as 2026-01-02T03:04"
            ) from error
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        return SandboxClock(int(aware.timestamp() * 1000), settings.speed)
    if end_ms is not None:
        return SandboxClock(end_ms, 0.0)
    return SandboxClock(None, settings.speed)
