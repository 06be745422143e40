"""Looking at the flag and at the heartbeats; a dead heartbeat raises the flag."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from trading.errors import TradingError
from trading.guard.settings import GuardSettings
from trading.guard.silence import Pulse, observe, silent_seconds
from trading.ports import Clock
from warehouse.flags import heartbeat, kill_flag
from warehouse.flags.kill_flag import KillFlag

#: Who raised the flag, when it was us.
GUARD = "guard"


class Watch:
    """Tells whether trading is halted, from files alone.

    Parameters
    ----------
    clock
        For the age of what was written before this process started.
    monotonic
        Seconds on a clock that nobody sets, for silence.
    """

    def __init__(
        self, folder: Path, settings: GuardSettings, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        self._folder = folder
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._pulses: dict[str, Pulse] = {}
        self._unwritten: KillFlag | None = None
        flag = kill_flag.read(folder)
        self._halted = flag.halted
        age_seconds = max(clock.now_ms() - flag.changed_at_ms, 0) / 1000
        self._rearmed_at = monotonic() - age_seconds if flag.changed_at_ms and not flag.halted else None

    def look(self) -> KillFlag:
        """The flag as it stands, raised now if a watched heartbeat is dead."""
        flag = kill_flag.read(self._folder)
        if self._halted and not flag.halted:
            self._rearmed_at = self._monotonic()
        if not flag.halted:
            flag = self._raised(self._dead()) or flag
        self._halted = flag.halted
        return flag

    def _dead(self) -> str:
        """What is wrong with the heartbeats; empty when nothing is."""
        now = self._monotonic()
        for name in self._settings.heartbeats:
            beat = heartbeat.read(self._folder, name)
            if beat is not None:
                age_seconds = (self._clock.now_ms() - beat.at_ms) / 1000
                self._pulses[name] = observe(
                    self._pulses.get(name),
                    beat.sequence,
                    ended=beat.ended,
                    age_seconds=age_seconds,
                    monotonic_seconds=now,
                )
            pulse = self._pulses.get(name)
            if pulse is None:
                continue
            silent = silent_seconds(pulse, now, self._rearmed_at)
            if silent > self._settings.heartbeat_timeout_seconds:
                return f"heartbeat {name!r} is dead: silent for {silent:.1f} s"
        return ""

    def _raised(self, reason: str) -> KillFlag | None:
        if not reason:
            self._unwritten = None
            return None
        now_ms = self._clock.now_ms()
        try:
            return kill_flag.halt(self._folder, reason, GUARD, now_ms)[1]
        except TradingError as error:
            # The disk does not take it: the halt holds all the same, for as long as this process lives.
            if self._unwritten is None:
                self._unwritten = KillFlag(True, f"{reason} ({error})", GUARD, now_ms)
            return self._unwritten
