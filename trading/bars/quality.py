"""Checks of one-minute klines: each is pure and says what it measured, the limit and the worst rows."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Annotated, Literal

import polars as pl
from annotated_types import Ge, Gt, Le

from trading.bars.gaps import day_bounds_ms, expected_minutes
from trading.model.interval import DAY_MS, MINUTE_MS

Severity = Literal["block", "warn"]
_PRICES = ("open", "high", "low", "close")
_SAMPLE_ROWS = 20


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
    rows = klines.group_by("symbol", "open_time").len("copies").filter(pl.col("copies") > 1)
    return _count("duplicates", "block", rows.sort("symbol", "open_time"), "rows that repeat a minute")


def check_ohlc_order(klines: pl.DataFrame) -> CheckOutcome:
    """Low is the lowest and high the highest of the four prices (blocks)."""
    wrong = (pl.col("low") > pl.min_horizontal("open", "close")) | (
        pl.col("high") < pl.max_horizontal("open", "close")
    )
    return _count("ohlc_order", "block", klines.filter(wrong), "rows whose high or low is inside the body")


def check_range(klines: pl.DataFrame) -> CheckOutcome:
    """Prices are finite and positive, amounts are finite and not negative (blocks)."""
    bad_price = pl.any_horizontal(
        [~(pl.col(name).is_finite() & (pl.col(name) > 0)).fill_null(False) for name in _PRICES]
    )
    bad_volume = ~(pl.col("volume").is_finite() & (pl.col("volume") >= 0)).fill_null(False)
    optional = ("quote_volume", "trades", "taker_buy_base", "taker_buy_quote")
    bad_optional = pl.any_horizontal(
        [
            ~(pl.col(name).cast(pl.Float64).is_finite() & (pl.col(name) >= 0)).fill_null(True)
            for name in optional
        ]
    )
    rows = klines.filter(bad_price | bad_volume | bad_optional)
    return _count("range", "block", rows, "rows with a missing, non-finite or impossible number")


def check_jumps(klines: pl.DataFrame, settings: QualitySettings) -> CheckOutcome:
    """Prices do not jump implausibly (warns): a real crash must pass through."""
    ordered = klines.sort("symbol", "open_time").with_columns(
        pl.max_horizontal(
            (pl.col("close") / pl.col("close").shift().over("symbol") - 1).abs(),
            pl.col("high") / pl.col("low") - 1,
        ).alias("jump_fraction")
    )
    finite = ordered.filter(pl.col("jump_fraction").is_finite()).sort("jump_fraction", descending=True)
    rows = finite.filter(pl.col("jump_fraction") > settings.jump_fraction)
    largest = float(finite["jump_fraction"][0]) if finite.height else None
    return CheckOutcome(
        "jumps",
        rows.is_empty(),
        "warn",
        largest,
        settings.jump_fraction,
        rows.head(_SAMPLE_ROWS),
        f"{rows.height} minute(s) moved by more than {settings.jump_fraction:.0%}; kept, look at them",
    )


def check_symbol_gaps(
    gaps: pl.DataFrame,
    instruments: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    settings: QualitySettings,
) -> CheckOutcome:
    """No symbol misses more than its share of minutes while others traded (blocks)."""
    missing = gaps.filter(pl.col("kind") == "symbol").group_by("symbol").agg(pl.col("missing_minutes").sum())
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
        rows.head(_SAMPLE_ROWS),
        f"{over.height} symbol(s) miss more than {settings.symbol_gap_fraction:.1%} of their minutes",
    )


def check_venue_gaps(
    gaps: pl.DataFrame, day: date, closed_before_ms: int, settings: QualitySettings
) -> CheckOutcome:
    """The whole venue was not silent (warns): an outage is the venue's fact, not our defect."""
    silent = gaps.filter(pl.col("kind") == "venue")
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
        rows.sort("first_missing", "last_missing").head(_SAMPLE_ROWS),
        f"no symbol traded in {minutes} minute(s)",
    )


def check_staleness(
    klines: pl.DataFrame, now_ms: int, settings: QualitySettings, *, severity: Severity = "block"
) -> CheckOutcome:
    """The newest kline of all symbols closed recently, measured against ``now_ms``.

    ``rows`` names the symbols that lag behind; a single laggard is a matter of its gaps and of the
    risk gate, not a dead feed. No klines at all is stale.
    """
    symbols = (
        klines.group_by("symbol")
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
        late.head(_SAMPLE_ROWS),
        "there are no klines"
        if age is None
        else f"the newest kline closed {age:.0f} minute(s) ago; {late.height} symbol(s) lag behind",
    )


def check_row_count(
    klines: pl.DataFrame, instruments: pl.DataFrame, day: date, closed_before_ms: int
) -> CheckOutcome:
    """Every expected symbol has rows, and no symbol has more than the day's minutes (blocks)."""
    counts = klines.group_by("symbol").len("rows")
    expected = expected_minutes(instruments, day, closed_before_ms)
    rows = (
        expected.join(counts, on="symbol", how="full", coalesce=True)
        .with_columns(pl.col("rows").fill_null(0), pl.col("expected").fill_null(0))
        .filter(((pl.col("expected") > 0) & (pl.col("rows") == 0)) | (pl.col("rows") > pl.col("expected")))
        .sort("symbol")
    )
    return _count("row_count", "block", rows, "symbol(s) without rows, or with more than the day can have")


def check_klines(
    klines: pl.DataFrame,
    gaps: pl.DataFrame,
    instruments: pl.DataFrame,
    day: date,
    closed_before_ms: int,
    settings: QualitySettings,
) -> list[CheckOutcome]:
    """All checks of one daily partition of klines.

    Staleness is measured against ``closed_before_ms`` and blocks only while the day is open: on a
    closed day a silent end is a gap, and the gap checks judge it.
    """
    start_ms, end_ms = day_bounds_ms(day, closed_before_ms)
    still_open = end_ms < start_ms + DAY_MS
    return [
        check_symbol_gaps(gaps, instruments, day, closed_before_ms, settings),
        check_venue_gaps(gaps, day, closed_before_ms, settings),
        check_duplicates(klines),
        check_ohlc_order(klines),
        check_range(klines),
        check_jumps(klines, settings),
        check_staleness(klines, end_ms, settings, severity="block" if still_open else "warn"),
        check_row_count(klines, instruments, day, closed_before_ms),
    ]


def _count(name: str, severity: Severity, rows: pl.DataFrame, what: str) -> CheckOutcome:
    return CheckOutcome(
        name,
        rows.is_empty(),
        severity,
        float(rows.height),
        0.0,
        rows.head(_SAMPLE_ROWS),
        f"{rows.height} {what}",
    )
