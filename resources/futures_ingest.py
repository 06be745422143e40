"""Fetching the series of perpetuals, with what vouches for them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from resources.history import History, Update
from resources.repairs import read_whole, repair
from trading.instruments.calendar import Maintenance
from trading.model.days import end_ms, start_ms
from trading.model.series import Series
from trading.ports import MarketData
from warehouse.datasets.certificates import KLINE_REPAIRS
from warehouse.datasets.futures import (
    FUNDING_RATES,
    INDEX_KLINES,
    MARK_KLINES,
    OPEN_INTEREST,
    PREMIUM_KLINES,
    USDM_KLINES,
)
from warehouse.datasets.futures_certificates import CERTIFIED_SERIES
from warehouse.lake.lake import Lake, PartitionInfo

#: The series that have a bar every minute, by dataset.
MINUTE_SERIES = {
    USDM_KLINES.name: Series.USDM,
    MARK_KLINES.name: Series.MARK,
    INDEX_KLINES.name: Series.INDEX,
    PREMIUM_KLINES.name: Series.PREMIUM,
}
_Read = Callable[[list[str], int, int], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Fetched:
    """A day of one series, and what the fetch changed.

    Attributes
    ----------
    files, repairs
        Rows of ``kline_sources`` and ``kline_repairs``.
    """

    update: Update
    files: pl.DataFrame
    repairs: pl.DataFrame

    @property
    def rows(self) -> pl.DataFrame:
        """Rows of the series' dataset."""
        return self.update.rows


class FuturesIngest:
    """Asks the first source for every series, and the others for minutes that it lacks; forgets nothing."""

    def __init__(
        self,
        lake: Lake,
        source: MarketData,
        others: Sequence[MarketData],
        maintenance: Sequence[Maintenance],
    ) -> None:
        self._histories = {dataset.name: History(lake, dataset) for dataset in CERTIFIED_SERIES}
        self._source = source
        self._others = others
        self._maintenance = maintenance

    def prefetch(self, name: str, contracts: Sequence[str], days: Sequence[date]) -> None:
        """Let the source bring the files of a range of days; only minutes have any that are worth it."""
        series = MINUTE_SERIES.get(name)
        if series is not None and len(days) > 1:
            self._source.prefetch(contracts, start_ms(days[0]), end_ms(days[-1]), series)

    def fetch(self, name: str, contracts: pl.DataFrame, day: date) -> Fetched:
        """A day of a series; what it replaces is remembered before this returns.

        Parameters
        ----------
        name
            Dataset of the series.
        contracts
            Columns ``symbol``, ``listed_at`` and ``delisted_at``.
        """
        now_ms = self._source.now_ms()
        if name in MINUTE_SERIES:
            rows, files, repairs = self._minutes(MINUTE_SERIES[name], contracts, day, now_ms)
        else:
            span = contracts["symbol"].to_list(), start_ms(day), end_ms(day)
            read, evidence = self._readers(name)
            rows, files, repairs = read(*span), evidence(*span), pl.DataFrame(schema=KLINE_REPAIRS.schema)
        update = self._histories[name].update(day, rows, now_ms=now_ms, source=self._source.name)
        return Fetched(update, files, repairs)

    def record(self, name: str, day: date, fetched: Fetched, info: PartitionInfo) -> None:
        """Note a final version of a series' partition, once per content."""
        self._histories[name].record(day, fetched.update, info, self._source.name)

    def _minutes(
        self, series: Series, contracts: pl.DataFrame, day: date, now_ms: int
    ) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
        """Rows of the series, and rows of ``kline_sources`` and ``kline_repairs``."""
        symbols, start, end = contracts["symbol"].to_list(), start_ms(day), end_ms(day)
        others = self._others if now_ms >= end else ()  # what an open day lacks may still come
        rows = read_whole(self._source, symbols, start, end, series, leave_bad=bool(others))
        repaired = repair(rows, contracts, day, others, self._maintenance, now_ms, series)
        files = self._source.evidence(symbols, start, end, series)
        return repaired.klines, files, repaired.asked

    def _readers(self, name: str) -> tuple[_Read, _Read]:
        """How a series that has no minutes is read, and what stands behind it."""
        source = self._source
        if name == FUNDING_RATES.name:
            return source.funding_rates, source.funding_evidence
        if name == OPEN_INTEREST.name:
            return source.open_interest, source.open_interest_evidence
        raise KeyError(f"{name} is no series of perpetuals")
