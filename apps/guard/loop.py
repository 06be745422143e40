"""The guard: watch, and while trading is halted bring the account to where no entry is left."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Protocol

from apps.guard.countdowns import quietly
from apps.guard.evidence import Evidence
from apps.guard.watch import Watch
from trading.ports import Clock
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.kill_flag import KillFlag

_PAUSE_SECONDS = 0.5
_BEAT_SECONDS = 1.0


class Answer(Protocol):
    """What is done about one halt, round after round."""

    @property
    def kill_id(self) -> str:
        """Which halt it answers."""
        ...

    def round(self) -> float:
        """Do what is due; returns the seconds until the next round."""
        ...

    def close(self) -> None:
        """Let go of what a round began: the halt is over, or the guard ends."""
        ...


class Guard:
    """One account's guard. `tick` is called again and again; all that it must know survives a restart.

    Parameters
    ----------
    answers
        Makes the answer to a halt.
    renew
        Called while nothing is halted; returns what went wrong, None when there is nothing to say.
    heartbeat
        The guard's own.
    monotonic
        Seconds on a clock that nobody sets.
    """

    def __init__(
        self,
        answers: Callable[[KillFlag], Answer],
        renew: Callable[[], str | None],
        *,
        watch: Watch,
        evidence: Evidence,
        heartbeat: Heartbeat,
        poll_seconds: float,
        clock: Clock,
        monotonic: Callable[[], float],
    ) -> None:
        self._answers = answers
        self._renew = renew
        self._watch = watch
        self._evidence = evidence
        self._heartbeat = heartbeat
        self._poll_seconds = poll_seconds
        self._clock = clock
        self._monotonic = monotonic
        self._response: Answer | None = None
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
            stop.wait(self._poll_seconds)

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

    def close(self) -> None:
        """Let go of the answer to the halt."""
        if self._response is not None:
            self._response.close()
            self._response = None

    def _answer(self, flag: KillFlag) -> None:
        if self._response is None or self._response.kill_id != flag.kill_id:
            self.close()
            self._response = self._answers(flag)
            self._due = 0.0
        if self._monotonic() >= self._due:
            pause = self._response.round()
            self._due = self._monotonic() + pause

    def _calm(self, flag: KillFlag) -> None:
        if self._response is not None:
            payload = {"by": flag.by, "reason": flag.reason}
            self._evidence.record("rearmed", self._response.kill_id, payload)
            self.close()
        problem = self._renew()
        if problem is not None:
            self._evidence.problem(problem)
