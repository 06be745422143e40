"""How an asset over a dataset of the lake is declared and written."""

import time
from collections.abc import Callable, Iterable, Mapping
from datetime import date
from typing import Any

import dagster as dg
import polars as pl

from assets.partitions import DAILY, days_of
from resources.lake import partition_metadata, table_schema
from trading.model.interval import Interval
from warehouse.lake.lake import Lake
from warehouse.lake.partition import PartitionInfo
from warehouse.schema import Dataset

#: Seconds between two progress lines of a long run.
PROGRESS_SECONDS = 5.0


def lake_asset(
    dataset: Dataset,
    *,
    group: str,
    deps: Iterable[str] = (),
    interval: Interval | None = None,
    name: str | None = None,
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
    options
        Passed on to `dagster.asset`.
    """
    asset_name = name or (f"{dataset.name}_{interval.value}" if interval else dataset.name)
    folder = f"{dataset.name}/interval={interval.value}" if interval else dataset.name
    return dg.asset(
        name=asset_name,
        group_name=group,
        deps=list(deps),
        partitions_def=DAILY,
        backfill_policy=dg.BackfillPolicy.single_run(),
        kinds=kinds or {"polars", "parquet"},
        owners=["team:quant"],
        description=dataset.description,
        metadata={"dagster/column_schema": table_schema(dataset), "dagster/table_name": f"lake.{folder}"},
        **options,
    )


def write_days(
    context: dg.AssetExecutionContext,
    lake: Lake,
    dataset: Dataset,
    build: Callable[[date], pl.DataFrame],
    *,
    interval: Interval | None = None,
    extra: Mapping[str, Any] | None = None,
    check: Callable[[list[date]], dg.AssetCheckResult] | None = None,
) -> dg.MaterializeResult:
    """Build and write every day of the run in turn, with progress in the log.

    ``extra`` is read after the last day, so that a builder may collect into it; ``check`` then judges what
    was written.
    """
    days = days_of(context)
    written: list[PartitionInfo] = []
    begun = last_line = time.monotonic()
    for day in days:
        frame = build(day)
        written.append(lake.write(dataset, day, frame, interval=interval))
        if time.monotonic() - last_line > PROGRESS_SECONDS:
            last_line = time.monotonic()
            context.log.info(f"{dataset.name}: {len(written)} of {len(days)} days, {day} written")
    metadata = partition_metadata(written[-1], frame.tail(8))
    if len(written) > 1:
        metadata |= {
            "days": len(written),
            "dagster/row_count": sum(info.rows for info in written),
            "size_bytes": sum(info.size_bytes for info in written),
        }
    metadata["computing_seconds"] = round(time.monotonic() - begun, 3)
    return dg.MaterializeResult(
        metadata={**metadata, **(extra or {})}, check_results=[check(days)] if check else []
    )
