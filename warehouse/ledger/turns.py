"""Taking turns at a file: one process at a time holds it, and whoever waits is seen by whoever holds."""

from __future__ import annotations

import os
import random
import time
from contextlib import suppress
from pathlib import Path

from filelock import FileLock, Timeout


class Turns:
    """The right to have a file open, from process to process.

    Two locks: ``<file>.lock`` is held with the file, and ``<file>.lock.next`` by the first of those who wait,
    so that a holder can tell that it should let go, and a newcomer that it should queue. Threads of one
    process must take turns at the object themselves.

    Parameters
    ----------
    path
        The file; only its neighbours are touched.
    """

    def __init__(self, path: Path) -> None:
        # The system drops an flock with its process, so a killed holder leaves only an unlocked file. The
        # right belongs to the process and not to a thread: one may take it and another give it back.
        self._held = FileLock(f"{path}.lock", thread_local=False)
        self._next = FileLock(f"{path}.lock.next", thread_local=False)
        self._holder = Path(f"{path}.lock.holder")

    def take(self, timeout_seconds: float) -> bool:
        """Wait for the turn; returns whether it came in time.

        Raises
        ------
        OSError
            If the locks cannot be written.
        """
        taken = (not self.wanted() and _acquired(self._held, 0.0)) or self._queued(timeout_seconds)
        if taken:
            with suppress(OSError):  # a courtesy for whoever waits in vain
                self._holder.write_text(str(os.getpid()))
        return taken

    def give_back(self) -> None:
        """Let the next one have it; nothing happens when it is not held."""
        self._held.release(force=True)

    def wanted(self) -> bool:
        """Whether somebody waits for the turn."""
        free = _acquired(self._next, 0.0)
        if free:
            self._next.release()
        return not free

    def held_by(self) -> str:
        """Who took the turn last, in words; empty when that is not known."""
        with suppress(OSError, ValueError):
            return f" by process {int(self._holder.read_text())}"
        return ""

    def _queued(self, timeout_seconds: float) -> bool:
        deadline = time.monotonic() + timeout_seconds
        if not _acquired(self._next, timeout_seconds):
            return False
        try:
            return _acquired(self._held, max(deadline - time.monotonic(), 0.0))
        finally:
            self._next.release()


def _acquired(lock: FileLock, timeout_seconds: float) -> bool:
    try:
        lock.acquire(timeout=timeout_seconds, poll_interval=random.uniform(0.004, 0.012))  # noqa: S311
    except Timeout:
        return False
    return True
