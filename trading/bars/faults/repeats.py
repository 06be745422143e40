"""Bars that were seen before: a source that repeats itself, or another coin's rows."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding, found

#: Small coins trade at few prices and round amounts, so that two bars far apart may be equal by chance;
#: this many at one distance are a copy.
_COPIED_ROWS = 3


def repeats(arranged: pl.DataFrame) -> list[Finding]:
    """Bars with the same prices and volume as another bar, whose price moved.

    Returns
    -------
    list of Finding
        ``stale_repeat`` (block) for a bar equal to the one before it, or for a stretch that equals an
        earlier one; ``wrong_symbol`` (block) for a bar that another symbol has at the same time. Single
        equal bars far apart warn. Bars in which the price stood still say nothing.
    """
    same = [name for name in ("open", "high", "low", "close", "volume") if name in arranged.columns]
    # One column first, the one that repeats least: it leaves nearly all rows out.
    rarest = arranged[same[-1] if _has_volume(arranged) else "close"]
    some = arranged.with_row_index("_row").filter(
        (arranged["high"] > arranged["low"]) & rarest.is_duplicated()
    )
    # A row that occurs twice at one time is a duplicate, not a repeat.
    equal = some.filter(some.select(same).is_duplicated()).unique(
        ["_run", "_ms"], keep="first", maintain_order=True
    )
    if equal.is_empty():
        return []
    equal = equal.with_columns(
        (pl.col("_run").n_unique().over([*same, "_ms"]) > 1).alias("_elsewhere"),
        (~pl.struct(*same, "_run").is_first_distinct()).alias("_again"),
        (pl.col("_ms") - pl.col("_ms").min().over([*same, "_run"])).alias("_distance"),
        pl.all_horizontal(
            "_next", pl.col("_row").diff() == 1, *(pl.col(name) == pl.col(name).shift() for name in same)
        )
        .fill_null(False)
        .alias("_at_once"),
    ).filter("_own")
    others = equal.filter(pl.col("_again") & ~pl.col("_at_once"))
    copied = pl.len().over("_run", "_distance") >= _COPIED_ROWS
    return [
        *found(
            equal.filter("_at_once"),
            FaultKind.STALE_REPEAT,
            "block",
            lambda part: f"{part.height} bar(s) equal to the bar before: the source repeated itself",
        ),
        *found(
            others.filter(copied),
            FaultKind.STALE_REPEAT,
            "block",
            lambda part: f"{part.height} bars occur more than once: a stretch was repeated",
        ),
        *found(
            others.filter(~copied),
            FaultKind.STALE_REPEAT,
            "warn",
            lambda part: f"{part.height} bars occur more than once, which may be chance",
        ),
        *found(
            equal.filter("_elsewhere"),
            FaultKind.WRONG_SYMBOL,
            "block",
            lambda part: f"{part.height} bar(s) that another symbol has too, at the same times",
        ),
    ]


def _has_volume(bars: pl.DataFrame) -> bool:
    return "volume" in bars.columns and bars.height > 0 and bool((bars["volume"] > 0).any())
