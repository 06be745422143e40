"""Months that are parsed before their first day is asked for."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from datetime import date

import polars as pl

from resources.market_data.archive.arrivals import Arrivals
from resources.market_data.archive.layout import ArchiveFile
from resources.market_data.archive.parsed import ParsedFiles
from resources.market_data.archive.shelf import Shelf
from resources.market_data.parallel import each
from trading.errors import BadData, TradingError
from trading.model.series import Series


@dataclass(frozen=True, slots=True)
class Month:
    """Days of a month that will be read, and the files that hold them."""

    series: Series
    days: Sequence[date]
    files: Sequence[ArchiveFile]


class MonthsAhead:
    """Parses a range's months in the background: the first at once, each other while the one before is read.

    Months that would not find room beside the one that is read are left to the reader.
    """

    def __init__(self, shelf: Shelf, arrivals: Arrivals, parsed: ParsedFiles) -> None:
        self._shelf = shelf
        self._arrivals = arrivals
        self._parsed = parsed
        self._lock = threading.Lock()
        self._months: Sequence[Month] = ()
        self._place: dict[tuple[Series, date], int] = {}
        self._tasks: dict[int, Future[None]] = {}

    def begin(self, months: Sequence[Month]) -> None:
        """Take a range in place of the one before, and start with its first month."""
        with self._lock:
            self._months = [month for month in months if self._parsed.holds(2 * len(month.files))]
            self._place = {
                (month.series, day): place for place, month in enumerate(self._months) for day in month.days
            }
            self._tasks = {}
        self._start(0)

    def reach(self, series: Series, day: date) -> None:
        """Wait until a day's month is parsed, and start with the next one; at once for a day of no month."""
        place = self._place.get((series, day))
        if place is None:
            return
        task = self._start(place)
        self._start(place + 1)
        if task is not None:
            task.result()

    def _start(self, place: int) -> Future[None] | None:
        with self._lock:
            if place >= len(self._months):
                return None
            if place not in self._tasks:
                month = self._months[place]
                self._tasks[place] = _in_background(lambda: self._prepare(month))
            return self._tasks[place]

    def _prepare(self, month: Month) -> None:
        """Parse what is there; what goes wrong is told to whoever reads the day."""

        def prepare(file: ArchiveFile) -> None:
            self._arrivals.wait(file)
            held = self._shelf.held(file)
            if held is not None:
                with suppress(BadData):
                    self._parsed.prepare(file, held, month.series)

        with suppress(TradingError):
            each(prepare, month.files, threads=pl.thread_pool_size(), name="months-ahead")


def _in_background(work: Callable[[], None]) -> Future[None]:
    future: Future[None] = Future()

    def run() -> None:
        try:
            future.set_result(work())
        except BaseException as error:
            future.set_exception(error)

    # A daemon: nobody waits for it when the process ends.
    threading.Thread(target=run, name="months-ahead", daemon=True).start()
    return future
