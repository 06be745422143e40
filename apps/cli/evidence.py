"""What stood behind a decision on a symbol: its view, bars, certificates, ratings by component, and the model.

The view is what the snapshot kept. The rest is read from the lake as it is now; a part whose partition has
another hash than the snapshot noted says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl

from apps.cli.rating.report import Component, components_of
from resources.models.artifact import Manifest, find_manifest
from trading.model.days import day_at
from trading.model.interval import RESAMPLED, Interval
from trading.model.snapshot import Snapshot, SymbolView
from warehouse.datasets.certificates import GAP_KINDS, KLINE_CERTIFICATES
from warehouse.datasets.market import BARS
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake
from warehouse.schema import Dataset


@dataclass(frozen=True, slots=True)
class BarRead:
    """The newest bar of an interval at the decision; ``as_read`` says whether its partition is unchanged."""

    interval: str
    close_time: datetime
    open: float
    high: float
    low: float
    close: float
    volume: float
    as_read: bool


@dataclass(frozen=True, slots=True)
class CertificateRead:
    """What vouches for the symbol's klines of a day; ``missing`` holds minutes by the class of hole."""

    day: date
    status: str
    reason: str
    expected: int
    observed: int
    zero_volume: int
    missing: dict[str, int]
    second_source: str | None
    agreement: float | None
    klines_sha256: str


@dataclass(frozen=True, slots=True)
class RatingRead:
    """Ratings of the newest bar of an interval in -1..1, with every component's vote and value."""

    interval: str
    rating: float | None
    moving_averages: float | None
    oscillators: float | None
    label: str | None
    components: tuple[Component, ...]
    as_read: bool


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of it; a part is empty or None where the lake no longer has it, or the desk had no such input."""

    view: SymbolView | None
    bars: tuple[BarRead, ...]
    certificates: tuple[CertificateRead, ...]
    ratings: tuple[RatingRead, ...]
    model: Manifest | None


def gather(lake: Lake, promoted_models: Path, snapshot: Snapshot, symbol: str) -> Evidence:
    """The evidence behind a tick's decisions on a symbol."""
    view = snapshot.symbols.get(symbol)
    # What is known of a contract is known of its pair.
    reader = _Reader(lake, snapshot, (view.spot_symbol if view is not None else "") or symbol)
    return Evidence(
        view=view,
        bars=tuple(bar for interval in RESAMPLED if (bar := reader.bar(interval))),
        certificates=reader.certificates(),
        ratings=tuple(rating for interval in RESAMPLED if (rating := reader.rating(interval))),
        model=None if view is None else find_manifest(promoted_models, view.confidence_model),
    )


@dataclass(frozen=True, slots=True)
class _Reader:
    lake: Lake
    snapshot: Snapshot
    symbol: str

    def bar(self, interval: Interval) -> BarRead | None:
        row, as_read = self._newest(BARS, interval)
        if row is None:
            return None
        values = {name: row[name] for name in ("close_time", "open", "high", "low", "close", "volume")}
        return BarRead(interval=interval.value, **values, as_read=as_read)

    def rating(self, interval: Interval) -> RatingRead | None:
        row, as_read = self._newest(SCREENER_RATINGS, interval)
        if row is None:
            return None
        values, _ = self._newest(INDICATORS, interval, as_of=SCREENER_RATINGS)
        if values is None or values["open_time"] != row["open_time"]:
            return None
        names = ("rating", "moving_averages", "oscillators", "label")
        return RatingRead(
            interval=interval.value,
            **{name: row[name] for name in names},
            components=components_of(row, values),
            as_read=as_read,
        )

    def certificates(self) -> tuple[CertificateRead, ...]:
        """Those of the days whose 15-minute bars the snapshot read."""
        found = []
        for day in self._days_read(BARS, Interval.M15):
            if self.lake.info(KLINE_CERTIFICATES, day) is None:
                continue
            rows = self.lake.read(KLINE_CERTIFICATES, day).filter(pl.col("symbol") == self.symbol)
            found += [_certificate(day, row) for row in rows.iter_rows(named=True)]
        return tuple(found)

    def _newest(
        self, dataset: Dataset, interval: Interval, as_of: Dataset | None = None
    ) -> tuple[dict[str, Any] | None, bool]:
        """Newest row that was known at the decision, and whether its partition is what the tick read.

        Looked for on the days that the tick read of the dataset, or of ``as_of``, which is made from it.
        """
        days = self._days_read(as_of or dataset, interval)
        if not days:
            return None, False
        rows = (
            self.lake.scan(dataset, days[0], days[-1], interval)
            .filter(
                pl.col("symbol") == self.symbol,
                pl.col("close_time").dt.timestamp("ms") <= self.snapshot.bar_close_ms,
            )
            .sort("close_time")
            .tail(1)
            .collect()
        )
        if rows.is_empty():
            return None, False
        row = rows.row(0, named=True)
        day = day_at(int(row["open_time"].timestamp() * 1000))
        info = self.lake.info(dataset, day, interval)
        noted = self.snapshot.sources.get(f"{_folder(dataset, interval)}{day}")
        return row, info is not None and info.sha256 == noted

    def _days_read(self, dataset: Dataset, interval: Interval) -> list[date]:
        folder = _folder(dataset, interval)
        noted = self.snapshot.sources
        return sorted(
            date.fromisoformat(name.removeprefix(folder)) for name in noted if name.startswith(folder)
        )


def _folder(dataset: Dataset, interval: Interval) -> str:
    """How snapshots name the partitions of a dataset, up to the day."""
    return f"{dataset.name}/interval={interval.value}/date="


def _certificate(day: date, row: dict[str, Any]) -> CertificateRead:
    missing = {kind: row[f"{kind}_minutes"] for kind in GAP_KINDS if row[f"{kind}_minutes"]}
    kept = ("status", "reason", "expected", "observed", "zero_volume", "second_source", "agreement")
    return CertificateRead(
        day=day, missing=missing, klines_sha256=row["klines_sha256"], **{name: row[name] for name in kept}
    )
