"""When things run. Every schedule works on the day that closed last, never on the open one."""

from datetime import timedelta

import dagster as dg

from pipelines.jobs import (
    daily_job,
    finalise_job,
    futures_job,
    strategies_job,
    suite_job,
    training_job,
)


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


@dg.schedule(job=finalise_job, cron_schedule="30 10 * * *", execution_timezone="UTC")
def finalise_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """10:30 UTC: the archive of the closed day is out; compare it with what was fetched at midnight."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"finalise:{day}", partition_key=day)


@dg.schedule(job=futures_job, cron_schedule="40 10 * * *", execution_timezone="UTC")
def futures_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """10:40 UTC: the perpetuals' data of the closed day."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"futures:{day}", partition_key=day)


@dg.schedule(job=suite_job, cron_schedule="30 1 * * *", execution_timezone="UTC")
def suite_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """01:30 UTC: judge the tables of the closed day against the month before."""
    day = _closed_day(context)
    return dg.RunRequest(run_key=f"suite:{day}", partition_key=day)


SCHEDULES = [
    daily_schedule,
    suite_schedule,
    strategies_schedule,
    training_schedule,
    finalise_schedule,
    futures_schedule,
]
