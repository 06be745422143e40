"""Which archive files stand behind klines, and the klines in them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from itertools import groupby

import numpy as np
import polars as pl

from resources.market_data.archive.download import Choice, Downloader, Report
from resources.market_data.archive.kline_csv import finish
from resources.market_data.archive.layout import ArchiveFile, kline_day, kline_month
from resources.market_data.archive.parsed import ParsedFiles
from resources.market_data.archive.shelf import Held, Shelf
from resources.market_data.columns import empty
from resources.market_data.parallel import each
from trading.model.days import end_ms
from trading.model.series import Series
from warehouse.datasets.certificates import KLINE_SOURCES

#: From so many days of a month on, its one file costs less than theirs.
_DAYS_WORTH_A_MONTH = 10


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
        over = [day for day in days if end_ms(day) <= now_ms]
        choices = [
            choice
            for symbol in symbols
            for _, month in groupby(over, key=lambda day: (day.year, day.month))
            for choice in self._choices(symbol, list(month), now_ms, series)
        ]
        self._downloader.fetch(choices, report)

    def read(
        self, symbols: Sequence[str], days: Sequence[date], series: Series
    ) -> tuple[pl.DataFrame, dict[date, list[str]]]:
        """Klines of the days that are on the shelf, sorted, and by day the symbols that are not.

        Parameters
        ----------
        symbols, days
            Sorted, each once.
        """
        wanted = [(symbol, day) for symbol in symbols for day in days]

        def rows(item: tuple[str, date]) -> pl.DataFrame | None:
            found = self._file(*item, series)
            return None if found is None else self._parsed.day(*found, series, item[1])

        parts = each(rows, wanted, threads=pl.thread_pool_size(), name=self._source)
        absent: dict[date, list[str]] = {}
        for (symbol, day), part in zip(wanted, parts, strict=True):
            if part is None:
                absent.setdefault(day, []).append(symbol)
        present = [part for part in parts if part is not None]
        if not present:
            return empty(series), absent
        counts = [0 if part is None else part.height for part in parts]
        labels = pl.Series([symbol for symbol, _ in wanted]).gather(np.repeat(np.arange(len(wanted)), counts))
        return finish(pl.concat(present), labels, self._source, series), absent

    def evidence(self, symbols: Sequence[str], days: Sequence[date], series: Series) -> pl.DataFrame:
        """The files behind the klines of the days, as ``kline_sources`` rows."""
        found = (self._file(symbol, day, series) for symbol in symbols for day in days)
        # A month stands behind many days, and is one file.
        files = dict(item for item in found if item is not None)
        rows = [
            (file.symbol, file.name, held.sha256, held.size_bytes, self._source)
            for file, held in files.items()
        ]
        return pl.DataFrame(rows, schema=KLINE_SOURCES.schema, orient="row")

    def _choices(self, symbol: str, days: list[date], now_ms: int, series: Series) -> list[Choice]:
        """What to fetch for days of one month."""
        month = kline_month(series, symbol, days[0])
        daily = tuple(kline_day(series, symbol, day) for day in days)
        if len(days) >= _DAYS_WORTH_A_MONTH and end_ms(month.last_day) <= now_ms:
            return [Choice(month, otherwise=daily)]
        return [] if self._shelf.held(month) else [Choice(file) for file in daily]

    def _file(self, symbol: str, day: date, series: Series) -> tuple[ArchiveFile, Held] | None:
        """The file behind a day; None when there is none on the shelf."""
        for file in (kline_month(series, symbol, day), kline_day(series, symbol, day)):
            held = self._shelf.held(file)
            if held is not None:
                return file, held
        return None
