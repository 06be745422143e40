"""When things run. Every schedule works on the day that closed last, never on the open one."""

from datetime import timedelta
from typing import Any

import dagster as dg

from pipelines.jobs import (
    daily_job,
    finalise_job,
    futures_job,
    pairs_job,
    strategies_job,
    suite_job,
    training_job,
)
from pipelines.ops.drill import kill_drill_job
from pipelines.ops.reconcile import reconcile_job
from pipelines.ops.strategies import activate_strategies_job, review_strategies_job


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


@dg.schedule(
    name="kill_drill_schedule",
    job=kill_drill_job,
    cron_schedule="10 5 * * *",
    execution_timezone="UTC",
    description="05:10 UTC: try the kill chain on a local exchange and keep the evidence.",
)
def kill_drill_schedule(context: dg.ScheduleEvaluationContext) -> dg.RunRequest:
    """One drill a day, however often the tick is evaluated."""
    return dg.RunRequest(run_key=f"kill_drill:{context.scheduled_execution_time:%Y-%m-%d}")


reconcile_schedule = dg.ScheduleDefinition(
    name="reconcile_schedule",
    job=reconcile_job,
    cron_schedule="* * * * *",
    execution_timezone="UTC",
    description="Every minute: compare the ledger with the venue's account.",
)

review_schedule = dg.ScheduleDefinition(
    name="review_schedule",
    job=review_strategies_job,
    cron_schedule="0 2 * * *",
    execution_timezone="UTC",
    description="02:00 UTC: grade the strategies that trade.",
)

activation_schedule = dg.ScheduleDefinition(
    name="activation_schedule",
    job=activate_strategies_job,
    cron_schedule="0 */4 * * *",
    execution_timezone="UTC",
    description="Every four hours: who leaves paper, and who has a live place.",
)

SCHEDULES = [
    reconcile_schedule,
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
    _closed_day_schedule(
        "pairs", pairs_job, "0 1 * * *", "01:00 UTC: choose the best pairs of the closed day."
    ),
    review_schedule,
    activation_schedule,
    kill_drill_schedule,
]
