"""The tables of a day, judged one by one and across, and rendered."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

from resources.warehouse_suite import expectations, frames
from resources.warehouse_suite.pages import make_offline
from resources.warehouse_suite.result import Outcome
from resources.warehouse_suite.tables import TABLES, Table
from resources.warehouse_suite.validation import Validation
from warehouse.lake.lake import Lake

#: Days that a day is compared with.
TRAILING_DAYS = 30


def judge(lake: Lake, day: date, site: Path) -> tuple[list[Outcome], list[str]]:
    """Every expectation of a day with what was observed, and why others were not made; pages go to ``site``."""
    validation = Validation(site)
    stored = frames.stored_tables(lake, TABLES, day)
    outcomes = validation.run("stored_tables", stored, expectations.of_storage())
    present = set(stored.drop_nulls()["table"])
    left_out: list[str] = []
    for table in TABLES:
        if table.name in present:
            found, missing = _judge_table(lake, table, day, validation)
            outcomes += found
            left_out += missing
        else:
            left_out.append(f"{table.name}: nothing is stored of {day}")
    counts = frames.counts(lake, day)
    outcomes += validation.run("counts_across_tables", counts, expectations.of_counts(counts))
    validation.render()
    make_offline(site, day, outcomes, left_out)
    return outcomes, left_out


def _judge_table(
    lake: Lake, table: Table, day: date, validation: Validation
) -> tuple[list[Outcome], list[str]]:
    first = day - timedelta(days=TRAILING_DAYS)
    earlier = [other for other in lake.days(table.dataset, table.interval) if first <= other < day]
    limits = expectations.bands_of(table, frames.statistics(lake, table, earlier))
    frame = frames.day_frame(lake, table, day)
    asked = expectations.of_table(table, limits, empty=frame.is_empty())
    missing = expectations.without_band(table, limits, len(earlier))
    return validation.run(table.name, frame, asked), [missing] if missing else []
