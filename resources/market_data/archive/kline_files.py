"""Which archive files stand behind klines, and the klines in them."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from datetime import date, timedelta
from itertools import groupby

import numpy as np
import polars as pl

from resources.market_data.archive.arrivals import Arrivals, Batch
from resources.market_data.archive.download import Choice, Downloader, Report
from resources.market_data.archive.kline_csv import finish, read_together
from resources.market_data.archive.layout import ArchiveFile, kline_day, kline_month
from resources.market_data.archive.months_ahead import Month, MonthsAhead
from resources.market_data.archive.parsed import ParsedFiles
from resources.market_data.archive.shelf import Held, Shelf, sources_of
from resources.market_data.archive.zips import csv_inside
from resources.market_data.columns import empty
from resources.market_data.parallel import each
from trading.errors import BadData
from trading.model.days import end_ms
from trading.model.series import Series

#: From so many days of a month on, its one file costs less than theirs.
_DAYS_WORTH_A_MONTH = 10
#: Days that are fetched together where each comes for itself.
_DAYS_OF_A_BATCH = 5
#: Files of a month that are fetched together: the first are read while the others come.
_FILES_OF_A_BATCH = 16
#: From so many files of a day on, they are read as one.
_WORTH_READING_TOGETHER = 4
#: Symbols, days and series that klines are asked for, and what the files answer.
_Question = tuple[tuple[str, ...], tuple[date, ...], Series]
_Answer = tuple[pl.DataFrame, dict[date, list[str]]]


class KlineFiles:
    """Klines of days, from the monthly file where it is on the shelf and from the daily one otherwise.

    Parameters
    ----------
    source
        What the ``source`` column says.
    parsed_bytes
        Memory for months that have been parsed.
    """

    def __init__(self, shelf: Shelf, downloader: Downloader, *, source: str, parsed_bytes: int) -> None:
        self._shelf = shelf
        self._downloader = downloader
        self._parsed = ParsedFiles(parsed_bytes)
        self._source = source
        self._reader = ThreadPoolExecutor(1, thread_name_prefix=f"{source}-ahead")
        self._arrivals = Arrivals()
        self._months = MonthsAhead(shelf, self._arrivals, self._parsed)
        self._ahead: tuple[_Question, Future[_Answer]] | None = None

    def fetch(
        self,
        symbols: Sequence[str],
        days: Sequence[date],
        now_ms: int,
        series: Series,
        report: Report | None = None,
    ) -> None:
        """Put the files of the days that are over onto the shelf.

        Months of which a third is wanted come as one file, other days each for itself.
        """
        for day in days:
            with suppress(BadData):  # the fetch below says it of the symbols that are asked for
                self._arrivals.wait((series, day))
        choices = [choice for part in self._parts(symbols, days, now_ms, series) for choice in part[1]]
        self._downloader.fetch(choices, report)

    def fetch_ahead(
        self,
        symbols: Sequence[str],
        days: Sequence[date],
        now_ms: int,
        series: Series,
        report: Report | None = None,
    ) -> None:
        """Begin to fetch what will be read day after day; the reader waits for no more than it needs."""
        parts = self._parts(symbols, days, now_ms, series)
        total, before = sum(len(choices) for _, choices in parts), 0
        batches = []
        for part_days, choices in parts:
            monthly = any(choice.otherwise for choice in choices)
            step = _FILES_OF_A_BATCH if monthly else max(len(choices), 1)
            for first in range(0, max(len(choices), 1), step):
                some = choices[first : first + step]
                last = first + step >= len(choices)
                brings = [*(choice.file for choice in some), *((series, day) for day in part_days if last)]
                batches.append(self._batch(brings, some, report, before, total))
                before += len(some)
        self._arrivals.begin(batches)
        months = [(part_days, [c.file for c in choices if c.otherwise]) for part_days, choices in parts]
        self._months.begin([Month(series, part_days, files) for part_days, files in months if files])

    def _batch(
        self,
        brings: Sequence[Hashable],
        choices: Sequence[Choice],
        report: Report | None,
        before: int,
        total: int,
    ) -> Batch:
        def told(text: str, done: int, of: int) -> None:
            if report is not None:
                report(text, before + done, total + of - len(choices))

        def work() -> None:
            with suppress(BadData):  # one bad file does not keep the days after it
                self._downloader.fetch(choices, told)

        return Batch(brings, work)

    def _parts(
        self, symbols: Sequence[str], days: Sequence[date], now_ms: int, series: Series
    ) -> list[tuple[list[date], list[Choice]]]:
        """Days that are over, in the order of reading, with the files to fetch for them."""
        over = [day for day in days if end_ms(day) <= now_ms]
        parts = []
        for _, month in groupby(over, key=lambda day: (day.year, day.month)):
            of_month = list(month)
            whole = self._comes_whole(of_month, now_ms, series)
            step = len(of_month) if whole else _DAYS_OF_A_BATCH
            for first in range(0, len(of_month), step):
                part = of_month[first : first + step]
                choices = [c for symbol in symbols for c in self._choices(symbol, part, series, whole=whole)]
                parts.append((part, choices))
        return parts

    def read(self, symbols: Sequence[str], days: Sequence[date], series: Series) -> _Answer:
        """Klines of the days that are on the shelf, sorted, and by day the symbols that are not.

        Parameters
        ----------
        symbols, days
            Sorted, each once.
        """
        question = (tuple(symbols), tuple(days), series)
        asked, ahead = self._ahead or (None, None)
        self._ahead = None
        answer = ahead.result() if ahead is not None and asked == question else self._read(*question)
        if len(days) == 1 and self._arrivals.expects((series, following := days[0] + timedelta(days=1))):
            next_question = (question[0], (following,), series)
            self._ahead = next_question, self._reader.submit(self._read_arrived, *next_question)
        return answer

    def _read_arrived(self, symbols: tuple[str, ...], days: tuple[date, ...], series: Series) -> _Answer:
        self._arrivals.wait((series, days[0]))
        return self._read(symbols, days, series)

    def _read(self, symbols: tuple[str, ...], days: tuple[date, ...], series: Series) -> _Answer:
        if len(days) == 1:
            self._months.reach(series, days[0])
        wanted = [(symbol, day) for symbol in symbols for day in days]
        files = [self._file(*item, series) for item in wanted]
        parts = self._together(wanted, files, series) if len(days) == 1 else None
        if parts is None:

            def rows(place: int) -> pl.DataFrame | None:
                found = files[place]
                return None if found is None else self._parsed.day(*found, series, wanted[place][1])

            # A slice of what is in memory is less work than handing it to a thread.
            at_hand = all(found is None or self._parsed.at_hand(found[0]) for found in files)
            threads = 1 if at_hand else pl.thread_pool_size()
            parts = each(rows, range(len(wanted)), threads=threads, name=self._source)
        absent: dict[date, list[str]] = {}
        for (symbol, day), part in zip(wanted, parts, strict=True):
            if part is None:
                absent.setdefault(day, []).append(symbol)
        present = [part for part in parts if part is not None]
        if not present:
            return empty(series), absent
        counts = [0 if part is None else part.height for part in parts]
        labels = pl.Series([symbol for symbol, _ in wanted]).gather(np.repeat(np.arange(len(wanted)), counts))
        return finish(pl.concat(present, rechunk=True), labels, self._source, series), absent

    def evidence(self, symbols: Sequence[str], days: Sequence[date], series: Series) -> pl.DataFrame:
        """The files behind the klines of the days, as ``kline_sources`` rows."""
        found = (self._file(symbol, day, series) for symbol in symbols for day in days)
        return sources_of((item for item in found if item is not None), self._source)

    def _together(
        self,
        wanted: Sequence[tuple[str, date]],
        files: Sequence[tuple[ArchiveFile, Held] | None],
        series: Series,
    ) -> list[pl.DataFrame | None] | None:
        """The parts of one day, its daily files read together; None when that does not go."""
        daily = [found for found in files if found is not None and found[0].first_day == found[0].last_day]
        if len(daily) < _WORTH_READING_TOGETHER:
            return None

        def text(found: tuple[ArchiveFile, Held]) -> bytes:
            return csv_inside(found[1].path.read_bytes(), found[0])

        texts = each(text, daily, threads=pl.thread_pool_size(), name=self._source)
        parts = read_together(texts, [file for file, _ in daily], series)
        if parts is None:
            return None
        read = {file: part for (file, _), part in zip(daily, parts, strict=True)}
        return [
            None
            if found is None
            else read[found[0]]
            if found[0] in read
            else self._parsed.day(*found, series, day)
            for found, (_, day) in zip(files, wanted, strict=True)
        ]

    @staticmethod
    def _comes_whole(days: Sequence[date], now_ms: int, series: Series) -> bool:
        """Whether so many days of one month are worth its one file, and it may be out."""
        last_day = kline_month(series, "", days[0]).last_day
        return len(days) >= _DAYS_WORTH_A_MONTH and end_ms(last_day) <= now_ms

    def _choices(self, symbol: str, days: list[date], series: Series, *, whole: bool) -> list[Choice]:
        """What to fetch for days of one month, from its one file or day by day."""
        month = kline_month(series, symbol, days[0])
        daily = tuple(kline_day(series, symbol, day) for day in days)
        if whole:
            return [Choice(month, otherwise=daily)]
        return [] if self._shelf.held(month) else [Choice(file) for file in daily]

    def _file(self, symbol: str, day: date, series: Series) -> tuple[ArchiveFile, Held] | None:
        """The file behind a day; None when there is none on the shelf."""
        for file in (kline_month(series, symbol, day), kline_day(series, symbol, day)):
            held = self._shelf.held(file)
            if held is not None:
                return file, held
        return None
