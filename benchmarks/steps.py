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
    """Steps of a run; computing is what an asset says of itself, else the time to the step's first output."""
    started: dict[str, float] = {}
    first_output: dict[str, float] = {}
    computing: dict[str, float] = {}
    rows = []
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        if event is None or event.step_key is None:
            continue
        step = event.step_key
        if event.event_type is dg.DagsterEventType.STEP_START:
            started[step] = entry.timestamp
        if event.event_type is dg.DagsterEventType.STEP_OUTPUT:
            first_output.setdefault(step, entry.timestamp)
        if event.event_type is dg.DagsterEventType.ASSET_MATERIALIZATION:
            metadata = event.step_materialization_data.materialization.metadata
            if "computing_seconds" in metadata:
                computing[step] = float(metadata["computing_seconds"].value)
        if event.event_type is dg.DagsterEventType.STEP_SUCCESS:
            seconds = entry.timestamp - started[step]
            own = computing.get(step, first_output.get(step, entry.timestamp) - started[step])
            rows.append(
                {
                    "job": job,
                    "step": step,
                    "step_seconds": round(seconds, 3),
                    "computing_seconds": round(min(own, seconds), 3),
                }
            )
    return rows


if __name__ == "__main__":
    main()
