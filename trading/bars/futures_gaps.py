"""Holes in the series of perpetuals that are no minutes: funding by its interval, open interest."""

from __future__ import annotations

from datetime import date

import polars as pl

from trading.bars.gaps import GapEvidence, classified, day_bounds_ms, find_gaps
from trading.model.interval import MINUTE_MS

#: Distance of two counts of open interest.
OPEN_INTEREST_STEP_MS = 5 * MINUTE_MS
_HOUR_MS = 60 * MINUTE_MS
_NO_STEP = 0


def find_open_interest_gaps(
    rows: pl.DataFrame,
    contracts: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    evidence: GapEvidence | None = None,
) -> pl.DataFrame:
    """Runs of missing counts, as `find_gaps` gives them; ``missing_minutes`` counts the counts."""
    counts = rows.select("symbol", pl.col("time").alias("open_time"))
    return find_gaps(counts, contracts, day, closed_before_ms, evidence, OPEN_INTEREST_STEP_MS)


def payments_due(
    rows: pl.DataFrame, contracts: pl.DataFrame, day: date, closed_before_ms: int
) -> pl.DataFrame:
    """When each contract's funding was due on the day.

    Payments lie whole intervals apart, counted from midnight UTC before the first payment of the day, and
    from one payment to the next. The interval is the shorter of what the payment says of itself and what
    the instrument master says: a source that derives it from the time passed would hide a missing payment.

    Parameters
    ----------
    rows
        Rows of the ``funding_rates`` dataset of the day.
    contracts
        Columns ``symbol``, ``listed_at``, ``delisted_at`` and ``interval_hours`` (null: not known).

    Returns
    -------
    polars.DataFrame
        Columns ``symbol``, ``ms`` and ``paid``, sorted. A contract without payments whose interval is not
        known has no rows: nobody can tell what was due.
    """
    start, end = day_bounds_ms(day, closed_before_ms)
    due: list[tuple[str, int, bool]] = []
    for symbol, master in contracts.select("symbol", "interval_hours").iter_rows():
        own = rows.filter(pl.col("symbol") == symbol).sort("funding_time")
        at = start
        step: int | None = None if master is None else master * _HOUR_MS
        for time, said in own.select(_minute(pl.col("funding_time")), "interval_hours").iter_rows():
            if not start <= time < end:
                continue
            hours = min((hours for hours in (said, master) if hours is not None), default=None)
            step = None if hours is None else hours * _HOUR_MS
            due += [(symbol, ms, False) for ms in (range(at, time, step) if step else ())]
            due.append((symbol, time, True))
            at = time + step if step else end
        due += [(symbol, ms, False) for ms in (range(at, end, step) if step else ())]
    return pl.DataFrame(due, schema={"symbol": pl.String, "ms": pl.Int64, "paid": pl.Boolean}, orient="row")


def find_funding_gaps(
    due: pl.DataFrame, contracts: pl.DataFrame, evidence: GapEvidence | None = None
) -> pl.DataFrame:
    """Payments that are missing, one row each, in the columns of `find_gaps`.

    Contracts pay at different times, so that a missing payment is never taken for a silence of the venue.
    """
    bounds = contracts.select(
        "symbol",
        pl.col("listed_at").dt.epoch("ms").alias("listed_ms"),
        pl.col("delisted_at").dt.epoch("ms").alias("delisted_ms"),
    )
    missing = due.filter(~pl.col("paid")).join(bounds, on="symbol", how="left", maintain_order="left")
    paid = due.filter("paid").select("symbol", "ms", pl.lit(None, pl.Float64).alias("volume"))
    return classified(missing.drop("paid"), paid, 1, evidence or GapEvidence(), _NO_STEP)


def _minute(moment: pl.Expr) -> pl.Expr:
    """The minute that a moment lies in, ms: payments are stamped some milliseconds late."""
    return moment.dt.epoch("ms") // MINUTE_MS * MINUTE_MS
