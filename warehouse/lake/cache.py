"""Frames kept in memory while the objects behind them stay the same."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock

import polars as pl

from warehouse.lake.store import Stamp


class FrameCache:
    """Least-recently-used frames up to a number of bytes; safe to share between threads.

    Parameters
    ----------
    capacity_bytes
        Most bytes of frames kept. A frame larger than that is not kept at all.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.size_bytes = 0
        self._frames: OrderedDict[str, tuple[Stamp, pl.DataFrame, int]] = OrderedDict()
        self._used: set[str] = set()
        self._lock = Lock()

    def get(self, key: str, stamp: Stamp) -> pl.DataFrame | None:
        """The frame of an object in exactly the version that the stamp names."""
        with self._lock:
            entry = self._frames.get(key)
            if entry is None or entry[0] != stamp:
                return None
            self._frames.move_to_end(key)
            self._used.add(key)
            return entry[1]

    def put(self, key: str, stamp: Stamp, frame: pl.DataFrame) -> None:
        """Keep a frame in place of what was under the key; the oldest used give way."""
        size = int(frame.estimated_size())
        with self._lock:
            before = self._frames.pop(key, None)
            if before is not None:
                self.size_bytes -= before[2]
            if size > self.capacity_bytes:
                return
            self._frames[key] = (stamp, frame, size)
            self._used.add(key)
            self.size_bytes += size
            while self.size_bytes > self.capacity_bytes:
                _, (_, _, freed) = self._frames.popitem(last=False)
                self.size_bytes -= freed

    def trim(self) -> None:
        """Drop the frames that nobody has used since the last call."""
        with self._lock:
            for key in [key for key in self._frames if key not in self._used]:
                self.size_bytes -= self._frames.pop(key)[2]
            self._used.clear()
