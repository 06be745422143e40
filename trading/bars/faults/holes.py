"""Bars that are not there."""

from __future__ import annotations

import polars as pl

from trading.bars.faults.finding import SAMPLE_ROWS, FaultKind, Finding

_STAMP = pl.Datetime("ms", "UTC")


def holes(
    arranged: pl.DataFrame,
    interval_ms: int,
    window_ms: tuple[int, int] | None,
    tolerated_fraction: float,
) -> list[Finding]:
    """Runs of bars that a symbol lacks.

    A symbol that lacks more than ``tolerated_fraction`` of its bars blocks, a smaller hole warns. Bars
    that no symbol of several has are the venue's silence and never block, nor does a late start: a
    file does not say when a coin was listed.

    Parameters
    ----------
    arranged
        Output of `arrange`.
    window_ms
        First expected open time and the exclusive end; None for each symbol's own first and last bar.
    """
    own = arranged.filter("_own")
    every_time = own["_ms"].unique().sort() if own["_run"].n_unique() > 1 else None
    return [
        _finding(
            symbol,
            times,
            window_ms or (times[0], times[-1] + interval_ms),
            interval_ms,
            every_time,
            tolerated_fraction,
        )
        for symbol, times in _incomplete(own, interval_ms, window_ms)
    ]


def _incomplete(
    own: pl.DataFrame, interval_ms: int, window_ms: tuple[int, int] | None
) -> list[tuple[str, list[int]]]:
    """Symbols with fewer bars than their time holds, and the open times of those they have."""
    first, last = pl.col("_ms").min(), pl.col("_ms").max()
    begin, end = (pl.lit(window_ms[0]), pl.lit(window_ms[1])) if window_ms else (first, last + interval_ms)
    expected = (end - begin) // interval_ms
    short = own.group_by("_run").agg((pl.col("_ms").n_unique() < expected).alias("short")).filter("short")
    return (
        own.filter(pl.col("_run").is_in(short["_run"].implode()))
        .group_by("_run", maintain_order=True)
        .agg(pl.col("symbol").first(), pl.col("_ms"))
        .select("symbol", "_ms")
        .rows()
    )


def _finding(
    symbol: str,
    times: list[int],
    window_ms: tuple[int, int],
    interval_ms: int,
    every_time: pl.Series | None,
    tolerated_fraction: float,
) -> Finding:
    begin, end = window_ms
    edges = pl.Series([begin - interval_ms, *times, end], dtype=pl.Int64)
    hole = pl.DataFrame({"first": edges.shift() + interval_ms, "next": edges}).filter(
        pl.col("next") > pl.col("first")
    )
    hole = hole.with_columns(((pl.col("next") - pl.col("first")) // interval_ms).alias("bars"))
    expected = (end - begin) // interval_ms
    inner = hole.filter(pl.col("first") > begin)
    counted = int(inner["bars"].sum()) if every_time is None else _while_others_traded(inner, every_time)
    missing = int(hole["bars"].sum())
    blocks = counted > tolerated_fraction * expected
    return Finding(
        FaultKind.GAP,
        "block" if blocks else "warn",
        symbol,
        _shown(symbol, hole),
        missing,
        f"{missing} of {expected} bars are missing in {hole.height} hole(s)"
        + ("" if every_time is None else f", {counted} of them while other symbols have bars")
        + (f": more than {tolerated_fraction:.0%}" if blocks else ""),
    )


def _while_others_traded(gap: pl.DataFrame, every_time: pl.Series) -> int:
    inside = every_time.search_sorted(gap["next"]) - every_time.search_sorted(gap["first"])
    return int(inside.cast(pl.Int64).sum())


def _shown(symbol: str, gap: pl.DataFrame) -> pl.DataFrame:
    return gap.head(SAMPLE_ROWS).select(
        pl.lit(symbol).alias("symbol"),
        pl.col("first").cast(_STAMP).alias("first_missing"),
        pl.col("next").cast(_STAMP).alias("next_present"),
        pl.col("bars").alias("missing_bars"),
    )
