"""Faults of time: units mixed up, bars off the grid, twice, or not closed yet."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding, found
from trading.model.interval import DAY_MS

#: Bars are from 1990 to 2100: in another unit, no time of this range is in it again.
_FIRST_MS = 631_152_000_000
_LAST_MS = 4_102_444_800_000


def without_wrong_units(bars: pl.DataFrame) -> tuple[pl.DataFrame, list[Finding]]:
    """Bars at plausible times, and findings (block) on the others, which can be put on no time axis.

    The sample shows ``open_time_ms`` as an integer: such a time has no calendar date.
    """
    ms = pl.col("open_time").dt.epoch("ms")
    plausible = ms.is_between(_FIRST_MS, _LAST_MS).fill_null(False)
    if bars.select(plausible.all()).item():
        return bars, []
    wrong = bars.filter(~plausible).select(
        "symbol", ms.alias("open_time_ms"), pl.exclude("symbol", "open_time")
    )
    return bars.filter(plausible), found(wrong, FaultKind.UNIT_SWITCH, "block", _unit_reason)


def off_grid(arranged: pl.DataFrame, interval_ms: int) -> list[Finding]:
    """Bars that do not start at a multiple of the interval since midnight UTC (block)."""
    if DAY_MS % interval_ms:
        return []  # a week's or a month's grid is not one of days
    return found(
        arranged.filter(pl.col("_own") & (pl.col("_ms") % interval_ms != 0)),
        FaultKind.OFF_GRID,
        "block",
        lambda part: f"{part.height} bar(s) that start between the multiples of the interval",
    )


def duplicates(arranged: pl.DataFrame) -> list[Finding]:
    """Bars of a symbol and time that another row already holds (block)."""
    again = (pl.col("_run") == pl.col("_run").shift()) & (pl.col("_ms") == pl.col("_ms").shift())
    return found(
        arranged.filter(pl.col("_own") & again),
        FaultKind.DUPLICATE,
        "block",
        lambda part: f"{part.height} bar(s) at a time that the symbol already has",
    )


def unclosed(arranged: pl.DataFrame, interval_ms: int, as_of_ms: int) -> list[Finding]:
    """Bars that end after the moment at which they were known (block): their values still change."""
    return found(
        arranged.filter(pl.col("_own") & (pl.col("_ms") + interval_ms > as_of_ms)),
        FaultKind.UNCLOSED_BAR,
        "block",
        lambda part: f"{part.height} bar(s) that had not closed yet when they were taken",
    )


def _unit_reason(rows: pl.DataFrame) -> str:
    first = rows["open_time_ms"][0]
    if first is None:
        return f"{rows.height} bar(s) without a time"
    for name, times in (("microseconds", 1 / 1000), ("nanoseconds", 1e-6), ("seconds", 1000)):
        if _FIRST_MS <= first * times <= _LAST_MS:
            return f"{rows.height} bar(s) whose time {first} is no time in milliseconds, but one in {name}"
    return f"{rows.height} bar(s) whose time {first} is none between 1990 and 2100 in any unit"
