"""Checks of one-minute klines: each is pure and says what it measured, the limit and the worst rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Annotated

import numpy as np
import polars as pl
from annotated_types import Ge, Gt, Le

from trading.bars.faults.amounts import amounts_as_prices, amounts_outside
from trading.bars.faults.continuity import breaks, wide_bars
from trading.bars.faults.finding import SAMPLE_ROWS, Finding, Severity
from trading.bars.faults.neighbours import arrange
from trading.bars.faults.numbers import impossible_numbers, price_order
from trading.bars.faults.orientation import swapped_open_close
from trading.bars.faults.repeats import repeats
from trading.bars.faults.times import duplicates, unclosed, without_wrong_units
from trading.bars.gaps import DEFECTS, day_bounds_ms, expected_minutes
from trading.model.interval import DAY_MS, MINUTE_MS


@dataclass(frozen=True, slots=True)
class QualitySettings:
    """Limits of the kline checks.

    Attributes
    ----------
    symbol_gap_fraction
        Largest share of a symbol's expected minutes that may be missing while others traded.
    venue_gap_fraction
        Share of the day that the whole venue may be silent before a warning.
    jump_fraction
        Change between neighbouring closes, or from low to high inside a minute, that is worth a
        warning. It never blocks: real crashes look like this.
    staleness_minutes
        Largest age of the newest closed kline.
    """

    symbol_gap_fraction: Annotated[float, Ge(0), Le(1)] = 0.02
    venue_gap_fraction: Annotated[float, Ge(0), Le(1)] = 0.0
    jump_fraction: Annotated[float, Gt(0)] = 0.3
    staleness_minutes: Annotated[int, Gt(0)] = 10


@dataclass(frozen=True, slots=True)
class CheckOutcome:
    """What one check found.

    Attributes
    ----------
    severity
        What a failure means: ``block`` stops everything downstream, ``warn`` is only shown.
    value, limit
        What was measured and the most that is allowed; None where it cannot be known.
    rows
        The worst offenders, at most 20 rows.
    """

    name: str
    passed: bool
    severity: Severity
    value: float | None
    limit: float | None
    rows: pl.DataFrame
    description: str


def check_duplicates(klines: pl.DataFrame) -> CheckOutcome:
    """No symbol has a minute twice (blocks)."""
    return _duplicates(arrange(without_wrong_units(klines)[0], MINUTE_MS))


def check_ohlc_order(klines: pl.DataFrame) -> CheckOutcome:
    """Low is the lowest and high the highest of the four prices (blocks)."""
    return _outcome("ohlc_order", "block", price_order(klines), "rows whose high or low is inside the body")


def check_range(klines: pl.DataFrame) -> CheckOutcome:
    """Prices are finite and positive, amounts are finite and not negative (blocks)."""
    found = impossible_numbers(klines)
    return _outcome("range", "block", found, "rows with a missing, non-finite or impossible number")


def check_amounts(klines: pl.DataFrame) -> CheckOutcome:
    """Value over volume is a price inside the bar, and takers bought no more than was traded (blocks)."""
    found = [*amounts_outside(klines), *amounts_as_prices(klines)]
    return _outcome("amounts", "block", found, "rows whose amounts contradict their prices")


def check_symbol_gaps(
    gaps: pl.DataFrame,
    instruments: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    settings: QualitySettings,
) -> CheckOutcome:
    """No symbol misses more than its share of minutes that must exist (blocks)."""
    defects = gaps.filter(pl.col("kind").is_in(DEFECTS))
    missing = defects.group_by("symbol").agg(pl.col("missing_minutes").sum())
    rows = (
        expected_minutes(instruments, day, closed_before_ms)
        .join(missing, on="symbol", how="inner")
        .with_columns((pl.col("missing_minutes") / pl.col("expected")).alias("missing_fraction"))
        .sort("missing_fraction", "symbol", descending=[True, False])
    )
    worst = float(rows["missing_fraction"][0]) if rows.height else 0.0
    over = rows.filter(pl.col("missing_fraction") > settings.symbol_gap_fraction)
    return CheckOutcome(
        "symbol_gaps",
        over.is_empty(),
        "block",
        worst,
        settings.symbol_gap_fraction,
        rows.head(SAMPLE_ROWS),
        f"{over.height} symbol(s) miss more than {settings.symbol_gap_fraction:.1%} of their minutes",
    )


def check_venue_gaps(
    gaps: pl.DataFrame, day: date, closed_before_ms: int, settings: QualitySettings
) -> CheckOutcome:
    """The whole venue was not silent (warns): an outage is the venue's fact, not our defect."""
    silent = gaps.filter(pl.col("kind") == "venue_outage")
    # A symbol listed during a silence has a shorter run of the same minutes: the longest total counts.
    totals = silent.group_by("symbol").agg(pl.col("missing_minutes").sum())
    minutes = max(totals["missing_minutes"].to_list(), default=0)
    start_ms, end_ms = day_bounds_ms(day, closed_before_ms)
    expected = (end_ms - start_ms) // MINUTE_MS
    fraction = minutes / expected if expected else 0.0
    rows = silent.group_by("first_missing", "last_missing", "missing_minutes").len("symbols")
    return CheckOutcome(
        "venue_gaps",
        fraction <= settings.venue_gap_fraction,
        "warn",
        fraction,
        settings.venue_gap_fraction,
        rows.sort("first_missing", "last_missing").head(SAMPLE_ROWS),
        f"no symbol traded in {minutes} minute(s)",
    )


def check_staleness(
    klines: pl.DataFrame, now_ms: int, settings: QualitySettings, *, severity: Severity = "block"
) -> CheckOutcome:
    """The newest kline of all symbols closed recently, measured against ``now_ms``.

    ``rows`` names the symbols that lag behind; a single laggard is a matter of its gaps and of the
    risk gate, not a dead feed. No klines at all is stale.
    """
    # By runs of a symbol first: to group by numbers costs a third of grouping by names.
    runs = klines.group_by(pl.col("symbol").rle_id().alias("_run")).agg(
        pl.col("symbol").first(), pl.col("open_time").max()
    )
    symbols = (
        runs.group_by("symbol")
        .agg(pl.col("open_time").max().alias("newest"))
        .with_columns(
            ((now_ms - pl.col("newest").dt.epoch("ms") - MINUTE_MS) / MINUTE_MS).alias("age_minutes")
        )
        .sort("age_minutes", "symbol", descending=[True, False])
    )
    age = float(symbols["age_minutes"][-1]) if symbols.height else None
    late = symbols.filter(pl.col("age_minutes") > settings.staleness_minutes)
    return CheckOutcome(
        "staleness",
        age is not None and age <= settings.staleness_minutes,
        severity,
        age,
        float(settings.staleness_minutes),
        late.head(SAMPLE_ROWS),
        "there are no klines"
        if age is None
        else f"the newest kline closed {age:.0f} minute(s) ago; {late.height} symbol(s) lag behind",
    )


def check_row_count(
    klines: pl.DataFrame, instruments: pl.DataFrame, day: date, closed_before_ms: int
) -> CheckOutcome:
    """Every expected symbol has rows, and no symbol has more than the day's minutes (blocks)."""
    runs = pl.DataFrame({"run": klines["symbol"].rle()}).unnest("run")
    counts = runs.group_by(pl.col("value").alias("symbol")).agg(pl.col("len").sum().alias("rows"))
    expected = expected_minutes(instruments, day, closed_before_ms)
    rows = (
        expected.join(counts, on="symbol", how="full", coalesce=True)
        .with_columns(pl.col("rows").fill_null(0), pl.col("expected").fill_null(0))
        .filter(((pl.col("expected") > 0) & (pl.col("rows") == 0)) | (pl.col("rows") > pl.col("expected")))
        .sort("symbol")
    )
    return CheckOutcome(
        "row_count",
        rows.is_empty(),
        "block",
        float(rows.height),
        0.0,
        rows.head(SAMPLE_ROWS),
        f"{rows.height} symbol(s) without rows, or with more than the day can have",
    )


def check_klines(
    klines: pl.DataFrame,
    gaps: pl.DataFrame,
    instruments: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    settings: QualitySettings,
    previous: pl.DataFrame | None = None,
) -> list[CheckOutcome]:
    """All checks of one daily partition of klines.

    Parameters
    ----------
    gaps
        Rows of the ``kline_gaps`` dataset for these klines.
    instruments
        Who is expected: columns ``symbol``, ``listed_at``, ``delisted_at``.
    previous
        The last klines before the day, one or more per symbol (an hour of them tells what is usual
        while the day is young); None leaves the day's first klines without a neighbour to fit.

    Notes
    -----
    Staleness is measured against ``closed_before_ms`` and blocks only while the day is open: on a
    closed day a silent end is a gap, and the gap checks judge it.
    """
    start_ms, end_ms = day_bounds_ms(day, closed_before_ms)
    still_open = end_ms < start_ms + DAY_MS
    timely, wrong_units = without_wrong_units(klines)
    arranged = arrange(timely, MINUTE_MS, previous)
    away = breaks(arranged)
    misfits = [*(found for found in away if found.severity == "block"), *swapped_open_close(arranged)]
    odd = [*(found for found in away if found.severity == "warn"), *wide_bars(arranged)]
    again = [found for found in repeats(arranged) if found.severity == "block"]
    early = [*wrong_units, *unclosed(arranged, MINUTE_MS, end_ms)]
    return [
        check_symbol_gaps(gaps, instruments, day, closed_before_ms, settings),
        check_venue_gaps(gaps, day, closed_before_ms, settings),
        _duplicates(arranged),
        check_ohlc_order(klines),
        check_range(klines),
        check_amounts(klines),
        _outcome("continuity", "block", misfits, "minutes that do not follow from the minute before"),
        _outcome("breaks", "warn", odd, "minutes that follow oddly from the minute before"),
        _outcome("repeats", "block", again, "minutes that repeat another one"),
        _outcome("unclosed", "block", early, "minutes that had not closed yet, or at no possible time"),
        _jumps(arranged, settings),
        check_staleness(klines, end_ms, settings, severity="block" if still_open else "warn"),
        check_row_count(klines, instruments, day, closed_before_ms),
    ]


def _duplicates(arranged: pl.DataFrame) -> CheckOutcome:
    return _outcome("duplicates", "block", duplicates(arranged), "rows that repeat a minute")


def _jumps(arranged: pl.DataFrame, settings: QualitySettings) -> CheckOutcome:
    """Prices do not jump implausibly (warns): a real crash must pass through."""
    jumps = _jump_fractions(arranged)
    largest = jumps.max()
    some = arranged if isinstance(largest, float) and largest > settings.jump_fraction else arranged.clear()
    over = some.with_columns(jumps.head(some.height)).filter(pl.col("jump_fraction") > settings.jump_fraction)
    return CheckOutcome(
        "jumps",
        over.is_empty(),
        "warn",
        float(largest) if isinstance(largest, float) else None,
        settings.jump_fraction,
        over.top_k(SAMPLE_ROWS, by="jump_fraction").select(pl.exclude("^_.*$")),
        f"{over.height} minute(s) moved by more than {settings.jump_fraction:.0%}; kept, look at them",
    )


def _jump_fractions(arranged: pl.DataFrame) -> pl.Series:
    """How far each own row moved from the close before, or from low to high; null where nobody can tell."""
    close, high, low = (arranged[name].to_numpy() for name in ("close", "high", "low"))
    run = arranged["_run"].to_numpy()
    with np.errstate(divide="ignore", invalid="ignore"):
        jump = high / low - 1
        change = np.where(run[1:] == run[:-1], np.abs(close[1:] / close[:-1] - 1), np.nan)
        jump[1:] = np.fmax(jump[1:], change)
    jump[~(arranged["_own"].to_numpy() & np.isfinite(jump))] = np.nan
    return pl.Series("jump_fraction", jump, nan_to_null=True)


def _outcome(name: str, severity: Severity, findings: Sequence[Finding], what: str) -> CheckOutcome:
    count = sum(finding.count for finding in findings)
    rows = pl.concat([finding.rows for finding in findings], how="diagonal_relaxed") if findings else None
    reasons = "; ".join(f"{finding.symbol}: {finding.reason}" for finding in findings[:3])
    return CheckOutcome(
        name,
        not findings,
        severity,
        float(count),
        0.0,
        pl.DataFrame() if rows is None else rows.head(SAMPLE_ROWS),
        f"{count} {what}" + (f" ({reasons})" if reasons else ""),
    )
