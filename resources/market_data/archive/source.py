"""Archive files as a source: the fast path for history, with REST for what is not published."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from datetime import date, timedelta
from pathlib import Path

import polars as pl

from resources.market_data.archive.download import Downloader, Report
from resources.market_data.archive.futures_files import FuturesFiles
from resources.market_data.archive.kline_files import KlineFiles
from resources.market_data.archive.layout import month_of
from resources.market_data.archive.shelf import Shelf
from resources.market_data.binance.futures import OPEN_INTEREST_DAYS
from resources.market_data.binance.source import BinanceMarketData
from resources.market_data.columns import DATASETS
from resources.market_data.rows import between, joined
from resources.market_data.settings import ArchiveSettings
from resources.market_data.surroundings import Surroundings
from trading.errors import BadData
from trading.model.days import day_at, days_between
from trading.model.days import end_ms as end_of
from trading.model.days import start_ms as start_of
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Market, Series
from warehouse.datasets.futures import FUNDING_RATES, OPEN_INTEREST


class ArchiveMarketData:
    """Verified zips where they are published, REST where not (today, usually).

    Rows of a zip have the source ``archive``, the others that of the REST source.

    Parameters
    ----------
    rest
        Source of instruments, of the time, and of what the archive does not have yet.
    """

    name = "archive"

    def __init__(
        self, settings: ArchiveSettings, rest: BinanceMarketData, surroundings: Surroundings | None = None
    ) -> None:
        self.rest = rest
        shelf = Shelf(Path(settings.cache_folder) if settings.cache_folder else None)
        downloader = Downloader(settings, shelf, surroundings or Surroundings())
        self._klines = KlineFiles(
            shelf, downloader, source=self.name, parsed_bytes=settings.parsed_megabytes * 1024 * 1024
        )
        self._futures = FuturesFiles(shelf, downloader, source=self.name)
        self._seen_ms = 0
        self._brought: tuple[list[str], list[date], Series] | None = None

    def now_ms(self) -> int:
        """The venue's server time."""
        return self.rest.now_ms()

    def instruments(self, market: Market = Market.SPOT) -> list[Instrument]:
        """Every instrument that the venue trades now."""
        return self.rest.instruments(market)

    def listed_at_ms(self, symbols: Sequence[str]) -> dict[str, int | None]:
        """Open time of each spot symbol's first kline."""
        return self.rest.listed_at_ms(symbols)

    def daily_volumes(self, symbols: Sequence[str], first_day: date, last_day: date) -> pl.DataFrame:
        """Traded value of each closed UTC day, from the venue's daily klines over REST."""
        return self.rest.daily_volumes(symbols, first_day, last_day)

    def klines(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """Closed one-minute klines with ``start_ms <= open_time < end_ms``.

        Raises
        ------
        BadData
            If a file contradicts its checksum twice, or cannot be read: names the file.
        RetryLater
            If the archive cannot be reached.
        """
        now_ms = self._time_after(end_ms)
        closed_ms = min(end_ms, now_ms // MINUTE_MS * MINUTE_MS)
        names, days = sorted(set(symbols)), _days(start_ms, closed_ms)
        self._klines.fetch(names, days, now_ms, series)
        self._brought = names, days, series
        archived, absent = self._klines.read(names, days, series)
        rest = [
            self.rest.klines(missing, *_overlap(day, day, start_ms, closed_ms), series)
            for day, missing in absent.items()
        ]
        rows = joined([archived, *rest], DATASETS[series]) if rest else archived
        return between(rows, "open_time", start_ms, closed_ms)

    def prefetch(
        self,
        symbols: Sequence[str],
        start_ms: int,
        end_ms: int,
        series: Series = Series.SPOT,
        report: Report | None = None,
    ) -> None:
        """Begin to download what `klines` will read of the range, day after day.

        Months come whole where much of one is wanted. The download goes on in the background, and
        `klines` waits for the files of its days only; what fails, fails there.
        """
        now_ms = self.now_ms()
        days = _days(start_ms, min(end_ms, now_ms))
        self._brought = None
        self._klines.fetch_ahead(sorted(set(symbols)), days, now_ms, series, report)

    def evidence(
        self, symbols: Sequence[str], start_ms: int, end_ms: int, series: Series = Series.SPOT
    ) -> pl.DataFrame:
        """The zips that `klines` reads of the days, with the checksums that they were verified against."""
        now_ms = self._time_after(end_ms)
        names, days = sorted(set(symbols)), _days(start_ms, min(end_ms, now_ms))
        if self._brought != (names, days, series):  # as a rule, `klines` has just brought them
            with suppress(BadData):
                self._klines.fetch(names, days, now_ms, series)
        return self._klines.evidence(names, days, series)

    def funding_rates(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Funding with ``start_ms <= funding_time < end_ms``: months that are over, then REST."""
        now_ms = self.now_ms()
        months = sorted({month_of(day)[0] for day in _days(start_ms, end_ms)})
        archived, absent = self._futures.funding(sorted(set(symbols)), months, now_ms)
        rest = [
            self.rest.funding_rates(missing, *_overlap(*month_of(month), start_ms, end_ms))
            for month, missing in absent.items()
            if start_of(month) <= now_ms
        ]
        return between(joined([archived, *rest], FUNDING_RATES), "funding_time", start_ms, end_ms)

    def open_interest(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """Open interest with ``start_ms <= time < end_ms``: days that are over, then REST.

        A day that is not published and older than REST reaches back is absent.
        """
        now_ms = self.now_ms()
        days = _days(start_ms, min(end_ms, now_ms))
        # The count at the first midnight may stand in the file of the day before.
        before = [days[0] - timedelta(days=1)] if days else []
        archived, absent = self._futures.open_interest(sorted(set(symbols)), [*before, *days], now_ms)
        reach_ms = now_ms - OPEN_INTEREST_DAYS * DAY_MS + MINUTE_MS
        rest = []
        for day in days:
            begin_ms, until_ms = _overlap(day, day, max(start_ms, reach_ms), min(end_ms, now_ms))
            if day in absent and begin_ms < until_ms:
                rest.append(self.rest.open_interest(absent[day], begin_ms, until_ms))
        rows = joined([archived, *rest], OPEN_INTEREST)
        rows = rows.unique(OPEN_INTEREST.key, keep="first", maintain_order=True)
        return between(rows, "time", start_ms, end_ms)

    def funding_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """The monthly zips that `funding_rates` has read of the range, as ``kline_sources`` rows."""
        months = sorted({month_of(day)[0] for day in _days(start_ms, end_ms)})
        return self._futures.funding_evidence(sorted(set(symbols)), months)

    def open_interest_evidence(self, symbols: Sequence[str], start_ms: int, end_ms: int) -> pl.DataFrame:
        """The daily zips that `open_interest` has read of the range, as ``kline_sources`` rows."""
        days = _days(start_ms, end_ms)
        before = [days[0] - timedelta(days=1)] if days else []
        return self._futures.open_interest_evidence(sorted(set(symbols)), [*before, *days])

    def _time_after(self, moment_ms: int) -> int:
        """The venue's time, asked for only while it is not known to be past a moment."""
        if self._seen_ms < moment_ms:
            self._seen_ms = self.now_ms()
        return self._seen_ms

    def close(self) -> None:
        """Close the connections."""
        self.rest.close()


def _days(first_ms: int, until_ms: int) -> list[date]:
    """UTC days of a range of moments; none when it is empty."""
    return days_between(day_at(first_ms), day_at(until_ms - 1)) if first_ms < until_ms else []


def _overlap(first_day: date, last_day: date, first_ms: int, until_ms: int) -> tuple[int, int]:
    """The part of a range of moments that lies in a range of days."""
    return max(start_of(first_day), first_ms), min(end_of(last_day), until_ms)
