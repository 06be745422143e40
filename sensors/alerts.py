"""What a person must hear of: failed runs, data that stopped coming, and data that was corrected."""

from collections.abc import Sequence
from datetime import timedelta

import dagster as dg

from assets.checks import REVISED_ROWS
from resources.clock import SystemClock
from resources.execution.alerting import raise_alert, report_failed_run
from resources.platform import PlatformResource, open_platform
from trading.alerts.alert import Severity
from trading.model.days import day_at, start_ms
from warehouse.datasets.futures_certificates import CERTIFIED_SERIES
from warehouse.datasets.market import KLINES

#: Assets whose values may be corrected after they were stored.
_REVISABLE = (KLINES.name, *(dataset.name for dataset in CERTIFIED_SERIES))
#: Events that one tick of a sensor looks at.
_BATCH = 200
#: Minutes after midnight UTC by which the closed day must be in the lake.
DAILY_DEADLINE_MINUTES = 60


@dg.run_failure_sensor(
    name="alert_on_run_failure", minimum_interval_seconds=15, default_status=dg.DefaultSensorStatus.RUNNING
)
def alert_on_run_failure(context: dg.RunFailureSensorContext) -> None:
    """Send one alert per failed run."""
    run = context.dagster_run
    report_failed_run(open_platform(), run.job_name, run.run_id, str(context.failure_event.message))


@dg.sensor(
    name="alert_on_stale_data",
    minimum_interval_seconds=300,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alert_on_stale_data(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Send one alert per day on which the closed day's klines are missing after the deadline."""
    now_ms = SystemClock().now_ms()
    today = day_at(now_ms)
    if now_ms < start_ms(today) + DAILY_DEADLINE_MINUTES * 60_000:
        return dg.SkipReason("the day's data is not due yet")
    tidemill = platform.get()
    due = today - timedelta(days=1)
    stored = tidemill.lake.days(KLINES)
    if not stored:
        return dg.SkipReason("the lake is empty: nothing has been started yet")
    if stored[-1] >= due:
        return dg.SkipReason(f"klines reach {stored[-1]}")
    raise_alert(
        tidemill,
        key=f"stale_data:{today}",
        severity=Severity.WARNING,
        title=f"Klines end on {stored[-1]}",
        body=f"The partition of {due} is missing. Run: tidemill backfill --from {stored[-1]} --to {due}",
    )
    return dg.SensorResult(run_requests=[])


@dg.sensor(
    name="alert_on_revised_klines",
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alert_on_revised_klines(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult:
    """Send one alert per run and series that replaced values of klines or of perpetuals, provisional or not.

    The cursor is the id of the last event looked at; the first tick only sets it.
    """
    after = None if context.cursor is None else int(context.cursor)
    found = {name: _made(context.instance, name, after) for name in _REVISABLE}
    newest = [events[0 if after is None else -1].storage_id for events in found.values() if events]
    if after is None:
        return dg.SensorResult(cursor=str(max(newest, default=0)), run_requests=[])
    for name, events in found.items():
        _alert_on_revisions(platform, name, events)
    # A series with more events than one tick looks at is not left behind by the others.
    unread = [events[-1].storage_id for events in found.values() if len(events) == _BATCH]
    cursor = min(unread) if unread else max(newest, default=after)
    return dg.SensorResult(cursor=str(cursor), run_requests=[])


def _made(instance: dg.DagsterInstance, asset: str, after: int | None) -> Sequence[dg.EventLogRecord]:
    """Events after an id, oldest first; only the newest one where there is no id."""
    wanted = dg.AssetRecordsFilter(asset_key=dg.AssetKey(asset), after_storage_id=after)
    limit = 1 if after is None else _BATCH
    return instance.fetch_materializations(wanted, limit=limit, ascending=after is not None).records


def _alert_on_revisions(platform: PlatformResource, asset: str, events: Sequence[dg.EventLogRecord]) -> None:
    revised: dict[str, dict[str, int]] = {}
    for event in events:
        made = event.asset_materialization
        rows = made.metadata.get(REVISED_ROWS) if made else None
        if rows is not None:
            revised.setdefault(event.run_id, {}).update(dict(rows.value))
    what = "klines" if asset == KLINES.name else f"rows of {asset}"
    for run_id, days in revised.items():
        first = min(days)
        raise_alert(
            platform.get(),
            key=f"revised_{asset}:{run_id}",
            severity=Severity.WARNING,
            title=f"{sum(days.values())} {what} of {len(days)} day(s) were corrected",
            body=f"First {first}. What it touches: tidemill impact {asset} {first}\nrun {run_id}",
        )
