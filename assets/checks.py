"""Blocking checks of the data that everything downstream stands on.

A check is made in the step of its asset (a step of its own would cost more than the check) and stops
the assets downstream in its own run. The decision job judges the day's klines once more for itself,
because a later run would not be stopped.
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import date

import dagster as dg

from resources.history import Update
from resources.lake import markdown_table
from resources.platform import Platform
from trading.bars.quality import CheckOutcome
from trading.indicators.window import window_start
from trading.model.days import days_between
from trading.model.interval import Interval
from warehouse.datasets.market import BARS
from warehouse.datasets.screening import INDICATORS, SCREENER_RATINGS
from warehouse.lake.lake import Lake

#: Checks of the rows themselves, with what the UI says of each.
ROW_CHECKS = {
    "duplicates": "No symbol has a minute twice.",
    "ohlc_order": "Low is the lowest and high the highest of the four prices.",
    "range": "Prices are finite and positive, amounts are finite and not negative.",
    "amounts": "Value over volume is a price inside the bar, and takers bought no more than was traded.",
    "continuity": "A minute opens where the one before closed: no misprint, no other coin, no swapped columns.",
    "breaks": "Minutes do not follow oddly from the one before. Only warns: a halt looks like this.",
    "repeats": "No minute repeats another, or another symbol's: a feed that stands still does.",
    "unclosed": "No minute is stored before it has closed.",
    "jumps": "No close moves further than quality.jump_fraction in a minute. Only warns: crashes look like this.",
    "staleness": "The newest kline of all symbols closed at most quality.staleness_minutes ago.",
    "row_count": "There are no more rows than symbols times minutes, and some for every symbol.",
}
#: Metadata key of a materialization: corrected rows by day. A sensor alerts on it.
REVISED_ROWS = "revised_rows_by_day"
#: The check that compares what was provisional with what became final.
PROVISIONAL_AGREES = "provisional_agrees"
#: Checks of what is not there.
GAP_CHECKS = {
    "symbol_gaps": "No symbol misses more than quality.symbol_gap_fraction of its minutes while others traded.",
    "venue_gaps": "The whole venue was never silent. Only warns: nobody could have traded.",
}
CERTIFIED = "certified"


def specs(asset: str, checks: Mapping[str, str]) -> list[dg.AssetCheckSpec]:
    """Declare the checks that an asset's step makes."""
    return [
        dg.AssetCheckSpec(name, asset=asset, blocking=True, description=text) for name, text in checks.items()
    ]


def provisional_agrees_spec(asset: str) -> dg.AssetCheckSpec:
    """Declare the check that `provisional_agrees` makes."""
    text = (
        "What was stored while the day was open, or before its archive was out, is what the source says now. "
        "Only warns."
    )
    return dg.AssetCheckSpec(PROVISIONAL_AGREES, asset=asset, description=text)


def provisional_agrees(asset: str, updates: Mapping[date, Update]) -> dg.AssetCheckResult:
    """Compare what days were with what they have become."""
    compared = [day for day, update in updates.items() if update.compared]
    wrong = _revised_by_day(updates)
    return dg.AssetCheckResult(
        check_name=PROVISIONAL_AGREES,
        asset_key=asset,
        passed=not wrong,
        severity=dg.AssetCheckSeverity.WARN,
        description=f"{sum(wrong.values())} rows of {len(wrong)} day(s) differ; see tidemill impact {asset} DAY"
        if wrong
        else f"{len(compared)} day(s) fetched again, none differs",
        metadata={"rows_by_day": wrong},
    )


def revised_rows(updates: Mapping[date, Update]) -> dict[str, dict[str, int]]:
    """Metadata of a run that corrected rows; none of one that did not."""
    by_day = _revised_by_day(updates)
    return {REVISED_ROWS: by_day} if by_day else {}


def _revised_by_day(updates: Mapping[date, Update]) -> dict[str, int]:
    return {day.isoformat(): update.revised for day, update in sorted(updates.items()) if update.revised}


def kline_checks(
    platform: Platform, asset: str, names: Iterable[str], days: list[date]
) -> Iterator[dg.AssetCheckResult]:
    """Judge days of klines; an outcome that only warns stops nothing."""
    by_day = {day: {outcome.name: outcome for outcome in platform.judge_klines(day)} for day in days}
    for name in names:
        yield summarised(asset, name, {day: outcomes[name] for day, outcomes in by_day.items()})


def summarised(asset: str, name: str, by_day: dict[date, CheckOutcome]) -> dg.AssetCheckResult:
    """One result for all days of a run, with the worst day's rows."""
    failed = {day: outcome for day, outcome in by_day.items() if not outcome.passed}
    blocks = any(outcome.severity == "block" for outcome in failed.values())
    worst = next(iter(failed.values()), next(iter(by_day.values())))
    days = ", ".join(day.isoformat() for day in list(failed)[:10])
    metadata: dict[str, dg.MetadataValue] = {
        "days_checked": dg.MetadataValue.int(len(by_day)),
        "days_failed": dg.MetadataValue.int(len(failed)),
        "limit": dg.MetadataValue.text(str(worst.limit)),
        "value": dg.MetadataValue.text(str(worst.value)),
    }
    if failed:
        metadata["failed_days"] = dg.MetadataValue.text(days)
        metadata["worst_rows"] = dg.MetadataValue.md(markdown_table(worst.rows))
    return dg.AssetCheckResult(
        check_name=name,
        asset_key=asset,
        passed=not failed,
        severity=dg.AssetCheckSeverity.ERROR if blocks else dg.AssetCheckSeverity.WARN,
        description=f"{days}: {worst.description}" if failed else worst.description,
        metadata=metadata,
    )


WINDOW_COMPLETE = "window_complete"
RATED_EVERY_BAR = "rated_every_bar"


def window_complete_spec(asset: str) -> dg.AssetCheckSpec:
    """Declare the check that `window_complete` makes."""
    text = "Every day of the look-back window that the lake has begun is present: no silent hole."
    return dg.AssetCheckSpec(WINDOW_COMPLETE, asset=asset, blocking=True, description=text)


def window_complete(lake: Lake, days: list[date], interval: Interval) -> dg.AssetCheckResult:
    """Judge the look-back windows of days."""
    stored = set(lake.days(BARS, interval))
    first_stored = min(stored)
    holes = sorted(
        day
        for last in days
        for day in days_between(max(window_start(last, interval), first_stored), last)
        if day not in stored
    )
    return dg.AssetCheckResult(
        check_name=WINDOW_COMPLETE,
        passed=not holes,
        description=f"{len(set(holes))} day(s) missing; make them with tidemill backfill",
        metadata={
            "missing_days": [day.isoformat() for day in sorted(set(holes))[:20]],
            "first_stored_day": first_stored.isoformat(),
        },
    )


def rated_every_bar_spec(asset: str) -> dg.AssetCheckSpec:
    """Declare the check that `rated_every_bar` makes."""
    text = "There is one rating row per indicator row."
    return dg.AssetCheckSpec(RATED_EVERY_BAR, asset=asset, blocking=True, description=text)


def rated_every_bar(lake: Lake, days: list[date], interval: Interval) -> dg.AssetCheckResult:
    """Compare what is stored of days."""
    wrong = []
    for day in days:
        bars, ratings = lake.info(INDICATORS, day, interval), lake.info(SCREENER_RATINGS, day, interval)
        if bars is None or ratings is None or bars.rows != ratings.rows:
            wrong.append(day.isoformat())
    return dg.AssetCheckResult(
        check_name=RATED_EVERY_BAR, passed=not wrong, metadata={"days_that_differ": wrong[:20]}
    )
