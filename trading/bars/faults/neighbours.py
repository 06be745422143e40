"""Bars in order, each beside the bar before it: what every detector that looks at neighbours works on."""

from __future__ import annotations

import numpy as np
import polars as pl


def arrange(bars: pl.DataFrame, interval_ms: int, previous: pl.DataFrame | None = None) -> pl.DataFrame:
    """Sort bars by symbol and time, and say of each how it follows the bar before it.

    Parameters
    ----------
    bars
        Columns ``symbol``, ``open_time`` (a plausible timestamp), ``open``, ``high``, ``low``, ``close``
        and whatever else; any order. All of one interval.
    interval_ms
        Length of a bar.
    previous
        The last bars before these, one or more per symbol; later ones are left out.

    Returns
    -------
    polars.DataFrame
        All rows, those of ``previous`` too, sorted, with the columns

        - ``_own``: the row is one of ``bars``;
        - ``_ms``: its open time since the epoch;
        - ``_run``: the place of its symbol in the alphabet;
        - ``_next``: the row before is the same symbol's, exactly one interval earlier;
        - ``_move``: ``log(open / close of the row before)`` where ``_next``, else null;
        - ``_range``: ``log(high / low)``.

        ``_move`` and ``_range`` are null where a price is missing or not positive.
    """
    frame = bars.with_columns(pl.lit(True).alias("_own"))
    if previous is not None and previous.height and bars.height:
        before = previous.filter(pl.col("open_time") < bars["open_time"].min()).select(
            [name for name in previous.columns if name in bars.columns]
        )
        frame = pl.concat(
            [before.with_columns(pl.lit(False).alias("_own")), frame], how="diagonal_relaxed", rechunk=True
        )
    symbols = pl.Enum(frame["symbol"].unique().sort())
    frame = frame.with_columns(
        pl.col("open_time").dt.epoch("ms").alias("_ms"),
        pl.col("symbol").cast(symbols).to_physical().alias("_run"),
    )
    # One number to sort by: times since the epoch in milliseconds stay below 2**42 until 2109.
    key = frame.select((pl.col("_run").cast(pl.Int64) * 2**42 + pl.col("_ms")).alias("_key")).to_series()
    if not key.is_sorted():
        frame = frame[np.argsort(key.to_numpy(), kind="stable")]
    same = pl.col("_run") == pl.col("_run").shift()
    before_close = pl.col("close").shift()
    traded = (pl.col("open") > 0) & (before_close > 0)
    return frame.with_columns(
        (same & (pl.col("_ms").diff() == interval_ms)).fill_null(False).alias("_next")
    ).with_columns(
        pl.when(pl.col("_next") & traded).then((pl.col("open") / before_close).log()).alias("_move"),
        pl.when((pl.col("low") > 0) & (pl.col("high") > 0))
        .then((pl.col("high") / pl.col("low")).log())
        .alias("_range"),
    )
