"""How an asset over a dataset of the lake is declared and written."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.partitions import DAILY, days_of
from resources.lake import partition_metadata, table_schema
from resources.storing import BACKGROUND_THREADS, Storing
from trading.model.interval import Interval
from warehouse.lake.lake import Lake
from warehouse.lake.partition import PartitionInfo
from warehouse.schema import Dataset

#: Metadata key of an asset: days before its own that its partitions read.
LOOKBACK_DAYS = "tidemill/lookback_days"
#: Seconds between two progress lines of a long run.
PROGRESS_SECONDS = 5.0


def lake_asset(
    dataset: Dataset,
    *,
    group: str,
    deps: Iterable[str] = (),
    interval: Interval | None = None,
    lookback_days: int = 0,
    kinds: set[str] | None = None,
    **options: Any,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """Declare an asset whose partitions are the daily Parquet files of one dataset.

    Parameters
    ----------
    dataset
        The declaration that the column schema, the description and the table name come from.
    interval
        Bar interval, for a dataset that has several; it becomes part of the asset's name.
    lookback_days
        How many days before its own a partition reads of what it depends on: what a correction touches.
    options
        Passed on to `dagster.asset`.
    """
    return dg.asset(
        name=f"{dataset.name}_{interval.value}" if interval else dataset.name,
        deps=list(deps),
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        **_described(dataset, group, interval, lookback_days, kinds),
        **options,
    )


def lake_spec(dataset: Dataset, *, group: str, deps: Iterable[str]) -> dg.AssetSpec:
    """Declare one of several datasets that a step writes together."""
    return dg.AssetSpec(dataset.name, deps=list(deps), **_described(dataset, group, None, 0, None))


def _described(
    dataset: Dataset, group: str, interval: Interval | None, lookback_days: int, kinds: set[str] | None
) -> dict[str, Any]:
    """What the catalogue of the UI says of a dataset."""
    folder = f"{dataset.name}/interval={interval.value}" if interval else dataset.name
    return {
        "group_name": group,
        "kinds": kinds or {"polars", "parquet"},
        "owners": ["team:quant"],
        "description": dataset.description,
        "metadata": {
            "dagster/column_schema": table_schema(dataset),
            "dagster/table_name": f"lake.{folder}",
            LOOKBACK_DAYS: lookback_days,
        },
    }


def write_days(
    context: dg.AssetExecutionContext,
    lake: Lake,
    dataset: Dataset,
    build: Callable[[date], pl.DataFrame],
    *,
    interval: Interval | None = None,
    extra: Mapping[str, Any] | None = None,
    written: Callable[[date, PartitionInfo], None] | None = None,
    checks: Callable[[list[date]], Iterable[dg.AssetCheckResult]] | None = None,
    key: str | None = None,
    background: bool = False,
) -> dg.MaterializeResult:
    """Build and write every day of the run in turn, with progress in the log.

    With ``background`` the next day is built while one is stored: for days that do not read each other.
    ``written`` hears of each partition; ``checks`` then judge what was written. ``extra`` is read last, so
    that all of them may collect into it. ``key`` names the asset where a step writes several.
    """
    days = days_of(context)
    begun = last_line = time.monotonic()
    threads = BACKGROUND_THREADS if background and len(days) > 1 else 0
    with Storing(lake, dataset, interval, written=written, threads=threads) as storing:
        for number, day in enumerate(days, start=1):
            frame = build(day)
            storing.put(day, frame)
            if time.monotonic() - last_line > PROGRESS_SECONDS:
                last_line = time.monotonic()
                context.log.info(f"{dataset.name}: {number} of {len(days)} days, newest {day}")
    infos = storing.infos
    metadata = partition_metadata(infos[-1], frame.tail(8))
    if len(infos) > 1:
        metadata |= {
            "days": len(infos),
            "dagster/row_count": sum(info.rows for info in infos),
            "size_bytes": sum(info.size_bytes for info in infos),
        }
    metadata["computing_seconds"] = round(time.monotonic() - begun, 3)
    check_results = list(checks(days)) if checks else []
    return dg.MaterializeResult(
        asset_key=key,
        metadata={**metadata, **(extra or {})},
        check_results=check_results,
    )
