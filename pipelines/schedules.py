"""When things run. Every schedule works on the day that closed last, never on the open one."""

from datetime import timedelta
from typing import Any

import dagster as dg

from pipelines.jobs import (
    daily_job,
    finalise_job,
    futures_job,
    strategies_job,
    suite_job,
    training_job,
)


def _closed_day_schedule(name: str, job: Any, cron: str, description: str) -> dg.ScheduleDefinition:
    """One run a day on the day before the tick, however often the tick is evaluated."""

    @dg.schedule(
        name=f"{name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone="UTC",
        description=description,
    )
    def closed_day(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
        day = (context.scheduled_execution_time - timedelta(days=1)).strftime("%Y-%m-%d")
        return dg.RunRequest(run_key=f"{name}:{day}", partition_key=day)

    return closed_day


SCHEDULES = [
    _closed_day_schedule(
        "daily", daily_job, "20 0 * * *", "00:20 UTC: finalise the day that closed at midnight."
    ),
    _closed_day_schedule(
        "suite", suite_job, "30 1 * * *", "01:30 UTC: judge the closed day's tables against the month before."
    ),
    _closed_day_schedule(
        "strategies",
        strategies_job,
        "0 3 * * *",
        "03:00 UTC: generate and judge strategies on history up to the closed day.",
    ),
    _closed_day_schedule(
        "training", training_job, "0 4 * * 0", "Sundays, 04:00 UTC: train the confidence model anew."
    ),
    _closed_day_schedule(
        "finalise",
        finalise_job,
        "30 10 * * *",
        "10:30 UTC: the archive of the closed day is out; compare it with what was fetched at midnight.",
    ),
    _closed_day_schedule(
        "futures", futures_job, "40 10 * * *", "10:40 UTC: the perpetuals' data of the closed day."
    ),
]
