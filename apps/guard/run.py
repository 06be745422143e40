"""Putting a guard together and running it until it is told to stop: no Dagster, no ledger."""

from __future__ import annotations

import signal
import threading
import time
from pathlib import Path

from filelock import FileLock, Timeout

from apps.guard.countdowns import Countdowns, quietly
from apps.guard.evidence import Evidence, say
from apps.guard.hands import Hands
from apps.guard.loop import Guard
from apps.guard.watch import Watch
from resources.clock import SystemClock
from trading.errors import FixConfiguration
from trading.guard.reach import Reach
from trading.guard.settings import GuardSettings
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.journal import Journal

_LOCK_FILE = "guard.lock"


def run_guard(reach: Reach, folder: Path, settings: GuardSettings) -> None:
    """Guard an account until SIGTERM or Ctrl-C.

    Parameters
    ----------
    folder
        Where flag, heartbeats and journal lie; see `warehouse.flags.files.control_folder`.

    Raises
    ------
    FixConfiguration
        If another guard is at work in the folder.
    """
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
    journal = _journal(folder / JOURNAL_FILE, clock.now_ms())
    evidence = Evidence(journal, clock)
    hands = Hands(reach, settings.parallel_calls)
    countdowns = Countdowns(reach, settings.countdown_ms, time.monotonic)
    heartbeat = Heartbeat(folder, "guard")
    guard = Guard(
        hands,
        countdowns,
        watch=Watch(folder, settings, clock, time.monotonic),
        evidence=evidence,
        heartbeat=heartbeat,
        settings=settings,
        clock=clock,
        monotonic=time.monotonic,
    )
    evidence.record("started", reach.name, {"policy": settings.policy})
    try:
        guard.run(stop)
    finally:
        evidence.record("stopped", reach.name, {})
        quietly(lambda: heartbeat.end(clock.now_ms()))
        hands.close()
        countdowns.close()
        lock.release()


def _journal(path: Path, now_ms: int) -> Journal | None:
    try:
        return Journal(path, now_ms)
    except OSError as error:
        say(f"{path} cannot be opened ({error}): guarding without a journal")
        return None
