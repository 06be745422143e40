"""Putting a guard together and running it until it is told to stop: no Dagster, no ledger."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from apps.guard.countdowns import Countdowns, quietly
from apps.guard.evidence import Evidence, say
from apps.guard.hands import Hands
from apps.guard.ledger_response import LedgerResponse
from apps.guard.loop import Answer, Guard
from apps.guard.response import Response
from apps.guard.watch import Watch
from resources.clock import SystemClock
from trading.errors import FixConfiguration
from trading.guard.reach import Reach
from trading.guard.settings import GuardSettings
from trading.ports import Clock
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.journal import Journal
from warehouse.flags.kill_flag import KillFlag

_LOCK_FILE = "guard.lock"


@dataclass(frozen=True, slots=True)
class Ways:
    """How a guard answers halts, what it does in between, and how it lets go at its end."""

    answers: Callable[[KillFlag], Answer]
    renew: Callable[[], str | None]
    close: Callable[[], None]


def run_guard(reach: Reach, folder: Path, settings: GuardSettings) -> None:
    """Guard an account at a venue until SIGTERM or Ctrl-C.

    Parameters
    ----------
    folder
        Where flag, heartbeats and journal lie; see `warehouse.flags.files.control_folder`.

    Raises
    ------
    FixConfiguration
        If another guard is at work in the folder.
    """

    def ways(evidence: Evidence, clock: Clock) -> Ways:
        hands = Hands(reach, settings.parallel_calls)
        countdowns = Countdowns(reach, settings.countdown_ms, time.monotonic)

        def close() -> None:
            hands.close()
            countdowns.close()

        return Ways(
            lambda flag: Response(flag, hands, countdowns, evidence, settings, clock), countdowns.renew, close
        )

    _run(reach.name, folder, settings, ways)


def run_paper_guard(command: Sequence[str], folder: Path, settings: GuardSettings) -> None:
    """Guard the paper account until SIGTERM or Ctrl-C, through a command that works on the ledger.

    Raises
    ------
    FixConfiguration
        If another guard is at work in the folder.
    """

    def ways(evidence: Evidence, clock: Clock) -> Ways:
        return Ways(
            lambda flag: LedgerResponse(
                flag, command, evidence, settings, clock=clock, monotonic=time.monotonic
            ),
            lambda: None,
            lambda: None,
        )

    _run("paper", folder, settings, ways)


def _run(name: str, folder: Path, settings: GuardSettings, ways: Callable[[Evidence, Clock], Ways]) -> None:
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    folder.mkdir(parents=True, exist_ok=True)
    lock = FileLock(folder / _LOCK_FILE)
    try:
        lock.acquire(timeout=0)
    except Timeout:
        raise FixConfiguration(f"another guard is at work in {folder}; stop it first") from None
    clock = SystemClock()
    evidence = Evidence(_journal(folder / JOURNAL_FILE, clock.now_ms()), clock)
    chosen = ways(evidence, clock)
    heartbeat = Heartbeat(folder, "guard")
    guard = Guard(
        chosen.answers,
        chosen.renew,
        watch=Watch(folder, settings, clock, time.monotonic),
        evidence=evidence,
        heartbeat=heartbeat,
        poll_seconds=settings.poll_seconds,
        clock=clock,
        monotonic=time.monotonic,
    )
    evidence.record("started", name, {"policy": settings.policy})
    try:
        guard.run(stop)
    finally:
        guard.close()
        evidence.record("stopped", name, {})
        quietly(lambda: heartbeat.end(clock.now_ms()))
        chosen.close()
        lock.release()


def _journal(path: Path, now_ms: int) -> Journal | None:
    try:
        return Journal(path, now_ms)
    except OSError as error:
        say(f"{path} cannot be opened ({error}): guarding without a journal")
        return None
