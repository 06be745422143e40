"""Bringing a day's klines into the lake, with all that vouches for them beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from resources.history import History, Update
from resources.repairs import Repairs, read_whole, repair
from trading.errors import BadData
from trading.instruments.calendar import Maintenance
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from trading.ports import MarketData
from warehouse.datasets.certificates import KLINE_REPAIRS, KLINE_SOURCES
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, PartitionInfo
from warehouse.schema import Dataset

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ingested:
    """A day's klines as they are to be stored, what the fetch changed, and the files behind them.

    Attributes
    ----------
    sources
        Rows of ``kline_sources``.
    """

    update: Update
    sources: pl.DataFrame

    @property
    def klines(self) -> pl.DataFrame:
        """Rows of the ``klines`` dataset."""
        return self.update.rows


class KlineIngest:
    """Fetches klines of days and keeps the record of every fetch that mattered.

    Parameters
    ----------
    source, others
        Who is asked first, and who is asked for what it lacks.
    maintenance
        Announced closures: nobody is asked about them.
    """

    def __init__(
        self,
        lake: Lake,
        source: MarketData,
        others: Sequence[MarketData] = (),
        maintenance: Sequence[Maintenance] = (),
    ) -> None:
        self.lake = lake
        self.source = source
        self.others = others
        self.maintenance = maintenance
        self._history = History(lake, KLINES)

    def fetch(self, universe: pl.DataFrame, day: date) -> Ingested:
        """Klines of a day: a closed day is fetched whole and repaired, the open day is extended.

        What is replaced and what was repaired is stored before this returns, so that no moment exists in
        which a value is gone and not remembered.

        Parameters
        ----------
        universe
            Followed symbols: columns ``symbol``, ``listed_at``, ``delisted_at``.

        Raises
        ------
        BadData
            If the day has not begun at the source.
        """
        now_ms = self.source.now_ms()
        if start_ms(day) >= now_ms:
            raise BadData(f"date {day}: the source's clock has not reached it; choose an earlier day")
        if end_ms(day) <= now_ms:
            return self._close(universe, day, now_ms)
        stored = self._history.stored(day)
        closed_ms = now_ms // MINUTE_MS * MINUTE_MS
        klines = self._extend(stored, universe["symbol"].to_list(), start_ms(day), closed_ms)
        return Ingested(Update(klines, 0, 0, False, closed_ms, False, now_ms), _no_sources())

    def record(self, day: date, ingested: Ingested, info: PartitionInfo) -> None:
        """Note the files behind a final version of the partition, and the version, once per content."""
        if not ingested.update.final:
            return
        if ingested.sources.height or self.lake.info(KLINE_SOURCES, day) is not None:
            self.lake.write(KLINE_SOURCES, day, ingested.sources)
        self._history.record(day, ingested.update, info, self.source.name)

    def _close(self, universe: pl.DataFrame, day: date, now_ms: int) -> Ingested:
        symbols, start, end = universe["symbol"].to_list(), start_ms(day), end_ms(day)
        fresh = read_whole(self.source, symbols, start, end, leave_bad=bool(self.others))
        repairs = repair(fresh, universe, day, self.others, self.maintenance, now_ms)
        if repairs.asked.height:
            asked = _joined_repairs(read_or_empty(self.lake, KLINE_REPAIRS, day), repairs)
            self.lake.write(KLINE_REPAIRS, day, asked)
        sources = self.source.evidence(symbols, start, end)
        update = self._history.update(day, repairs.klines, now_ms=now_ms, source=self.source.name)
        return Ingested(update, sources)

    def _extend(self, stored: pl.DataFrame | None, symbols: list[str], start: int, end: int) -> pl.DataFrame:
        """Add what is new; a symbol that missed an earlier extension is asked from where it stopped."""
        if stored is None or stored.is_empty():
            return self.source.klines(symbols, start, end)
        newest = stored.group_by("symbol").agg(pl.col("open_time").dt.timestamp("ms").max() + MINUTE_MS)
        resume = dict(zip(newest["symbol"], newest["open_time"], strict=True))
        front = max(resume.values())
        current = [symbol for symbol in symbols if resume.get(symbol) == front]
        lagging = [symbol for symbol in symbols if resume.get(symbol) != front]
        parts = [self.source.klines(current, front, end)]
        if lagging:
            parts.append(self.source.klines(lagging, min(resume.get(s, start) for s in lagging), end))
        fresh = pl.concat(parts)
        kept = stored.join(fresh, on=list(KLINES.key), how="anti")
        return pl.concat([kept, fresh]).sort(KLINES.key)


def read_or_empty(lake: Lake, dataset: Dataset, day: date) -> pl.DataFrame:
    """A partition, or no rows where there is none."""
    return lake.window(dataset, day, day)


def _no_sources() -> pl.DataFrame:
    return pl.DataFrame(schema=KLINE_SOURCES.schema)


def _joined_repairs(before: pl.DataFrame, repairs: Repairs) -> pl.DataFrame:
    """The newest answer to every question."""
    return pl.concat([before, repairs.asked]).unique(KLINE_REPAIRS.key, keep="last")
