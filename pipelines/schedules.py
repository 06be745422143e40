"""When things run. Every schedule works on the day that closed last, never on the open one."""

from datetime import timedelta

import dagster as dg

from pipelines.jobs import daily_job, strategies_job, training_job


def _closed_day(context: dg.ScheduleEvaluationContext) -> str:
    return (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")


@dg.schedule(job=daily_job, cron_schedule="20 0 * * *", execution_timezone="UTC")
def daily_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """00:20 UTC: finalise the day that closed at midnight."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"daily:{day}", partition_key=day)


@dg.schedule(job=strategies_job, cron_schedule="0 3 * * *", execution_timezone="UTC")
def strategies_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """03:00 UTC: generate and judge strategies on history up to the closed day."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"strategies:{day}", partition_key=day)


@dg.schedule(job=training_job, cron_schedule="0 4 * * 0", execution_timezone="UTC")
def training_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """Sundays, 04:00 UTC: train the confidence model anew."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"training:{day}", partition_key=day)


SCHEDULES = [daily_schedule, strategies_schedule, training_schedule]
