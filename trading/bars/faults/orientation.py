"""Whether open and close are where they belong: swapped, time runs backwards inside every bar."""

from __future__ import annotations

import numpy as np
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
#: Sums over a stretch: both distances, pairs for swapped columns, and pairs that tell anything.
_SUMMED = ("_forward", "_backward", "_swapped", "_pairs")


def swapped_open_close(arranged: pl.DataFrame) -> list[Finding]:
    """Symbols whose bars connect better from open to close before than from close to open (block).

    The distance from each open to the close before is compared with that from each close to the open
    before, over all of a symbol's bars and over each stretch of sixty.
    """
    stretches = _stretches(arranged)
    whole = stretches.group_by("_run").agg(pl.col(_SUMMED).sum())
    judged = pl.concat([stretches, whole]).filter(
        pl.col("_pairs") >= _LEAST_PAIRS,
        pl.col("_forward") > _RATIO * pl.col("_backward"),
        2 * pl.col("_swapped") - pl.col("_pairs") > _DEVIATIONS * pl.col("_pairs").sqrt(),
    )
    return [
        _finding(arranged.filter(pl.col("_own") & (pl.col("_run") == run)), part)
        for (run,), part in judged.group_by("_run", maintain_order=True)
    ]


def _stretches(arranged: pl.DataFrame) -> pl.DataFrame:
    """Distances of sixty bars of a symbol, summed, and how many pairs speak for swapped columns or at all.

    Rows lie together by symbol, so that a stretch is a slice: summing slices costs a third of grouping.
    """
    if arranged.is_empty():
        return arranged.select(pl.col("_run").cast(pl.Int64), *(pl.lit(0.0).alias(n) for n in _SUMMED))
    opened, closed = (arranged[name].to_numpy() for name in ("open", "close"))
    run = arranged["_run"].to_numpy()
    stretch = np.arange(run.size) // _STRETCH_BARS
    starts = np.flatnonzero(np.r_[True, (np.diff(run) != 0) | (np.diff(stretch) != 0)])
    forward, backward = np.zeros(run.size), np.zeros(run.size)
    np.abs(opened[1:] - closed[:-1], out=forward[1:])
    np.abs(closed[1:] - opened[:-1], out=backward[1:])
    pair = (arranged["_next"] & arranged["_own"]).to_numpy() & ~(np.isnan(forward) | np.isnan(backward))
    forward[~pair], backward[~pair] = 0.0, 0.0
    sums = (forward, backward, (forward > backward).astype(float), (forward != backward).astype(float))
    with np.errstate(over="ignore"):  # a misprint may be as large as a float can be
        summed = [np.add.reduceat(values, starts) for values in sums]
    stretches = dict(zip(_SUMMED, summed, strict=True))
    return pl.DataFrame({"_run": run[starts].astype(np.int64), **stretches})


def _finding(bars: pl.DataFrame, judged: pl.DataFrame) -> Finding:
    worst = judged.row(int((judged["_swapped"]).arg_max() or 0), named=True)
    return Finding(
        FaultKind.SWAPPED_COLUMNS,
        "block",
        bars["symbol"][0],
        bars.head(3).select(pl.exclude("^_.*$")),
        int(worst["_pairs"]),
        f"in {worst['_swapped']:.0f} of {worst['_pairs']:.0f} bars the close is nearer to the open before than the "
        "open to the close before: open and close are swapped",
    )
