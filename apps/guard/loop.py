"""The guard: watch, and while trading is halted bring the venue to where no entry is left."""

from __future__ import annotations

import threading
from collections.abc import Callable

from apps.guard.countdowns import Countdowns, quietly
from apps.guard.evidence import Evidence
from apps.guard.hands import Hands
from apps.guard.response import Response
from apps.guard.watch import Watch
from trading.guard.settings import GuardSettings
from trading.ports import Clock
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.kill_flag import KillFlag

_PAUSE_SECONDS = 0.5
_BEAT_SECONDS = 1.0


class Guard:
    """One account's guard. `tick` is called again and again; all that it must know survives a restart.

    Parameters
    ----------
    heartbeat
        The guard's own.
    monotonic
        Seconds on a clock that nobody sets.
    """

    def __init__(
        self,
        hands: Hands,
        countdowns: Countdowns,
        *,
        watch: Watch,
        evidence: Evidence,
        heartbeat: Heartbeat,
        settings: GuardSettings,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._hands = hands
        self._countdowns = countdowns
        self._watch = watch
        self._evidence = evidence
        self._heartbeat = heartbeat
        self._settings = settings
        self._clock = clock
        self._monotonic = monotonic
        self._response: Response | None = None
        self._due = 0.0
        self._beat_due = 0.0

    def run(self, stop: threading.Event) -> None:
        """Watch until told to stop. Nothing that goes wrong ends the watch."""
        while not stop.is_set():
            try:
                self.tick()
            # A defect must not leave the entries unguarded: it is told, and the next tick tries again.
            except Exception as error:
                self._evidence.problem(f"{type(error).__name__}: {error}")
                stop.wait(_PAUSE_SECONDS)
            stop.wait(self._settings.poll_seconds)

    def tick(self) -> None:
        """Look once, and do what is due."""
        flag = self._watch.look()
        if flag.halted:
            self._answer(flag)
        else:
            self._calm(flag)
        now = self._monotonic()
        if now >= self._beat_due:
            self._beat_due = now + _BEAT_SECONDS
            quietly(lambda: self._heartbeat.beat(self._clock.now_ms()))

    def _answer(self, flag: KillFlag) -> None:
        if self._response is None or self._response.kill_id != flag.kill_id:
            self._response = Response(
                flag, self._hands, self._countdowns, self._evidence, self._settings, self._clock
            )
            self._due = 0.0
        if self._monotonic() >= self._due:
            pause = self._response.round()
            self._due = self._monotonic() + pause

    def _calm(self, flag: KillFlag) -> None:
        if self._response is not None:
            payload = {"by": flag.by, "reason": flag.reason}
            self._evidence.record("rearmed", self._response.kill_id, payload)
            self._response = None
        problem = self._countdowns.renew()
        if problem is not None:
            self._evidence.problem(problem)
