"""Longer bars made of a file's own."""

from __future__ import annotations

import polars as pl

from apps.cli.bars.spacing import UNITS_MS, interval_text, usual_spacing
from trading.errors import BadData

#: 1970-01-01 was a Thursday; weeks start on Monday.
_MONDAY_MS = 4 * UNITS_MS["d"]


def at_interval(bars: pl.DataFrame, wanted_ms: int | None, name: str) -> tuple[pl.DataFrame, int]:
    """Bars of the wanted length with their ``close_time``, and that length; whole bars only.

    Raises
    ------
    BadData
        If the wanted length is neither the bars' own nor a multiple of it.
    """
    own_ms = usual_spacing(bars) or wanted_ms
    if own_ms is None:
        raise BadData(f"{name}: one bar tells no interval; name it with --interval")
    length_ms = wanted_ms or own_ms
    if length_ms % own_ms:
        raise BadData(
            f"{name}: has bars of {interval_text(own_ms)}, of which bars of {interval_text(length_ms)} cannot be "
            f"made; ask for {interval_text(own_ms)} or a multiple of it"
        )
    if length_ms > own_ms:
        bars = _merge(bars, own_ms, length_ms)
        if bars.is_empty():
            raise BadData(f"{name}: is too short to hold a whole bar of {interval_text(length_ms)}")
    return bars.with_columns(
        (pl.col("open_time") + pl.duration(milliseconds=length_ms)).alias("close_time")
    ), length_ms


def _merge(bars: pl.DataFrame, own_ms: int, length_ms: int) -> pl.DataFrame:
    """Longer bars aligned to midnight UTC (weeks to Monday), but for those that the file holds only in part."""
    opened = pl.col("open_time").dt.epoch("ms")
    shift = _MONDAY_MS if length_ms % UNITS_MS["w"] == 0 else 0
    start = (opened - shift) // length_ms * length_ms + shift
    known_from, known_until = opened.min().over("symbol"), (opened.max() + own_ms).over("symbol")
    return (
        bars.with_columns(start.alias("_start"), known_from.alias("_from"), known_until.alias("_until"))
        .filter(pl.col("_start") >= pl.col("_from"), pl.col("_start") + length_ms <= pl.col("_until"))
        .group_by("symbol", "_start", maintain_order=True)
        .agg(
            pl.col("open").first(),
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .rename({"_start": "open_time"})
        .with_columns(pl.col("open_time").cast(bars.schema["open_time"]))
    )
