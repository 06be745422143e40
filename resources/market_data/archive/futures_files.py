"""Funding and open interest from archive files."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import date

import polars as pl

from resources.market_data.archive.download import Choice, Downloader
from resources.market_data.archive.futures_csv import read_funding, read_open_interest
from resources.market_data.archive.layout import ArchiveFile, funding_month, metrics_day
from resources.market_data.archive.shelf import Shelf, sources_of
from resources.market_data.archive.zips import csv_inside
from resources.market_data.rows import joined
from trading.model.days import end_ms
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST

_Read = Callable[[bytes, ArchiveFile, str], pl.DataFrame]
_Name = Callable[[str, date], ArchiveFile]


class FuturesFiles:
    """Monthly files of funding and daily files of open interest.

    Parameters
    ----------
    source
        What the ``source`` column says.
    """

    def __init__(self, shelf: Shelf, downloader: Downloader, *, source: str) -> None:
        self._shelf = shelf
        self._downloader = downloader
        self._source = source

    def funding(
        self, symbols: Sequence[str], months: Iterable[date], now_ms: int
    ) -> tuple[pl.DataFrame, dict[date, list[str]]]:
        """Funding of months (named by their first days), and by month the symbols without a file."""
        found, absent = self._read(symbols, months, now_ms, funding_month, read_funding)
        return joined(found, FUNDING_RATES), absent

    def open_interest(
        self, symbols: Sequence[str], days: Iterable[date], now_ms: int
    ) -> tuple[pl.DataFrame, dict[date, list[str]]]:
        """Open interest of days, and by day the symbols without a file.

        A count at midnight is in the file of the day that it ends, or that it begins, or in both.
        """
        found, absent = self._read(symbols, days, now_ms, metrics_day, read_open_interest)
        return joined(found, OPEN_INTEREST).unique(
            OPEN_INTEREST.key, keep="last", maintain_order=True
        ), absent

    def funding_evidence(self, symbols: Sequence[str], months: Iterable[date]) -> pl.DataFrame:
        """The files behind the funding of months that are on the shelf, as ``kline_sources`` rows."""
        return self._evidence([funding_month(symbol, month) for month in months for symbol in symbols])

    def open_interest_evidence(self, symbols: Sequence[str], days: Iterable[date]) -> pl.DataFrame:
        """The files behind the open interest of days that are on the shelf, as ``kline_sources`` rows."""
        return self._evidence([metrics_day(symbol, day) for day in days for symbol in symbols])

    def _evidence(self, files: Iterable[ArchiveFile]) -> pl.DataFrame:
        return sources_of(((file, self._shelf.held(file)) for file in files), self._source)

    def _read(
        self, symbols: Sequence[str], dates: Iterable[date], now_ms: int, name: _Name, read: _Read
    ) -> tuple[list[pl.DataFrame], dict[date, list[str]]]:
        wanted = [(symbol, day, name(symbol, day)) for day in dates for symbol in symbols]
        over = [Choice(file) for _, _, file in wanted if end_ms(file.last_day) <= now_ms]
        self._downloader.fetch(over)
        found: list[pl.DataFrame] = []
        absent: dict[date, list[str]] = {}
        for symbol, day, file in wanted:
            held = self._shelf.held(file)
            if held is None:
                absent.setdefault(day, []).append(symbol)
            else:
                found.append(read(csv_inside(held.path.read_bytes(), file), file, self._source))
        return found, absent
