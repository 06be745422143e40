"""What learnt from a corrected day, or was decided on it: models, back-tests and decisions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import dagster as dg
import polars as pl

from resources.factory.evaluation import WARMUP_BARS
from trading.factory.genes.genome import Timeframe
from trading.model.days import end_ms, start_ms
from trading.model.interval import DAY_MS
from warehouse.datasets.research import STRATEGIES
from warehouse.lake.lake import Lake
from warehouse.ledger.backend import Ledger

#: The asset whose runs register models.
MODEL = dg.AssetKey("confidence_model")
#: The asset that back-tests strategies.
SEARCH = dg.AssetKey(STRATEGIES.name)
#: Newest trainings that are looked at.
MODELS = 1000


@dataclass(frozen=True, slots=True)
class TouchedModel:
    """A registered confidence model whose data includes a touched day."""

    version: str
    promoted: bool
    first_data: datetime
    last_data: datetime


@dataclass(frozen=True, slots=True)
class TouchedStrategies:
    """A day, and how many of its strategies were back-tested on a touched day, warm-up included."""

    day: date
    strategies: int
    on_paper: int


@dataclass(frozen=True, slots=True)
class TouchedDecisions:
    """Decisions of the ledger on bars of a touched day; they stay as they are."""

    day: date
    decisions: int
    fired: int


def models(instance: dg.DagsterInstance, day: date, last: date) -> Iterator[TouchedModel]:
    """Registered models, newest first, as their training told Dagster: the registry takes seconds to ask."""
    answer = instance.fetch_materializations(MODEL, limit=MODELS)
    first_ms, end = start_ms(day), end_ms(last)
    for record in answer.records:
        made = record.asset_materialization
        if made is None or made.partition is None or "version" not in made.metadata:
            continue  # a training that registered nothing
        metadata = made.metadata
        slices: dict[str, dict[str, str]] = metadata["slices"].value
        opened = min(datetime.fromisoformat(part["first"]) for part in slices.values())
        # Labels look beyond the last row, to the end of the day that the model was trained as of.
        closed = datetime.fromtimestamp(end_ms(date.fromisoformat(made.partition)) / 1000, UTC)
        if opened.timestamp() * 1000 <= end and closed.timestamp() * 1000 > first_ms:
            promoted = bool(metadata["promoted"].value)
            yield TouchedModel(str(metadata["version"].value), promoted, opened, closed)


def strategies(lake: Lake, day: date, last: date) -> Iterator[TouchedStrategies]:
    """Stored days of strategies whose back-test read a day from ``day`` to ``last``.

    A back-test reads more than the window that it trades in: the columns of its rules settle on the bars
    before, the longer the slower it decides. A genome that does not say how fast it decides counts as the
    slowest.
    """
    days = [other for other in lake.days(STRATEGIES) if other >= day]
    if not days:
        return
    reach = {item.value: timedelta(minutes=WARMUP_BARS * item.minutes) for item in Timeframe}
    decides = pl.col("genome").str.extract(r'"timeframe":"(\w+)"')
    settled_on = decides.replace_strict(reach, default=max(reach.values()), return_dtype=pl.Duration("ms"))
    names = ["status", "genome", "window_start", "window_end"]
    rows = (
        lake.scan(STRATEGIES, days[0], days[-1], columns=names)
        .filter((pl.col("window_start") - settled_on).dt.date() <= last)
        .filter(pl.col("window_end") > datetime.fromtimestamp(start_ms(day) / 1000, UTC))
        .group_by(day=(pl.col("window_end") - timedelta(milliseconds=1)).dt.date())
        .agg(strategies=pl.len(), on_paper=(pl.col("status") == "paper").sum())
        .sort("day")
        .collect()
    )
    yield from (TouchedStrategies(**row) for row in rows.iter_rows(named=True))


def decisions(ledger: Ledger, day: date, last: date) -> Iterator[TouchedDecisions]:
    """Decisions per day of their bar; a bar that closes at midnight belongs to the day before."""
    with ledger.read() as tx:
        rows = tx.query(
            "select bar_close_ms - 1 - mod(bar_close_ms - 1, :day_ms) as opened_ms, count(*) as decisions,"
            " sum(case when outcome = 'fired' then 1 else 0 end) as fired from decisions"
            " where bar_close_ms > :first_ms and bar_close_ms <= :end_ms group by 1 order by 1",
            {"day_ms": DAY_MS, "first_ms": start_ms(day), "end_ms": end_ms(last)},
        )
    for row in rows:
        opened = datetime.fromtimestamp(int(row["opened_ms"]) / 1000, UTC).date()
        yield TouchedDecisions(opened, int(row["decisions"]), int(row["fired"]))
