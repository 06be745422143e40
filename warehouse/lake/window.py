"""Windows of partitions, read eagerly through a cache: what assets do thousands of times."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from itertools import count, pairwise

import polars as pl

from trading.errors import BadData
from warehouse.lake import parquet
from warehouse.lake.cache import FrameCache
from warehouse.lake.partition import key_of
from warehouse.lake.store import ObjectStore, Stamp
from warehouse.schema import Dataset

#: From this many partitions on, one parallel scan beats reading them one by one.
SCAN_FROM = 4
#: A joined window may take at most this share of the cache, lest it drive out all partitions.
WINDOW_SHARE = 0.25

_PATH = "__path"


@dataclass(frozen=True, slots=True)
class _Version:
    """One partition in one version."""

    key: str
    stamp: Stamp
    day: date


@dataclass(frozen=True, slots=True)
class _Joined:
    """A window kept as one frame: the partitions in it, and the row that each starts at."""

    versions: tuple[_Version, ...]
    starts: tuple[int, ...]
    stamp: Stamp


class WindowReader:
    """Reads runs of partitions of a store, keeping frames in a cache.

    Two kinds of frames are kept: each partition's, and the last window of each dataset. Windows
    overlap almost wholly from one call to the next (the next day of a backfill, the next bar of
    the live loop), and slicing one frame is far cheaper than joining hundreds.
    """

    def __init__(self, store: ObjectStore, cache: FrameCache) -> None:
        self._store = store
        self._cache = cache
        self._joined: dict[str, _Joined] = {}
        self._serial = count()

    def read(self, dataset: Dataset, folder: str, days: Sequence[date]) -> pl.DataFrame:
        """Rows of the given days (ascending) that are stored, by day and then by key."""
        keys = [key_of(folder, day) for day in days]
        found = zip(keys, self._store.stamps(keys), days, strict=True)
        wanted = [_Version(key, stamp, day) for key, stamp, day in found if stamp is not None]
        if not wanted:
            return pl.DataFrame(schema=dataset.schema)
        if len(wanted) == 1:
            return self._partitions(dataset, wanted)[0].clone()
        return self._window(dataset, folder, wanted).clone()

    def one(self, dataset: Dataset, folder: str, day: date) -> pl.DataFrame | None:
        """Rows of a day by key; None when it is not stored."""
        key = key_of(folder, day)
        stamp = self._store.stamps([key])[0]
        return None if stamp is None else self._partitions(dataset, [_Version(key, stamp, day)])[0].clone()

    def _window(self, dataset: Dataset, folder: str, wanted: Sequence[_Version]) -> pl.DataFrame:
        """Join partitions, taking the run that the last window shares with this one from its frame."""
        memo = self._joined.get(folder)
        frame = self._cache.get(f"{folder}*", memo.stamp) if memo else None
        first, at, length = _shared(wanted, memo.versions) if memo and frame is not None else (0, 0, 0)
        shared: list[pl.DataFrame] = []
        heights: list[int] = []
        if memo and frame is not None and length:
            bounds = memo.starts[at : at + length + 1]
            end = bounds[-1] if len(bounds) > length else frame.height
            shared = [frame.slice(bounds[0], end - bounds[0])]
            if length == len(wanted):
                return shared[0]
            heights = [after - before for before, after in pairwise([*bounds[:length], end])]
        parts = self._partitions(dataset, [*wanted[:first], *wanted[first + length :]])
        joined = pl.concat([*parts[:first], *shared, *parts[first:]], rechunk=True)
        sizes = [part.height for part in parts]
        self._keep(folder, wanted, [*sizes[:first], *heights, *sizes[first:]], joined)
        return joined

    def _keep(
        self, folder: str, versions: Sequence[_Version], heights: Sequence[int], frame: pl.DataFrame
    ) -> None:
        if frame.estimated_size() > WINDOW_SHARE * self._cache.capacity_bytes:
            return
        starts, row = [], 0
        for height in heights:
            starts.append(row)
            row += height
        stamp = (next(self._serial),)
        self._cache.put(f"{folder}*", stamp, frame)
        self._joined[folder] = _Joined(tuple(versions), tuple(starts), stamp)

    def _partitions(self, dataset: Dataset, wanted: Sequence[_Version]) -> list[pl.DataFrame]:
        """Each partition's frame, from the cache or the store."""
        frames = {version.key: self._cache.get(version.key, version.stamp) for version in wanted}
        absent = [version for version in wanted if frames[version.key] is None]
        if len(absent) >= SCAN_FROM:
            frames |= self._scanned(dataset, absent)
        for version in absent:
            if frames[version.key] is None:
                frames[version.key] = self._fetched(dataset, version)
        return [frame for frame in frames.values() if frame is not None]

    def _fetched(self, dataset: Dataset, version: _Version) -> pl.DataFrame:
        found = self._store.read(version.key)
        if found is None:
            raise BadData(f"{self._store.uri(version.key)}: deleted while it was being read; run again")
        data, stamp = found
        frame = parquet.decode(dataset, version.day, self._store.uri(version.key), data)
        self._cache.put(version.key, stamp, frame)
        return frame

    def _scanned(self, dataset: Dataset, absent: Sequence[_Version]) -> dict[str, pl.DataFrame]:
        """Frames from one parallel scan; those replaced meanwhile, or damaged, are left to `_fetched`."""
        uris = {self._store.uri(version.key): version for version in absent}
        scan = pl.scan_parquet(
            list(uris),
            schema=dataset.schema,
            hive_partitioning=False,
            glob=False,
            include_file_paths=_PATH,
            storage_options=self._store.scan_options(),
            credential_provider=None,
        )
        try:
            rows = scan.collect()
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError):
            return {}  # reading one by one names the file at fault
        after = self._store.stamps([version.key for version in absent])
        same = {version.key for version, stamp in zip(absent, after, strict=True) if stamp == version.stamp}
        runs = rows.select(pl.col(_PATH).rle()).unnest(_PATH)
        rows = rows.drop(_PATH)
        frames: dict[str, pl.DataFrame] = {}
        row = 0
        for length, uri in runs.iter_rows():
            version = uris.get(uri)
            if version is not None and version.key in same:
                # A copy: a slice would keep the whole scan in memory for as long as it is cached.
                frame = _copied(rows.slice(row, length))
                self._cache.put(version.key, version.stamp, frame)
                frames[version.key] = frame
            row += length
        return frames


def _copied(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.select(pl.all().gather(pl.int_range(pl.len())))


def _shared(now: Sequence[_Version], then: Sequence[_Version]) -> tuple[int, int, int]:
    """First run of equal versions: its start in each sequence, and its length."""
    places = {version: place for place, version in enumerate(then)}
    for first, version in enumerate(now):
        at = places.get(version)
        if at is not None:
            length = 1
            while (
                first + length < len(now)
                and at + length < len(then)
                and now[first + length] == then[at + length]
            ):
                length += 1
            return first, at, length
    return 0, 0, 0
