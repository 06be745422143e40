"""How long `tidemill impact` takes over a year of stored days: python -m benchmarks.impact [--times N]."""

from __future__ import annotations

import argparse
import json
import os
import random
import shutil
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import dagster as dg
import polars as pl

from benchmarks.home import Home
from pipelines.asset_nodes import nodes_of
from trading.model.interval import Interval
from warehouse.datasets.catalogue import BY_NAME
from warehouse.lake.lake import Lake, open_lake

DAYS = 365
FIRST = date(2025, 1, 1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--times", type=int, default=20)
    print(json.dumps(measure(parser.parse_args().times), indent=1))


def measure(times: int) -> dict[str, object]:
    """Wall time of whole processes, over random days of the first half of the year."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder), "http://127.0.0.1:9", history_days=45)
        begun = time.monotonic()
        partitions = _fill(home)
        prepared = time.monotonic() - begun
        days = random.Random(3).choices(range(DAYS // 2), k=times)
        seconds = []
        for offset in days:
            day = FIRST + timedelta(days=offset)
            done = home.run("apps.cli.main", "impact", "klines", day.isoformat(), "--json")
            seconds.append(done.seconds)
        touched = sum(item["days"] for item in done.output["impact"]["assets"])
    seconds.sort()
    return {
        "stored_days": DAYS,
        "stored_partitions": partitions,
        "touched_partitions": touched,
        "runs": times,
        "p50_seconds": round(seconds[len(seconds) // 2], 2),
        "p95_seconds": round(seconds[max(0, -(-len(seconds) * 95 // 100) - 1)], 2),
        "preparing_seconds": round(prepared, 1),
    }


def _fill(home: Home) -> int:
    """A year of empty partitions, each with its event in Dagster's instance."""
    from pipelines.live import defs

    lake = open_lake(str(home.folder / "var" / "lake"))
    partitions = 0
    os.environ.update(home.environment)
    with dg.DagsterInstance.get() as instance:
        for node in nodes_of(defs).values():
            dataset = BY_NAME.get(node.dataset)
            if dataset is None:
                continue
            text = node.table.partition("/interval=")[2]
            _copy_days(lake, node.table, Interval(text) if text else None)
            for offset in range(DAYS):
                day = FIRST + timedelta(days=offset)
                instance.report_runless_asset_event(
                    dg.AssetMaterialization(node.key, partition=day.isoformat())
                )
                partitions += 1
    return partitions


def _copy_days(lake: Lake, table: str, interval: Interval | None) -> None:
    """One empty partition, copied to every day: the lake would sync each to the disk."""
    dataset = BY_NAME[table.partition("/")[0]]
    first = Path(lake.write(dataset, FIRST, pl.DataFrame(schema=dataset.schema), interval).uri)
    for offset in range(1, DAYS):
        folder = first.parent.parent / f"date={FIRST + timedelta(days=offset)}"
        folder.mkdir(parents=True)
        shutil.copy(first, folder)


if __name__ == "__main__":
    main()
