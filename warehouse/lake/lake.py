"""The lake: datasets as daily Parquet partitions, each replaced atomically and never edited."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from pathlib import Path

import polars as pl

from trading.errors import BadData, FixConfiguration
from trading.model.days import days_between
from trading.model.interval import Interval
from warehouse.lake import parquet
from warehouse.lake.cache import FrameCache
from warehouse.lake.partition import PartitionInfo, PartitionMissing, day_of, folder_of, key_of, remedy
from warehouse.lake.store import LocalStore, ObjectStore, Stamp
from warehouse.lake.validation import validated
from warehouse.lake.window import WindowReader
from warehouse.schema import Dataset

__all__ = ["CACHE_BYTES", "Lake", "PartitionInfo", "PartitionMissing", "open_lake"]

#: Most bytes of partition frames that a lake keeps in memory.
CACHE_BYTES = 768 * 1024 * 1024


class Lake:
    """Datasets in ``<dataset>/[interval=<i>/]date=YYYY-MM-DD/data.parquet``.

    There are no locks: a writer owns its partition, and readers see the old file or the new one.

    Parameters
    ----------
    store
        Where the bytes are.
    cache_bytes
        Most bytes of partition frames kept in memory; 0 keeps none.
    """

    def __init__(self, store: ObjectStore, cache_bytes: int = CACHE_BYTES) -> None:
        self.store = store
        self._cache = FrameCache(cache_bytes)
        self._windows = WindowReader(store, self._cache)
        self._infos: dict[str, tuple[Stamp, PartitionInfo]] = {}
        self._checked: dict[str, Stamp] = {}

    def write(
        self, dataset: Dataset, day: date, frame: pl.DataFrame, interval: Interval | None = None
    ) -> PartitionInfo:
        """Validate, sort and store a whole partition in place of the one before.

        Returns
        -------
        PartitionInfo
            What is stored now. The same rows always give the same bytes.

        Raises
        ------
        BadData
            If the frame breaks the declaration (see `validated`); nothing is written.
        LakeFull, FixConfiguration, RetryLater
            If the store cannot take it; the partition is as it was.
        """
        key = key_of(folder_of(dataset, interval), day)
        rows = validated(dataset, day, frame)
        data = parquet.encode(dataset, rows)
        stamp = self.store.replace(key, data)
        info = parquet.describe(dataset, interval, day, self.store.uri(key), data)
        self._cache.put(key, stamp, rows)
        self._infos[key] = (stamp, info)
        return info

    def read(
        self,
        dataset: Dataset,
        day: date,
        interval: Interval | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """One partition, sorted by key.

        Raises
        ------
        PartitionMissing
            If there is none; the message gives the command that makes it.
        BadData
            If the file is damaged or in the columns of another version.
        """
        folder = folder_of(dataset, interval)
        frame = self._windows.one(dataset, folder, day)
        if frame is None:
            where = self.store.uri(key_of(folder, day))
            raise PartitionMissing(
                f"{dataset.name}{f' {interval}' if interval else ''} has no partition of {day} ({where}); "
                f"run `{remedy(day)}`"
            )
        return _chosen(dataset, frame, columns)

    def window(
        self,
        dataset: Dataset,
        first_day: date,
        last_day: date,
        interval: Interval | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.DataFrame:
        """All rows of the days from first to last, both included, by day and then by key.

        Missing days are skipped. Partitions come from memory while their files stay unchanged, so
        that moving a long window by a day costs one stat per day and one read.
        """
        days = days_between(first_day, last_day)
        frame = self._windows.read(dataset, folder_of(dataset, interval), days)
        return _chosen(dataset, frame, columns)

    def scan(
        self,
        dataset: Dataset,
        first_day: date,
        last_day: date,
        interval: Interval | None = None,
        symbols: Sequence[str] | None = None,
        columns: Sequence[str] | None = None,
    ) -> pl.LazyFrame:
        """The same rows as `window`, lazily: row groups without the symbols are not read.

        Local footers are checked here, once per version of a file, so that damage is reported with
        the file's name; on S3 a damaged file shows when the scan is collected.
        """
        folder = folder_of(dataset, interval)
        days = days_between(first_day, last_day)
        stamps = self.store.stamps([key_of(folder, day) for day in days])
        present = [
            (day, key_of(folder, day), stamp) for day, stamp in zip(days, stamps, strict=True) if stamp
        ]
        options = self.store.scan_options() if present else None
        if options is None:
            self._check_footers(dataset, present)
        frame = scan_files(dataset, [self.store.uri(key) for _, key, _ in present], options)
        if symbols is not None:
            if "symbol" not in dataset.schema:
                raise FixConfiguration(f"{dataset.name} has no symbol column: leave symbols out")
            frame = frame.filter(pl.col("symbol").is_in(list(symbols)))
        return frame if columns is None else frame.select(_known(dataset, columns))

    def days(self, dataset: Dataset, interval: Interval | None = None) -> list[date]:
        """Days that are stored, in order."""
        found = (day_of(key) for key in self.store.keys(folder_of(dataset, interval)))
        return sorted(day for day in found if day is not None)

    def info(self, dataset: Dataset, day: date, interval: Interval | None = None) -> PartitionInfo | None:
        """What a partition holds; None when there is none. The file is read once per version of it."""
        key = key_of(folder_of(dataset, interval), day)
        stamp = self.store.stamps([key])[0]
        known = self._infos.get(key)
        if stamp is None or (known and known[0] == stamp):
            return known[1] if stamp and known else None
        found = self.store.read(key)
        if found is None:
            return None
        info = parquet.describe(dataset, interval, day, self.store.uri(key), found[0])
        self._infos[key] = (found[1], info)
        return info

    def trim(self) -> None:
        """Let go of the partitions in memory that were not read since the last call.

        For a process that lives long: its windows move on, and what they left would stay for ever.
        """
        self._cache.trim()

    def _check_footers(self, dataset: Dataset, present: Sequence[tuple[date, str, Stamp]]) -> None:
        for day, key, stamp in present:
            if self._checked.get(key) != stamp:
                parquet.check_footer(dataset, day, self.store.uri(key))
                self._checked[key] = stamp


def scan_files(dataset: Dataset, uris: Sequence[str], options: dict[str, str] | None) -> pl.LazyFrame:
    """Lazy frame over files of one dataset, in the order given; empty and typed when there are none."""
    if not uris:
        return pl.LazyFrame(schema=dataset.schema)
    # The schema is given so that polars need not read a footer now that may be another file's later.
    return pl.scan_parquet(
        list(uris),
        schema=dataset.schema,
        hive_partitioning=False,
        glob=False,
        storage_options=options,
        credential_provider=None,
    )


def open_lake(
    uri: str,
    *,
    endpoint_url: str | None = None,
    region: str | None = None,
    cache_bytes: int = CACHE_BYTES,
) -> Lake:
    """The lake at a folder or at ``s3://bucket/prefix``.

    Raises
    ------
    FixConfiguration
        If the address is neither.
    """
    if uri.startswith("s3://"):
        from warehouse.lake.s3 import S3Store

        bucket, _, prefix = uri[5:].partition("/")
        if not bucket:
            raise FixConfiguration(f"lake.uri {uri!r} names no bucket; write s3://bucket/prefix")
        return Lake(S3Store(bucket, prefix, endpoint_url=endpoint_url, region=region), cache_bytes)
    if "://" in uri or not uri:
        raise FixConfiguration(f"lake.uri {uri!r} is not supported; use a folder or s3://bucket/prefix")
    return Lake(LocalStore(Path(uri)), cache_bytes)


def _known(dataset: Dataset, columns: Sequence[str]) -> list[str]:
    unknown = [name for name in columns if name not in dataset.schema]
    if unknown:
        raise BadData(
            f"{dataset.name} has no column {', '.join(unknown)}; it has {', '.join(dataset.schema)}"
        )
    return list(columns)


def _chosen(dataset: Dataset, frame: pl.DataFrame, columns: Sequence[str] | None) -> pl.DataFrame:
    return frame if columns is None else frame.select(_known(dataset, columns))
