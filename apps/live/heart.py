"""The live loop's heartbeat: it beats in the loop's own thread, so that a loop that hangs falls silent."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from resources.clock import SystemClock
from trading.errors import TradingError
from warehouse.flags.heartbeat import Heartbeat

#: Beats come no closer than this, except at the close of a bar.
_SECONDS = 1.0


class Heart:
    """Tells the guard that bars are waited for and traded.

    A disk that takes no beat is no reason to stop trading here: the guard hears the silence.
    """

    def __init__(self, folder: Path) -> None:
        self._heartbeat = Heartbeat(folder, "live")
        self._clock = SystemClock()
        self._due = 0.0

    def wait(self) -> None:
        """Beat while waiting, when it is time."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + _SECONDS
            self._beat(None)

    def traded(self, bar_close_ms: int) -> None:
        """Beat for a bar that was traded."""
        self._beat(bar_close_ms)

    def end(self) -> None:
        """Say that the loop ended in order."""
        with suppress(TradingError):
            self._heartbeat.end(self._clock.now_ms())

    def _beat(self, bar_close_ms: int | None) -> None:
        with suppress(TradingError):
            self._heartbeat.beat(self._clock.now_ms(), bar_close_ms=bar_close_ms)
