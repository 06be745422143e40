"""What a dataset's partitions were: every final version, and every value that gave way to another."""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from trading.bars.revisions import KLINE, Subject, merge, remembered
from trading.model.days import end_ms, start_ms
from trading.model.interval import MINUTE_MS
from warehouse.datasets.certificates import KLINE_REVISIONS, KLINE_VERSIONS
from warehouse.datasets.futures_history import FUTURES_REVISIONS, FUTURES_VERSIONS, SUBJECTS
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake, PartitionInfo
from warehouse.lake.partition import PartitionMissing, PartitionOutdated
from warehouse.schema import TIMESTAMP, Dataset

_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Update:
    """A day's rows as they are to be stored, and what the fetch changed.

    Attributes
    ----------
    rows
        Rows of the dataset.
    changed, late
        Rows whose value differs from what was stored, and rows that should have been there before.
    compared
        Whether something was stored before, so that a difference is a correction.
    through_ms, final
        End of what the source was asked for, and whether the day had closed by then.
    fetched_at_ms
        When it was asked, by its own clock.
    """

    rows: pl.DataFrame
    changed: int
    late: int
    compared: bool
    through_ms: int
    final: bool
    fetched_at_ms: int

    @property
    def revised(self) -> int:
        """Rows that were corrected, in value or by being there."""
        return self.changed + self.late

    def without_rows(self) -> Update:
        """The same for who only counts: a backfill has many days."""
        return replace(self, rows=self.rows.clear())


class History:
    """Versions and replaced values of one dataset.

    Parameters
    ----------
    dataset
        ``klines``, or a series of perpetuals: these share their datasets of versions and of revisions.
    """

    def __init__(self, lake: Lake, dataset: Dataset) -> None:
        self._lake = lake
        self._dataset = dataset
        self._shared = dataset is not KLINES
        self._subject = SUBJECTS[dataset.name] if self._shared else KLINE
        self._versions = FUTURES_VERSIONS if self._shared else KLINE_VERSIONS
        self._revisions = FUTURES_REVISIONS if self._shared else KLINE_REVISIONS

    @property
    def subject(self) -> Subject:
        """What the rows of the dataset say."""
        return self._subject

    def versions(self, day: date) -> pl.DataFrame:
        """Versions of a day's partition, oldest first: rows of the ``kline_versions`` dataset."""
        return self._own(self._lake.window(self._versions, day, day))

    def revisions(self, first_day: date, last_day: date) -> pl.DataFrame:
        """Replaced values of the days, in the columns that `trading.bars.revisions.merge` gives them."""
        rows = self._own(self._lake.window(self._revisions, first_day, last_day))
        if not self._shared:
            return rows
        ours = [*self._subject.key, "known_until", *self._subject.told]
        named = rows.rename({"time": self._subject.time})
        return named.select(*ours, "source", "known_at", "partition_sha256", "replaced_by")

    def stored(self, day: date) -> pl.DataFrame | None:
        """The day's partition; None where there is none, or one in the columns of another version.

        What such a partition held cannot be compared, and is made anew.
        """
        try:
            return self._lake.read(self._dataset, day)
        except PartitionMissing:
            return None
        except PartitionOutdated as error:
            _LOG.warning("%s", error)
            return None

    def update(self, day: date, fresh: pl.DataFrame, *, now_ms: int, source: str) -> Update:
        """Put what was fetched in place of what is stored of a day.

        What gives way is stored before this returns, so that no moment exists in which a value is gone and
        not remembered.

        Parameters
        ----------
        fresh
            All that the source has of the day.
        now_ms, source
            The source's clock before it was asked, and its name.
        """
        end = end_ms(day)
        through, final = min(end, now_ms // MINUTE_MS * MINUTE_MS), now_ms >= end
        stored = self.stored(day)
        before = None if stored is None else self._lake.info(self._dataset, day)
        if stored is None or before is None:
            return Update(fresh, 0, 0, False, through, final, now_ms)
        provisional = not self.versions(day)["final"].any()
        reached = self._reached_ms(stored, day) if provisional else end
        merged = merge(
            stored,
            fresh,
            stored_before_ms=reached,
            fetched_at_ms=now_ms,
            partition_sha256=before.sha256,
            subject=self._subject,
        )
        update = Update(merged.rows, merged.replaced.height, merged.late, True, through, final, now_ms)
        if update.revised:
            if provisional:
                as_it_stood = Update(stored, 0, 0, False, reached, False, reached)
                self._note(day, as_it_stood, before, source)
            self._remember(day, merged.replaced)
        return update

    def record(self, day: date, update: Update, info: PartitionInfo, source: str) -> None:
        """Note a final version of the partition, once per content."""
        if update.final:
            self._note(day, update, info, source)

    def _note(self, day: date, update: Update, info: PartitionInfo, source: str) -> None:
        versions = self.versions(day)
        if versions.height and versions.select("sha256", "final").row(-1) == (info.sha256, update.final):
            return
        row = {
            "version": versions.height + 1,
            "stored_at": update.fetched_at_ms,
            "sha256": info.sha256,
            "rows": info.rows,
            "changed": update.changed,
            "late": update.late,
            "through": update.through_ms,
            "final": update.final,
            "source": source,
        }
        self._replace(self._versions, day, pl.concat([versions, _version_row(row)]))

    def _remember(self, day: date, replaced: pl.DataFrame) -> None:
        rows = remembered(self.revisions(day, day), replaced, self._subject)
        if self._shared:
            rows = rows.rename({self._subject.time: "time"})
        self._replace(self._revisions, day, rows)

    def _own(self, rows: pl.DataFrame) -> pl.DataFrame:
        return rows.filter(pl.col("series") == self._dataset.name).drop("series") if self._shared else rows

    def _replace(self, dataset: Dataset, day: date, own: pl.DataFrame) -> None:
        """Store this dataset's rows, leaving those of the other series as they are."""
        if not self._shared:
            self._lake.write(dataset, day, own)
            return
        rows = own.with_columns(pl.lit(self._dataset.name).alias("series"))
        absent = [pl.lit(None, kind).alias(n) for n, kind in dataset.schema.items() if n not in rows.columns]
        others = self._lake.window(dataset, day, day).filter(pl.col("series") != self._dataset.name)
        self._lake.write(
            dataset, day, pl.concat([others, rows.with_columns(absent).select(list(dataset.schema))])
        )

    def _reached_ms(self, stored: pl.DataFrame, day: date) -> int:
        """End of what had been asked for while the day was open, as far as its rows tell."""
        newest = stored.select(pl.col(self._subject.time).dt.epoch("ms").max()).item()
        step_ms = MINUTE_MS if self._subject.time == "open_time" else 1
        return start_ms(day) if newest is None else int(newest) + step_ms


def _version_row(row: dict[str, object]) -> pl.DataFrame:
    times = [pl.col(name).cast(TIMESTAMP) for name in ("stored_at", "through")]
    raw = {name: pl.Int64 if dtype == TIMESTAMP else dtype for name, dtype in KLINE_VERSIONS.schema.items()}
    return pl.DataFrame([row], schema=raw).with_columns(times)
