"""Archive files that have been parsed, so that day after day of a month is one pass over its file."""

from __future__ import annotations

from collections import OrderedDict
from datetime import date
from threading import Lock

import polars as pl

from resources.market_data.archive.kline_csv import read_klines
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.shelf import Held
from resources.market_data.archive.zips import csv_inside
from trading.model.days import end_ms, start_ms
from trading.model.series import Series


class ParsedFiles:
    """Klines by file, the oldest used giving way; safe to share by threads.

    Parameters
    ----------
    capacity_bytes
        Most bytes kept. A file larger than that is parsed each time.
    """

    def __init__(self, capacity_bytes: int) -> None:
        self._capacity_bytes = capacity_bytes
        self._size_bytes = 0
        self._frames: OrderedDict[ArchiveFile, tuple[pl.DataFrame, int]] = OrderedDict()
        self._lock = Lock()

    def day(self, file: ArchiveFile, held: Held, series: Series, day: date) -> pl.DataFrame:
        """Rows of one day, in the columns of `read_klines`."""
        rows = self._rows(file, held, series)
        if file.first_day == file.last_day:
            return rows
        times = rows["open_time"]
        begin, end = (times.search_sorted(bound, side="left") for bound in (start_ms(day), end_ms(day)))
        return rows.slice(begin, end - begin)

    def _rows(self, file: ArchiveFile, held: Held, series: Series) -> pl.DataFrame:
        with self._lock:
            known = self._frames.get(file)
            if known is not None:
                self._frames.move_to_end(file)
                return known[0]
        rows = read_klines(csv_inside(held.path.read_bytes(), file), file, series)
        # A day is read once as a rule; only what will be read again is worth the memory.
        if file.first_day != file.last_day:
            self._keep(file, rows)
        return rows

    def _keep(self, file: ArchiveFile, rows: pl.DataFrame) -> None:
        size = int(rows.estimated_size())
        if size > self._capacity_bytes:
            return
        with self._lock:
            if file in self._frames:
                return
            self._frames[file] = (rows, size)
            self._size_bytes += size
            while self._size_bytes > self._capacity_bytes:
                _, (_, freed) = self._frames.popitem(last=False)
                self._size_bytes -= freed
