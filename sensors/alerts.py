"""What a person must hear of: failed runs and data that stopped coming."""

from datetime import timedelta

import dagster as dg

from resources.clock import SystemClock
from resources.execution.alerting import raise_alert, report_failed_run
from resources.platform import PlatformResource, open_platform
from trading.alerts.alert import Severity
from trading.model.days import day_at, start_ms
from warehouse.datasets.market import KLINES

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
