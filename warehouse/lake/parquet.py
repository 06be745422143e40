"""A partition's frame as Parquet bytes, and back."""

from __future__ import annotations

import hashlib
import io
from datetime import UTC, date, datetime, timedelta
from typing import BinaryIO

import polars as pl

from trading.errors import BadData
from trading.model.interval import Interval
from warehouse.lake.partition import PartitionInfo, PartitionOutdated, remedy
from warehouse.schema import Dataset

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_PREFIX = "tidemill."
#: Of zstd: the usual level takes a third longer to write for a twentieth of the size.
_LEVEL = 1
_BROKEN = (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, ValueError)


def fingerprint(dataset: Dataset) -> str:
    """Short hash of the stored columns and types: another one means another version of the declaration."""
    text = repr([(name, str(dtype)) for name, dtype in dataset.schema.items()])
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def encode(dataset: Dataset, frame: pl.DataFrame) -> bytes:
    """Parquet of a validated, sorted frame: equal frames give equal bytes under one polars version."""
    facts: dict[str, str] = {"schema": fingerprint(dataset), "rows": str(frame.height)}
    if "symbol" in frame.columns:
        facts["symbols"] = str(frame["symbol"].n_unique())
    if dataset.time_column is not None and frame.height:
        times = frame[dataset.time_column].to_physical()
        facts["min_time_ms"], facts["max_time_ms"] = str(times.min()), str(times.max())
    buffer = io.BytesIO()
    frame.write_parquet(
        buffer,
        compression="zstd",
        compression_level=_LEVEL,
        statistics=True,
        row_group_size=dataset.rows_per_group,
        metadata={_PREFIX + name: value for name, value in facts.items()},
    )
    return buffer.getvalue()


def decode(dataset: Dataset, day: date, uri: str, data: bytes) -> pl.DataFrame:
    """Frame of a partition's bytes, in the declared columns.

    Raises
    ------
    BadData
        If the bytes are not Parquet, or were written by another version of the declaration.
    """
    try:
        frame = pl.read_parquet(io.BytesIO(data), hive_partitioning=False)
    except _BROKEN as error:
        raise corrupt(uri, day, error) from error
    if frame.schema != pl.Schema(dataset.schema):
        raise _outdated(dataset, day, uri)
    return frame


def check_footer(dataset: Dataset, day: date, uri: str) -> None:
    """Read a local file's footer only; BadData if it is damaged or in another version's columns."""
    try:
        facts = _facts(uri)
        if "schema" not in facts and pl.read_parquet_schema(uri) == pl.Schema(dataset.schema):
            return
    except _BROKEN as error:
        raise corrupt(uri, day, error) from error
    if facts.get("schema") != fingerprint(dataset):
        raise _outdated(dataset, day, uri)


def describe(dataset: Dataset, interval: Interval | None, day: date, uri: str, data: bytes) -> PartitionInfo:
    """What is in a partition, from the footer that `encode` wrote (or the rows, for a foreign file)."""
    try:
        facts = _facts(io.BytesIO(data))
    except _BROKEN as error:
        raise corrupt(uri, day, error) from error
    if "rows" not in facts:
        frame = decode(dataset, day, uri, data)
        facts = _facts(io.BytesIO(encode(dataset, frame)))
    return PartitionInfo(
        dataset=dataset.name,
        interval=interval,
        day=day,
        uri=uri,
        rows=int(facts["rows"]),
        size_bytes=len(data),
        sha256=hashlib.sha256(data).hexdigest(),
        min_time=_moment(facts.get("min_time_ms")),
        max_time=_moment(facts.get("max_time_ms")),
        symbols=int(facts["symbols"]) if "symbols" in facts else None,
    )


def corrupt(uri: str, day: date, error: BaseException) -> BadData:
    """The error for a file that is not readable Parquet."""
    reason = (str(error).splitlines() or [type(error).__name__])[0]
    return BadData(f"{uri}: not readable Parquet ({reason}); delete the file and run `{remedy(day)}`")


def _facts(source: str | BinaryIO) -> dict[str, str]:
    metadata = pl.read_parquet_metadata(source)
    return {key[len(_PREFIX) :]: value for key, value in metadata.items() if key.startswith(_PREFIX)}


def _moment(milliseconds: str | None) -> datetime | None:
    return None if milliseconds is None else _EPOCH + timedelta(milliseconds=int(milliseconds))


def _outdated(dataset: Dataset, day: date, uri: str) -> PartitionOutdated:
    return PartitionOutdated(
        f"{uri}: its columns are not those that {dataset.name} declares now; run `{remedy(day)}` to rebuild it"
    )
