"""The nightly warehouse suite: Great Expectations over the tables of a day, rendered as Data Docs.

It judges and never blocks: what may not go wrong is checked where it is written.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date, timedelta
from pathlib import Path

from resources.warehouse_suite.result import SuiteResult
from trading.errors import BadData
from warehouse.lake.lake import Lake

#: Days whose Data Docs are kept: a mebibyte each.
KEPT_DAYS = 31


def run_suite(lake: Lake, day: date, folder: Path, *, today: date) -> SuiteResult:
    """Judge every table of a closed day and render what was found.

    Parameters
    ----------
    lake
        Where the tables are.
    day
        The UTC day to judge.
    folder
        Data Docs are written to ``<folder>/<day>/``, in place of those of an earlier run; the newest
        `KEPT_DAYS` days are kept.
    today
        The day that is still open at the market's clock.

    Raises
    ------
    BadData
        If the day has not closed: half a day resembles no whole one.
    """
    if day >= today:
        raise BadData(f"day {day} has not closed: judge {today - timedelta(days=1)} or an earlier one")
    from resources.warehouse_suite.judge import judge

    with _replaced(folder, day) as site:
        outcomes, left_out = judge(lake, day, site)
    return SuiteResult(day, tuple(outcomes), tuple(left_out), folder / day.isoformat() / "index.html")


@contextmanager
def _replaced(folder: Path, day: date) -> Iterator[Path]:
    """A new folder that takes the place of the day's own when the block ends without an error."""
    folder.mkdir(parents=True, exist_ok=True)
    mark = f".{os.getpid()}.{uuid.uuid4().hex[:8]}"
    made, old, target = folder / f"{mark}.new", folder / f"{mark}.old", folder / day.isoformat()
    try:
        yield made
        if target.exists():
            target.rename(old)
        made.rename(target)
    finally:
        for leftover in (made, old):
            shutil.rmtree(leftover, ignore_errors=True)
    for outdated in sorted(folder.glob("????-??-??"))[:-KEPT_DAYS]:
        shutil.rmtree(outdated)
