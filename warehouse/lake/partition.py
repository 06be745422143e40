"""A partition of a dataset: where it lies, what is in it, and the error when it is not there."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from trading.errors import BadData, FixConfiguration
from trading.model.interval import Interval
from warehouse.schema import Dataset

#: The one file of a partition.
FILE = "data.parquet"


class PartitionMissing(BadData):
    """A partition was asked for that the lake does not hold."""


class PartitionOutdated(BadData):
    """A partition is in the columns of another version of its declaration: it must be made anew."""


@dataclass(frozen=True, slots=True)
class PartitionInfo:
    """What one stored partition holds.

    Attributes
    ----------
    dataset
        Name of the dataset.
    interval
        Bar interval; None for a dataset that has none.
    day
        The UTC day.
    uri
        Path or s3:// address of the file.
    rows
        Number of rows; 0 is a day on which nothing happened, unlike a missing partition.
    size_bytes
        Size of the Parquet file.
    sha256
        SHA-256 of the file's bytes, 64 hex digits.
    min_time, max_time
        First and last value of the dataset's time column, UTC; None without rows or time column.
    symbols
        Number of distinct symbols; None for a dataset without a symbol column.
    """

    dataset: str
    interval: Interval | None
    day: date
    uri: str
    rows: int
    size_bytes: int
    sha256: str
    min_time: datetime | None
    max_time: datetime | None
    symbols: int | None


def folder_of(dataset: Dataset, interval: Interval | None) -> str:
    """Key prefix of a dataset's partitions, ending in a slash.

    Raises
    ------
    FixConfiguration
        If the interval is missing, or is not one that the dataset is stored for.
    """
    stored = ", ".join(dataset.intervals) or "none"
    if interval is None:
        if dataset.intervals:
            raise FixConfiguration(f"{dataset.name}: interval is missing; give one of {stored}")
        return f"{dataset.name}/"
    if interval not in dataset.intervals:
        raise FixConfiguration(f"{dataset.name}: interval {interval!s} is not stored; stored are {stored}")
    return f"{dataset.name}/interval={interval!s}/"


def key_of(folder: str, day: date) -> str:
    """Key of the file of a day."""
    return f"{folder}date={day.isoformat()}/{FILE}"


def day_of(key: str) -> date | None:
    """The day that a key belongs to; None for a key that is not a partition's."""
    parent, _, file = key.rpartition("/")
    name = parent.rpartition("/")[2]
    if file != FILE or not name.startswith("date="):
        return None
    try:
        return date.fromisoformat(name[5:])
    except ValueError:
        return None


def remedy(day: date) -> str:
    """The command that makes a day's partitions anew."""
    return f"tidemill backfill --from {day} --to {day}"
