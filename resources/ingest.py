"""Bringing a day's klines into the lake, with all that vouches for them beside it."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from resources.repairs import Repairs, read_whole, repair
from trading.bars.revisions import merge, remembered
from trading.errors import BadData
from trading.instruments.calendar import Maintenance
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from trading.ports import MarketData
from warehouse.datasets.certificates import KLINE_REPAIRS, KLINE_REVISIONS, KLINE_SOURCES, KLINE_VERSIONS
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, PartitionInfo
from warehouse.schema import TIMESTAMP, Dataset

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ingested:
    """A day's klines as they are to be stored, and what the fetch changed.

    Attributes
    ----------
    changed, late
        Rows whose value differs from what was stored, and rows that should have been there before.
    compared
        Whether the day had closed and something was stored before, so that a difference is a correction.
    through_ms, final
        End of what the source was asked for, and whether the day had closed by then.
    fetched_at_ms
        When it was asked, by its own clock.
    """

    klines: pl.DataFrame
    changed: int
    late: int
    compared: bool
    through_ms: int
    final: bool
    fetched_at_ms: int


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

    def fetch(self, universe: pl.DataFrame, day: date) -> Ingested:
        """Klines of a day: a closed day is fetched whole and repaired, the open day is extended.

        What is replaced, repaired, and the files behind it are stored before this returns, so that no
        moment exists in which a value is gone and not remembered.

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
        before = self.lake.info(KLINES, day)
        stored = self.lake.read(KLINES, day) if before else pl.DataFrame(schema=KLINES.schema)
        if end_ms(day) > now_ms:
            closed_ms = now_ms // MINUTE_MS * MINUTE_MS
            klines = self._extend(stored, universe["symbol"].to_list(), start_ms(day), closed_ms)
            return Ingested(klines, 0, 0, False, closed_ms, False, now_ms)
        return self._close(universe, day, stored, before, now_ms)

    def record(self, day: date, ingested: Ingested, info: PartitionInfo) -> None:
        """Note a final version of the partition, once per content."""
        if not ingested.final:
            return
        versions = read_or_empty(self.lake, KLINE_VERSIONS, day)
        if versions.height and versions["sha256"][-1] == info.sha256 and versions["final"][-1]:
            return
        row = {
            "version": versions.height + 1,
            "stored_at": ingested.fetched_at_ms,
            "sha256": info.sha256,
            "rows": info.rows,
            "changed": ingested.changed,
            "late": ingested.late,
            "through": ingested.through_ms,
            "final": True,
            "source": self.source.name,
        }
        self.lake.write(KLINE_VERSIONS, day, pl.concat([versions, _version_row(row)]))

    def _close(
        self,
        universe: pl.DataFrame,
        day: date,
        stored: pl.DataFrame,
        before: PartitionInfo | None,
        now_ms: int,
    ) -> Ingested:
        symbols, start, end = universe["symbol"].to_list(), start_ms(day), end_ms(day)
        fresh = read_whole(self.source, symbols, start, end, leave_bad=bool(self.others))
        repairs = repair(fresh, universe, day, self.others, self.maintenance, now_ms)
        self._keep(KLINE_REPAIRS, day, _joined_repairs(read_or_empty(self.lake, KLINE_REPAIRS, day), repairs))
        self._keep(KLINE_SOURCES, day, self.source.evidence(symbols, start, end))
        versions = read_or_empty(self.lake, KLINE_VERSIONS, day)
        provisional = before is not None and not versions["final"].any()
        if before is None:
            return Ingested(repairs.klines, 0, 0, False, end, True, now_ms)
        reached = _reached_ms(stored, start) if provisional else end
        merged = merge(
            stored,
            repairs.klines,
            stored_before_ms=reached,
            fetched_at_ms=now_ms,
            partition_sha256=before.sha256,
        )
        if merged.replaced.height or merged.late:
            if provisional:
                self._note_provisional(day, before, reached)
            revisions = read_or_empty(self.lake, KLINE_REVISIONS, day)
            self.lake.write(KLINE_REVISIONS, day, remembered(revisions, merged.replaced))
        return Ingested(merged.klines, merged.replaced.height, merged.late, True, end, True, now_ms)

    def _note_provisional(self, day: date, before: PartitionInfo, reached_ms: int) -> None:
        """Keep the hash of the day as it stood while it was open: the final version differs from it."""
        row = {
            "version": 1,
            "stored_at": reached_ms,
            "sha256": before.sha256,
            "rows": before.rows,
            "changed": 0,
            "late": 0,
            "through": reached_ms,
            "final": False,
            "source": self.source.name,
        }
        self.lake.write(KLINE_VERSIONS, day, _version_row(row))

    def _keep(self, dataset: Dataset, day: date, rows: pl.DataFrame) -> None:
        """Store what stands beside the klines; a day that never had any gets no empty file."""
        if rows.height or self.lake.info(dataset, day) is not None:
            self.lake.write(dataset, day, rows)

    def _extend(self, stored: pl.DataFrame, symbols: list[str], start: int, end: int) -> pl.DataFrame:
        """Add what is new; a symbol that missed an earlier extension is asked from where it stopped."""
        if stored.is_empty():
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


def _reached_ms(stored: pl.DataFrame, start: int) -> int:
    newest = stored["open_time"].dt.epoch("ms").max()
    return start if newest is None else int(newest) + MINUTE_MS  # type: ignore[call-overload]


def _joined_repairs(before: pl.DataFrame, repairs: Repairs) -> pl.DataFrame:
    """The newest answer to every question."""
    return pl.concat([before, repairs.asked]).unique(KLINE_REPAIRS.key, keep="last")


def _version_row(row: dict[str, object]) -> pl.DataFrame:
    times = [pl.col(name).cast(TIMESTAMP) for name in ("stored_at", "through")]
    raw = {name: pl.Int64 if dtype == TIMESTAMP else dtype for name, dtype in KLINE_VERSIONS.schema.items()}
    return pl.DataFrame([row], schema=raw).with_columns(times)
