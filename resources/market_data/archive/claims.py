"""Who downloads a file: one coroutine of one process at a time."""

from __future__ import annotations

import asyncio
import zlib
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from filelock import FileLock, Timeout

_LOCKS = 256
_POLL_SECONDS = 0.02


class Claims:
    """The claims of one event loop on files below a folder.

    Files share a fixed number of lock files: one for each would litter the folder for ever. A
    process that dies gives its claims back.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._inside: defaultdict[int, asyncio.Lock] = defaultdict(asyncio.Lock)

    @asynccontextmanager
    async def claim(self, path: str) -> AsyncIterator[None]:
        """Keep everybody else from downloading the file meanwhile."""
        number = zlib.crc32(path.encode()) % _LOCKS
        lock = FileLock(self._folder / f"{number:02x}.lock")
        async with self._inside[number]:
            await _acquire(lock)
            try:
                yield
            finally:
                lock.release()


async def _acquire(lock: FileLock) -> None:
    while True:
        try:
            lock.acquire(timeout=0)
        except Timeout:
            await asyncio.sleep(_POLL_SECONDS)
        else:
            return
