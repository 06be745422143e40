"""New ratings of the latest closed day ask for one decision run. History never does."""

from datetime import date, timedelta

import dagster as dg

from resources.clock import SystemClock
from trading.model.days import day_at, end_ms

#: The asset whose materialisation says that a day has been rated.
RATINGS_ASSET = dg.AssetKey("screener_ratings_15m")
BACKFILL_TAG = "dagster/backfill"
_RANGE_TAG = "dagster/asset_partition_range_start"
_BATCH = 200


@dg.sensor(
    name="decide_on_new_ratings",
    job_name="decision",
    minimum_interval_seconds=15,
    default_status=dg.DefaultSensorStatus.STOPPED,
)
def decide_on_new_ratings(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Ask for a decision run once the run that rated the latest closed day has succeeded.

    The cursor is the id of the last event looked at; the first tick only sets it. Partitions other
    than the latest closed day, backfills and range runs are passed over. While the rating run is
    still going the cursor stays before it.
    """
    if context.cursor is None:
        return dg.SensorResult(cursor=str(_newest_event(context.instance)), run_requests=[])
    latest_closed = (day_at(SystemClock().now_ms()) - timedelta(days=1)).isoformat()
    events = context.instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=RATINGS_ASSET, after_storage_id=int(context.cursor)),
        limit=_BATCH,
        ascending=True,
    ).records
    cursor, requests = int(context.cursor), []
    for event in events:
        run = context.instance.get_run_by_id(event.run_id)
        if event.partition_key == latest_closed and run is not None and not _is_history(run.tags):
            if not run.is_finished:
                break
            if run.is_success:
                requests = [_request(latest_closed, event.storage_id)]
        cursor = event.storage_id
    return dg.SensorResult(cursor=str(cursor), run_requests=requests)


def _is_history(tags: dict[str, str]) -> bool:
    return BACKFILL_TAG in tags or _RANGE_TAG in tags


def _newest_event(instance: dg.DagsterInstance) -> int:
    records = instance.fetch_materializations(RATINGS_ASSET, limit=1).records
    return records[0].storage_id if records else 0


def _request(day: str, storage_id: int) -> dg.RunRequest:
    return dg.RunRequest(
        run_key=f"decide:{day}:{storage_id}",
        run_config={"ops": {"take_snapshot": {"config": {"bar_close_ms": end_ms(date.fromisoformat(day))}}}},
        tags={"tidemill/day": day},
    )
