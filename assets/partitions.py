"""The one partition definition, and the days that a run covers."""

import warnings
from datetime import date, timedelta

import dagster as dg

from resources.settings import first_day
from trading.model.days import days_between

# single_run backfills carry Dagster's beta mark; the decision page on partitions says why we use them
warnings.filterwarnings("ignore", category=dg.BetaWarning, message=".*backfill_policy.*")

#: Daily partitions of the whole universe, the day still open included.
DAILY = dg.DailyPartitionsDefinition(start_date=first_day().isoformat(), timezone="UTC", end_offset=1)


def days_of(context: dg.AssetExecutionContext | dg.AssetCheckExecutionContext) -> list[date]:
    """The partition days of the run, oldest first: one day, or the range of a backfill."""
    window = context.partition_time_window
    return days_between(window.start.date(), window.end.date() - timedelta(days=1))
