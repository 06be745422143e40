"""The graph as a whole: what is in it, that it loads, and that loading it stays cheap."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg
import pytest

from pipelines.live import defs
from tests.instance import ROOT

#: Written anew by hand when the graph is meant to change.
GRAPH = Path(__file__).parent / "graph.txt"


def lines() -> list[str]:
    """One line per asset (with what it depends on), check, job, schedule and sensor."""
    graph = defs.resolve_asset_graph()
    found = []
    for key in graph.get_all_asset_keys():
        parents = ", ".join(sorted(parent.to_user_string() for parent in graph.get(key).parent_keys))
        found.append(f"asset {key.to_user_string()} <- {parents}".rstrip())
    for check in graph.asset_check_keys:
        blocks = " blocks" if graph.get(check).blocking else ""
        found.append(f"check {check.asset_key.to_user_string()}.{check.name}{blocks}")
    for job in defs.resolve_all_job_defs():
        if not job.name.startswith("__"):
            found.append(f"job {job.name}")
    for schedule in defs.schedules or []:
        found.append(f"schedule {schedule.name} {schedule.cron_schedule} {schedule.execution_timezone}")
    for sensor in defs.sensors or []:
        found.append(f"sensor {sensor.name} {sensor.default_status.value.lower()}")
    return sorted(found)


def test_the_definitions_load() -> None:
    dg.Definitions.validate_loadable(defs)


def test_the_graph_is_the_one_that_was_meant() -> None:
    assert lines() == GRAPH.read_text().splitlines()


@pytest.mark.parametrize(
    ("name", "moment", "day"),
    [
        ("daily_schedule", "2026-03-01T00:20", "2026-02-28"),
        ("strategies_schedule", "2026-01-01T03:00", "2025-12-31"),
        ("training_schedule", "2026-03-29T04:00", "2026-03-28"),
        ("suite_schedule", "2026-03-01T01:30", "2026-02-28"),
        ("finalise_schedule", "2026-03-01T10:30", "2026-02-28"),
        ("futures_schedule", "2026-03-01T10:40", "2026-02-28"),
    ],
)
def test_schedules_work_on_the_day_that_closed(name: str, moment: str, day: str) -> None:
    context = dg.build_schedule_context(
        scheduled_execution_time=datetime.fromisoformat(moment).replace(tzinfo=UTC)
    )
    schedule = next(item for item in defs.schedules or [] if item.name == name)
    assert isinstance(schedule, dg.ScheduleDefinition)
    request = schedule(context)
    assert isinstance(request, dg.RunRequest)
    assert request.partition_key == day
    assert request.run_key is not None
    assert request.run_key.endswith(day), "one run a day, however often the schedule is evaluated"
    minute, hour, *_ = str(schedule.cron_schedule).split()
    assert moment.endswith(f"T{int(hour):02}:{int(minute):02}")


def test_importing_the_graph_leaves_the_heavy_libraries_out() -> None:
    heavy = ("mlflow", "great_expectations", "sklearn", "pandera", "boto3", "numba", "scipy", "pymoo")
    heavy += ("matplotlib", "websockets", "cryptography", "pycurl", "apps.sandbox.app")
    program = f"import sys, pipelines.live; print([m for m in {heavy!r} if m in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
