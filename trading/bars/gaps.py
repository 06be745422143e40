"""Holes in one-minute klines: which minutes are missing, for whom, what they are, and how that is known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime

import polars as pl

from trading.instruments.calendar import Maintenance
from trading.model.interval import DAY_MS, MINUTE_MS

#: What a hole in the klines can be, in the order in which it is decided, and what each means.
GAP_KINDS = {
    "not_listed": "before the first trade of the instrument",
    "delisted": "after its last trade",
    "venue_maintenance": "the venue had announced that it would be closed",
    "our_outage": "the source was not asked about this minute",
    "venue_outage": "no symbol of the venue has the minute, and no announcement explains it: the cause is unknown",
    "no_trades": "nothing was traded: every source asked agrees, or the bars around it are empty",
    "source_defect": "the source lacks a minute that must exist: its neighbours were traded",
}
#: Holes that a better source would fill; the others are facts.
REPAIRABLE = ("our_outage", "venue_outage", "no_trades", "source_defect")
#: Holes that count against a symbol: data that exists and that we do not have.
DEFECTS = ("our_outage", "source_defect")

#: A silence of the venue is told from a quiet symbol by at least this many symbols.
_SYMBOLS_OF_A_VENUE = 2
_STAMP = pl.Datetime("ms", "UTC")
_SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "first_missing": _STAMP,
    "last_missing": _STAMP,
    "missing_minutes": pl.Int64,
    "kind": pl.String,
    "reason": pl.String,
}


@dataclass(frozen=True, slots=True)
class GapEvidence:
    """What is known beyond the klines themselves.

    Attributes
    ----------
    fetched_before_ms
        End of what the source was last asked for; None when it was asked for all that had closed.
    maintenance
        Announced closures of the venue.
    asked
        Holes that other sources were asked about: columns ``symbol``, ``first_missing``,
        ``last_missing`` and ``asked`` (the source's name). A minute of them that is still missing is
        one that this source does not have either.
    """

    fetched_before_ms: int | None = None
    maintenance: Sequence[Maintenance] = ()
    asked: pl.DataFrame = field(
        default_factory=lambda: pl.DataFrame(
            schema={"symbol": pl.String, "first_missing": _STAMP, "last_missing": _STAMP, "asked": pl.String}
        )
    )


def day_bounds_ms(day: date, closed_before_ms: int) -> tuple[int, int]:
    """First open time of the UTC day and the exclusive end of what can be closed in it, both ms."""
    start = int(datetime(day.year, day.month, day.day, tzinfo=UTC).timestamp()) * 1000
    closed = closed_before_ms // MINUTE_MS * MINUTE_MS
    return start, max(start, min(start + DAY_MS, closed))


def find_gaps(
    klines: pl.DataFrame,
    instruments: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    evidence: GapEvidence | None = None,
    step_ms: int = MINUTE_MS,
) -> pl.DataFrame:
    """Runs of minutes of the day that have no kline, each with its kind and the reason for it.

    Parameters
    ----------
    klines
        Rows of the ``klines`` dataset; other days are ignored. A minute with volume 0 is data. Of a
        series without trades, ``volume`` is null or absent: an empty bar is not known then.
    instruments
        Who is expected, and when: columns ``symbol``, ``listed_at``, ``delisted_at`` (null: not known,
        which expects the symbol for the whole day).
    day, closed_before_ms
        The UTC day, and the moment up to which minutes count as closed.
    step_ms
        Distance of two rows of the series; a time between two steps belongs to the one before it.

    Returns
    -------
    polars.DataFrame
        Rows of the ``kline_gaps`` dataset, sorted by symbol and time. Every missing minute has exactly
        one kind of `GAP_KINDS`, the first that applies.
    """
    start, end = day_bounds_ms(day, closed_before_ms)
    if end <= start or instruments.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    volume = pl.col("volume") if "volume" in klines.columns else pl.lit(None, pl.Float64).alias("volume")
    opened = pl.col("open_time").dt.epoch("ms") // step_ms * step_ms
    present = klines.select("symbol", opened.alias("ms"), volume).filter(
        pl.col("ms").is_between(start, end, closed="left")
    )
    counts = _distinct_minutes(present)
    # Most symbols of most days are whole: only the others are looked at minute by minute.
    whole = counts.filter(pl.col("minutes") == -(-(end - start) // step_ms))
    broken = _expected(instruments).join(whole, on="symbol", how="anti")
    if broken.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    minutes = pl.DataFrame({"ms": pl.int_range(start, end, step_ms, dtype=pl.Int64, eager=True)})
    missing = broken.join(minutes, how="cross").join(present, on=["symbol", "ms"], how="anti")
    if missing.is_empty():
        return pl.DataFrame(schema=_SCHEMA)
    distinct = present.unique(["symbol", "ms"])
    return classified(missing, distinct, instruments.height, evidence or GapEvidence(), step_ms)


def classified(
    missing: pl.DataFrame, present: pl.DataFrame, symbols: int, evidence: GapEvidence, step_ms: int
) -> pl.DataFrame:
    """Runs of missing rows with their kinds: rows of the ``kline_gaps`` dataset.

    Parameters
    ----------
    missing
        Columns ``symbol``, ``ms``, ``listed_ms`` and ``delisted_ms``.
    present
        Columns ``symbol``, ``ms`` and ``volume``.
    symbols
        How many symbols could have had a row: one alone proves no silence of the venue.
    step_ms
        Distance of two rows of one run; ``missing_minutes`` counts the rows.
    """
    return _runs(_kinds(missing, present, symbols, evidence), step_ms)


def expected_minutes(
    instruments: pl.DataFrame, day: date, closed_before_ms: int, step_ms: int = MINUTE_MS
) -> pl.DataFrame:
    """Minutes (steps) of the day in which each symbol could trade: columns ``symbol`` and ``expected``."""
    start, end = day_bounds_ms(day, closed_before_ms)
    first = pl.max_horizontal(pl.col("listed_ms").fill_null(start), pl.lit(start))
    last = pl.min_horizontal(pl.col("delisted_ms").fill_null(end), pl.lit(end))
    # A step counts from its beginning on.
    steps = -(-last // step_ms) + (-first // step_ms)
    return _expected(instruments).select("symbol", steps.clip(lower_bound=0).cast(pl.Int64).alias("expected"))


def _distinct_minutes(present: pl.DataFrame) -> pl.DataFrame:
    """How many minutes each symbol has: columns ``symbol`` and ``minutes``."""
    minutes = pl.col("ms").n_unique().alias("minutes")
    # Stored klines lie together by symbol: to group by numbers costs a third of grouping by names.
    run = pl.col("symbol").rle_id().alias("run")
    runs = present.group_by(run).agg(pl.col("symbol").first(), minutes)
    if runs["symbol"].is_duplicated().any():
        return present.group_by("symbol").agg(minutes)
    return runs.select("symbol", "minutes")


def _expected(instruments: pl.DataFrame) -> pl.DataFrame:
    """Symbols with the first and the exclusive last minute in which each could trade, in ms."""
    listed, delisted = (pl.col(name).dt.epoch("ms") for name in ("listed_at", "delisted_at"))
    return instruments.select(
        "symbol",
        (listed // MINUTE_MS * MINUTE_MS).alias("listed_ms"),
        (-(-delisted // MINUTE_MS) * MINUTE_MS).alias("delisted_ms"),
    )


def _kinds(missing: pl.DataFrame, present: pl.DataFrame, symbols: int, evidence: GapEvidence) -> pl.DataFrame:
    """Each missing minute with the first kind that applies to it."""
    traded = present.select("ms").unique().with_columns(pl.lit(True).alias("others"))
    minutes = (
        missing.join(traded, on="ms", how="left")
        .join(_asked(missing, evidence.asked), on=["symbol", "ms"], how="left")
        .sort("symbol", "ms")
    )
    minutes = _with_neighbours(minutes, present)
    ms, unasked = pl.col("ms"), evidence.fetched_before_ms
    nothing = pl.lit(None, pl.String)
    closed = nothing
    for window in evidence.maintenance:
        inside = ms.is_between(window.from_ms, window.to_ms, closed="left")
        closed = pl.when(inside).then(pl.lit(window.why)).otherwise(closed)
    # A kind's reason is null where the kind does not apply.
    reasons = {
        "not_listed": pl.when(ms < pl.col("listed_ms")).then(pl.lit("the instrument master's listing")),
        "delisted": pl.when(ms >= pl.col("delisted_ms")).then(pl.lit("the instrument master's delisting")),
        "venue_maintenance": closed,
        "our_outage": nothing
        if unasked is None
        else pl.when(ms >= unasked).then(pl.lit("the last fetch ended before it")),
        "venue_outage": pl.when(pl.col("others").is_null() & pl.lit(symbols >= _SYMBOLS_OF_A_VENUE)).then(
            pl.lit(f"none of {symbols} symbols has it; the cause is unknown")
        ),
        "no_trades": pl.when(pl.col("asked").is_not_null())
        .then(pl.format("asked {}: no bar there either", "asked"))
        .when((pl.col("before") == 0.0) & (pl.col("after").fill_null(0.0) == 0.0))
        .then(pl.lit("the bars around it are empty")),
        "source_defect": pl.lit("the symbol traded around it and no other source was asked"),
    }
    kind = pl.coalesce(
        *(pl.when(reason.is_not_null()).then(pl.lit(name)) for name, reason in reasons.items())
    )
    return minutes.with_columns(kind.alias("kind"), pl.coalesce(*reasons.values()).alias("reason"))


def _with_neighbours(minutes: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """Volume of the bars before and after each hole; null at the borders of the day."""
    bars = present.sort("symbol", "ms")
    before, after = (
        bars.select("symbol", "ms", pl.col("volume").alias(name)) for name in ("before", "after")
    )
    return minutes.join_asof(
        before, on="ms", by="symbol", strategy="backward", check_sortedness=False
    ).join_asof(after, on="ms", by="symbol", strategy="forward", check_sortedness=False)


def _asked(missing: pl.DataFrame, asked: pl.DataFrame) -> pl.DataFrame:
    """Missing minutes that another source was asked about: columns ``symbol``, ``ms``, ``asked``."""
    ranges = asked.select(
        "symbol",
        pl.col("first_missing").dt.epoch("ms").alias("from_ms"),
        pl.col("last_missing").dt.epoch("ms").alias("to_ms"),
        "asked",
    )
    inside = pl.col("ms").is_between("from_ms", "to_ms", closed="both")
    return (
        missing.select("symbol", "ms")
        .join(ranges, on="symbol")
        .filter(inside)
        .group_by("symbol", "ms")
        .agg(pl.col("asked").unique().sort().str.join(", "))
    )


def _runs(minutes: pl.DataFrame, step_ms: int) -> pl.DataFrame:
    """Neighbouring minutes of one symbol, kind and reason as one row."""
    begins = (pl.col("ms") - pl.col("ms").shift() != step_ms) | pl.any_horizontal(
        *(pl.col(name) != pl.col(name).shift() for name in ("symbol", "kind", "reason"))
    )
    return (
        minutes.with_columns(begins.fill_null(True).cum_sum().alias("run"))
        .group_by("run", maintain_order=True)
        .agg(
            pl.col("symbol").first(),
            pl.col("ms").first().cast(_STAMP).alias("first_missing"),
            pl.col("ms").last().cast(_STAMP).alias("last_missing"),
            pl.len().cast(pl.Int64).alias("missing_minutes"),
            pl.col("kind").first(),
            pl.col("reason").first(),
        )
        .select(list(_SCHEMA))
    )
