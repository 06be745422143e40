"""Archive files that have been parsed, so that day after day of a month is one pass over its file."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from threading import Lock

import numpy as np
import polars as pl

from resources.market_data.archive.kline_csv import read_klines
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.shelf import Held
from resources.market_data.archive.zips import csv_inside
from trading.model.days import days_between, end_ms, start_ms
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series

#: A month of klines: ten columns of eight bytes.
_MONTH_BYTES = 31 * DAY_MS // MINUTE_MS * 80


@dataclass(frozen=True, slots=True)
class _Parsed:
    """A file's rows; ``starts`` are the row that each of its days begins at, and their end, shape (days + 1,)."""

    rows: pl.DataFrame
    starts: np.ndarray
    size_bytes: int


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
        self._files: OrderedDict[ArchiveFile, _Parsed] = OrderedDict()
        self._lock = Lock()

    def day(self, file: ArchiveFile, held: Held, series: Series, day: date) -> pl.DataFrame:
        """Rows of one day, in the columns of `read_klines`."""
        if file.first_day == file.last_day:  # read once as a rule: not worth the memory
            return _read(file, held, series)
        parsed = self._parsed(file, held, series)
        begin, end = parsed.starts[(number := (day - file.first_day).days) : number + 2]
        return parsed.rows.slice(begin, end - begin)

    def prepare(self, file: ArchiveFile, held: Held, series: Series) -> None:
        """Parse a file of many days before one of them is asked for."""
        self._parsed(file, held, series)

    def at_hand(self, file: ArchiveFile) -> bool:
        """Whether a file has been parsed and is still in memory."""
        return file in self._files

    def holds(self, files: int) -> bool:
        """Whether so many monthly files of klines find room together."""
        return files * _MONTH_BYTES <= self._capacity_bytes

    def _parsed(self, file: ArchiveFile, held: Held, series: Series) -> _Parsed:
        with self._lock:
            known = self._files.get(file)
            if known is not None:
                self._files.move_to_end(file)
                return known
        rows = _read(file, held, series)
        bounds = [start_ms(day) for day in days_between(file.first_day, file.last_day)]
        starts = np.searchsorted(rows["open_time"].to_numpy(), [*bounds, end_ms(file.last_day)])
        parsed = _Parsed(rows, starts, int(rows.estimated_size()))
        self._keep(file, parsed)
        return parsed

    def _keep(self, file: ArchiveFile, parsed: _Parsed) -> None:
        if parsed.size_bytes > self._capacity_bytes:
            return
        with self._lock:
            if file in self._files:
                return
            self._files[file] = parsed
            self._size_bytes += parsed.size_bytes
            while self._size_bytes > self._capacity_bytes:
                _, oldest = self._files.popitem(last=False)
                self._size_bytes -= oldest.size_bytes


def _read(file: ArchiveFile, held: Held, series: Series) -> pl.DataFrame:
    return read_klines(csv_inside(held.path.read_bytes(), file), file, series)
