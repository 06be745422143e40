"""How long the bars of a file are, and how lengths are written."""

from __future__ import annotations

import re

import polars as pl

from trading.errors import FixConfiguration

UNITS_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000, "w": 604_800_000}


def parse_interval(text: str) -> int:
    """Length of an interval such as ``15m``, ``1h`` or ``1d``, in milliseconds."""
    match = re.fullmatch(r"([1-9]\d*)([smhdw])", text.strip().lower())
    if match is None:
        raise FixConfiguration(
            f"interval {text!r}: write a number and s, m, h, d or w, such as 15m, 1h or 1d"
        )
    return int(match[1]) * UNITS_MS[match[2]]


def interval_text(length_ms: int) -> str:
    """The shortest way to write a length: ``1h``, not ``60m``."""
    for unit in reversed(UNITS_MS):
        if length_ms % UNITS_MS[unit] == 0:
            return f"{length_ms // UNITS_MS[unit]}{unit}"
    return f"{length_ms / 1000:g}s"


def usual_spacing(bars: pl.DataFrame) -> int | None:
    """The most frequent distance of neighbouring bars in milliseconds; None with one bar per symbol."""
    steps = bars.select(pl.col("open_time").dt.epoch("ms").diff().over("symbol"))["open_time"].drop_nulls()
    if steps.is_empty():
        return None
    return int(
        steps.value_counts(sort=False).sort("count", "open_time", descending=[True, False])["open_time"][0]
    )
