"""Running the jobs of the graph in this process, as ordinary Dagster runs, with progress."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import date, timedelta
from typing import Any
from uuid import uuid4

import dagster as dg

from pipelines.instance import open_instance
from pipelines.live import defs
from pipelines.orphans import end_orphans, process_tags
from pipelines.outcome import BackfillOutcome, CheckLine, DailyOutcome, Progress, RunLine
from pipelines.watch import step_listener
from resources.execution.ticks import tick_id_of
from resources.platform import Platform, open_platform
from trading.errors import BadData
from trading.model.days import day_at, days_between, end_ms
from trading.model.interval import MINUTE_MS, Interval
from warehouse.datasets.market import KLINES
from warehouse.datasets.research import FEATURE_ROWS

#: Run configuration that keeps the log off the terminal; the run's page has all of it.
QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}

_RANGE_START = "dagster/asset_partition_range_start"
_RANGE_END = "dagster/asset_partition_range_end"
#: A model is trained anew when the last training is older than this.
_TRAINING_DAYS = 7


class Session:
    """Executes jobs one after the other on one instance and collects what they did."""

    def __init__(self, instance: dg.DagsterInstance, progress: Progress) -> None:
        self.instance = instance
        self.progress = progress
        self.started = time.monotonic()
        self.runs: list[RunLine] = []
        self.checks: list[CheckLine] = []
        end_orphans(instance)

    @property
    def seconds(self) -> float:
        """Seconds since the session began."""
        return time.monotonic() - self.started

    @property
    def failed(self) -> bool:
        """Whether a run of the session failed."""
        return not all(run.succeeded for run in self.runs)

    def days(self, job: str, first: date, last: date, label: str) -> bool:
        """Run an asset job for a range of days in one run."""
        if first == last:
            return self._execute(job, label, partition_key=first.isoformat())
        tags = {_RANGE_START: first.isoformat(), _RANGE_END: last.isoformat()}
        return self._execute(job, label, tags=tags)

    def decide(self, bar_close_ms: int) -> bool:
        """Run the decision job for one tick."""
        config = {"ops": {"take_snapshot": {"config": {"bar_close_ms": bar_close_ms}}}}
        return self._execute("decision", "decide", run_config=config)

    def _execute(
        self,
        job_name: str,
        label: str,
        *,
        run_config: Mapping[str, Any] | None = None,
        tags: Mapping[str, str] | None = None,
        **options: Any,
    ) -> bool:
        job = defs.resolve_job_def(job_name)
        begun = time.monotonic()
        run_id = str(uuid4())
        listener = step_listener(label, len(job.nodes), self.progress)
        self.instance.add_event_listener(run_id, listener)
        result = job.execute_in_process(
            instance=self.instance,
            raise_on_error=False,
            run_id=run_id,
            run_config={**QUIET, **(run_config or {})},
            tags={**process_tags(), **(tags or {})},
            **options,
        )
        self.runs.append(
            RunLine(job_name, result.run_id, time.monotonic() - begun, result.success, first_error(result))
        )
        self.checks += _checks(result)
        return bool(result.success)


def run_daily(day: date | None, progress: Progress) -> DailyOutcome:
    """Take one day from klines to strategies and, when it is the latest, on to audited paper orders.

    The first run fetches ``history_days`` before the day; later ones only what is missing. The
    model is trained when the last training is a week old. The decision is made on the newest closed
    15-minute bar, so the open day's partition is brought up to it first: orders belong to the
    present, however late in the day the run starts. An older day is computed and never traded.

    Raises
    ------
    BadData
        If the day has not closed at the market's clock.
    """
    platform = open_platform()
    latest = day_at(platform.clock.now_ms()) - timedelta(days=1)
    day = day or latest
    if day > latest:
        raise BadData(f"--date {day} has not closed: the latest closed day is {latest}")
    close_ms = _decision_close_ms(platform)
    with open_instance() as instance:
        session = Session(instance, progress)
        decided = _daily(platform, session, day) and day == latest and _decide(platform, session, close_ms)
        return DailyOutcome(
            day=day,
            bar_close_ms=close_ms,
            tick_id=tick_id_of(platform, close_ms) if decided else None,
            traded=day == latest,
            runs=tuple(session.runs),
            checks=tuple(session.checks),
            seconds=session.seconds,
        )


def _decision_close_ms(platform: Platform) -> int:
    """Close of the newest 15-minute bar whose next minute, where orders fill, has closed too."""
    step = Interval.M15.milliseconds
    return (platform.clock.now_ms() - MINUTE_MS) // step * step


def _daily(platform: Platform, session: Session, day: date) -> bool:
    first = day - timedelta(days=platform.settings.history_days - 1)
    missing = _missing(platform, first, day - timedelta(days=1))
    if missing and not session.days("backfill", missing[0], missing[-1], "history"):
        return False
    if _training_due(session.instance, day):
        before = day - timedelta(days=1)
        session.days("training", before, before, "training")
    return session.days("daily", day, day, "daily") and session.days(
        "strategy_search", day, day, "strategies"
    )


def _decide(platform: Platform, session: Session, close_ms: int) -> bool:
    open_day = day_at(close_ms - 1)
    if close_ms == end_ms(open_day) or session.days("intraday", open_day, open_day, "today"):
        return session.decide(close_ms)
    return False


def run_backfill(first: date, last: date, progress: Progress, *, futures: bool = False) -> BackfillOutcome:
    """Build klines to features for a range of days in a single run; never trades.

    Raises
    ------
    BadData
        If the range is reversed or reaches beyond the latest closed day.
    """
    platform = open_platform()
    latest = day_at(platform.clock.now_ms()) - timedelta(days=1)
    if first > last:
        raise BadData(f"--from {first} is after --to {last}; swap them")
    if last > latest:
        raise BadData(f"--to {last} has not closed: the latest closed day is {latest}")
    with open_instance() as instance:
        session = Session(instance, progress)
        if session.days("backfill", first, last, "backfill") and futures:
            session.days("futures", first, last, "futures")
        return BackfillOutcome(first, last, tuple(session.runs), tuple(session.checks), session.seconds)


def _missing(platform: Platform, first: date, last: date) -> list[date]:
    complete = set(platform.lake.days(KLINES)) & set(platform.lake.days(FEATURE_ROWS))
    return [day for day in days_between(first, last) if day not in complete]


def _training_due(instance: dg.DagsterInstance, day: date) -> bool:
    newest = instance.get_latest_materialization_event(dg.AssetKey("confidence_model"))
    trained = newest.asset_materialization.partition if newest and newest.asset_materialization else None
    return trained is None or date.fromisoformat(trained) < day - timedelta(days=_TRAINING_DAYS)


def first_error(result: dg.ExecuteInProcessResult) -> str:
    """What the run's first failed step says; empty when none failed."""
    for event in result.all_events:
        if event.is_step_failure:
            error = event.step_failure_data.error
            # One level below Dagster's wrapping: the error that was raised, not what it explains.
            if error is not None and error.cause is not None:
                error = error.cause
            return f"{event.step_key}: {error.message.strip() if error else event.message}"
    return ""


def _checks(result: dg.ExecuteInProcessResult) -> list[CheckLine]:
    return [
        CheckLine(
            asset=evaluation.asset_key.to_user_string(),
            check=evaluation.check_name,
            passed=evaluation.passed,
            blocking=bool(evaluation.blocking),
            severity=evaluation.severity.value,
            description=evaluation.description or "",
        )
        for evaluation in result.get_asset_check_evaluations()
    ]
