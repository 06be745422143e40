"""Prints, as JSON, how long each step of the newest daily runs took and how much of it was computing."""

from __future__ import annotations

import json

import dagster as dg

JOBS = ("daily", "strategy_search", "intraday", "decision")


def main() -> None:
    rows = []
    with dg.DagsterInstance.get() as instance:
        for job in JOBS:
            runs = instance.get_runs(dg.RunsFilter(job_name=job), limit=1)
            for run in runs:
                rows += _steps(instance, run.run_id, job)
    print(json.dumps(rows))


def _steps(instance: dg.DagsterInstance, run_id: str, job: str) -> list[dict[str, object]]:
    started: dict[str, float] = {}
    computing: dict[str, float] = {}
    rows = []
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        if event.event_type is dg.DagsterEventType.STEP_START:
            started[event.step_key] = entry.timestamp
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            metadata = event.step_materialization_data.materialization.metadata
            if "computing_seconds" in metadata:
                computing[event.step_key] = float(metadata["computing_seconds"].value)
        if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            seconds = entry.timestamp - started[event.step_key]
            own = computing.get(
                event.step_key, seconds if event.is_step_event and "kline" in event.step_key else 0.0
            )
            rows.append(
                {
                    "job": job,
                    "step": event.step_key,
                    "step_seconds": round(seconds, 3),
                    "computing_seconds": round(min(own, seconds), 3),
                }
            )
    return rows


if __name__ == "__main__":
    main()
