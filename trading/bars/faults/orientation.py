"""Whether open and close are where they belong: swapped, time runs backwards inside every bar."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import FaultKind, Finding

#: Bars judged together: a file may be right up to some row.
_STRETCH_BARS = 60
#: Fewer pairs of bars than this tell nothing.
_LEAST_PAIRS = 12
#: Swapped columns multiply the distance of neighbours; in real bars it is below 2 even at a coarse tick.
_RATIO = 2.0
#: Bars that must speak for swapped columns beyond those against, in standard deviations of a fair coin.
_DEVIATIONS = 3.5


def swapped_open_close(arranged: pl.DataFrame) -> list[Finding]:
    """Symbols whose bars connect better from open to close before than from close to open (block).

    The distance from each open to the close before is compared with that from each close to the open
    before, over all of a symbol's bars and over each stretch of sixty.
    """
    forward = (pl.col("open") - pl.col("close").shift()).abs()
    backward = (pl.col("close") - pl.col("open").shift()).abs()
    stretches = (
        arranged.select(
            "_run",
            (pl.int_range(pl.len(), dtype=pl.UInt32) // _STRETCH_BARS).alias("_stretch"),
            pl.when(pl.col("_next") & pl.col("_own")).then(forward).alias("_forward"),
            pl.when(pl.col("_next") & pl.col("_own")).then(backward).alias("_backward"),
        )
        .with_columns((pl.col("_forward") > pl.col("_backward")).alias("_for"))
        # One number to group by, cheaper than two: a run spans far fewer stretches than this.
        .group_by((pl.col("_run").cast(pl.UInt64) * 2**32 + pl.col("_stretch")).alias("_key"))
        .agg(
            pl.col("_run").first(),
            pl.col("_forward", "_backward").sum(),
            pl.col("_for").sum().alias("_swapped"),
            (pl.col("_forward") != pl.col("_backward")).sum().alias("_pairs"),
        )
    )
    whole = stretches.group_by("_run").agg(pl.col("_forward", "_backward", "_swapped", "_pairs").sum())
    columns = ["_run", "_forward", "_backward", "_swapped", "_pairs"]
    judged = pl.concat([stretches.select(columns), whole.select(columns)]).filter(
        pl.col("_pairs") >= _LEAST_PAIRS,
        pl.col("_forward") > _RATIO * pl.col("_backward"),
        2 * pl.col("_swapped").cast(pl.Float64) - pl.col("_pairs") > _DEVIATIONS * pl.col("_pairs").sqrt(),
    )
    return [
        _finding(arranged.filter(pl.col("_own") & (pl.col("_run") == run)), part)
        for (run,), part in judged.group_by("_run", maintain_order=True)
    ]


def _finding(bars: pl.DataFrame, judged: pl.DataFrame) -> Finding:
    worst = judged.row(int((judged["_swapped"]).arg_max() or 0), named=True)
    return Finding(
        FaultKind.SWAPPED_COLUMNS,
        "block",
        bars["symbol"][0],
        bars.head(3).select(pl.exclude("^_.*$")),
        worst["_pairs"],
        f"in {worst['_swapped']} of {worst['_pairs']} bars the close is nearer to the open before than the "
        "open to the close before: open and close are swapped",
    )
