"""Planned faults of the archive: bad files, and klines that differ from what REST says."""

from __future__ import annotations

import fnmatch
import hashlib
from collections import Counter
from datetime import date

import polars as pl

from apps.sandbox.archive.names import daily_klines_path
from apps.sandbox.settings import ArchiveFault, FaultSettings
from trading.model.series import Series
from trading.simulation.moments import moment_named

_RAISED = 1.25


class ArchiveFaults:
    """Decides which files and minutes the planned faults hit; equal settings hit the same ones."""

    def __init__(self, settings: FaultSettings) -> None:
        self._seed = settings.seed
        self._faults = settings.archive
        self._after = {
            fault: moment_named(fault.after, "faults.archive.after") for fault in self._faults if fault.after
        }
        self._served: Counter[tuple[ArchiveFault, str]] = Counter()

    def serving(self, kind: str, path: str) -> bool:
        """Whether a file that is served now is bad; counts towards the fault's ``times``."""
        for fault in self._hitting(kind, path):
            self._served[fault, path] += 1
            if not fault.times or self._served[fault, path] <= fault.times:
                return True
        return False

    def archived(
        self, minutes: pl.DataFrame, series: Series, symbol: str, day: date, now_ms: int
    ) -> pl.DataFrame:
        """A day's klines as the archive has them."""
        path = daily_klines_path(series, symbol, day)
        for fault in self._hitting("corrected", path):
            if now_ms >= self._after.get(fault, 0):
                minutes = _changed(minutes, *self._minutes(fault, path, minutes))
        for fault in self._hitting("missing_minutes", path):
            first, count = self._minutes(fault, path, minutes)
            minutes = pl.concat([minutes.head(first), minutes.slice(first + count)])
        return minutes

    def provisional(self, minutes: pl.DataFrame, series: Series, symbol: str, day: date) -> pl.DataFrame:
        """A day's klines as REST has them before the archive is published."""
        path = daily_klines_path(series, symbol, day)
        for fault in self._hitting("provisional", path):
            minutes = _changed(minutes, *self._minutes(fault, path, minutes))
        return minutes

    def state(self, now_ms: int) -> tuple[ArchiveFault, ...]:
        """Corrections in force at a moment; a file remembered under others is stale."""
        return tuple(fault for fault, after_ms in self._after.items() if now_ms >= after_ms)

    def _hitting(self, kind: str, path: str) -> list[ArchiveFault]:
        return [
            fault
            for fault in self._faults
            if fault.kind == kind
            and fnmatch.fnmatchcase(path, fault.files)
            and self._draw(fault, path, "file") < fault.share
        ]

    def _minutes(self, fault: ArchiveFault, path: str, minutes: pl.DataFrame) -> tuple[int, int]:
        """First row and number of rows that a fault hits; the first and last hour are left alone."""
        room = max(1, minutes.height - fault.minutes - 120)
        return min(60, minutes.height // 2) + int(self._draw(fault, path, "minute") * room), fault.minutes

    def _draw(self, fault: ArchiveFault, path: str, purpose: str) -> float:
        text = f"{self._seed}/{fault.kind}/{purpose}/{path}"
        digest = hashlib.blake2b(text.encode(), digest_size=6).digest()
        return int.from_bytes(digest) / 2**48


def _changed(minutes: pl.DataFrame, first: int, count: int) -> pl.DataFrame:
    """The klines with other closes and volumes in some rows, still plausible ones."""
    row = pl.int_range(pl.len())
    hit = (row >= first) & (row < first + count)
    other = pl.when(pl.col("close") < pl.col("high")).then("high").otherwise("low")
    raised = ((pl.col(name) * _RAISED).round(8).alias(name) for name in ("volume", "quote_volume"))
    changed = minutes.with_columns(other.alias("close"), *raised)
    return minutes.with_columns(
        pl.when(hit).then(changed[name]).otherwise(pl.col(name)).alias(name)
        for name in ("close", "volume", "quote_volume")
    )
