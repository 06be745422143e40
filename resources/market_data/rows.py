"""Rows of a dataset from several answers: put together, and cut to a range of time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

import polars as pl

from warehouse.schema import Dataset


def between(frame: pl.DataFrame, time: str, start_ms: int, end_ms: int) -> pl.DataFrame:
    """Rows with ``start_ms <= time < end_ms``."""
    first, last = frame[time].min(), frame[time].max()
    if isinstance(first, datetime) and isinstance(last, datetime):
        begin, end = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (start_ms, end_ms))
        if begin <= first and last < end:
            return frame
    return frame.filter(pl.col(time).dt.epoch("ms").is_between(start_ms, end_ms, closed="left"))


def joined(frames: Iterable[pl.DataFrame], dataset: Dataset) -> pl.DataFrame:
    """One frame in the dataset's schema, sorted by its key; of equals, the earlier frame's come first."""
    parts = [frame for frame in frames if frame.height]
    return (
        pl.concat(parts).sort(dataset.key, maintain_order=True)
        if parts
        else pl.DataFrame(schema=dataset.schema)
    )
