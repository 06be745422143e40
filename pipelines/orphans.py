"""Runs whose process died: ended as failed, so that neither a pool nor a limit waits for them for ever.

A run in a process of ours has no run worker that Dagster's monitoring could ask after. Killed inside a
step with a pool, it would keep its slot, and the next run would wait for that slot without end.
"""

from __future__ import annotations

import os
import socket
from pathlib import Path

import dagster as dg

_TAG = "tidemill/process"
_UNFINISHED = [
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]


def process_tags() -> dict[str, str]:
    """Tags that say which process executes a run: host, process id and the process's start."""
    return {_TAG: f"{socket.gethostname()}:{os.getpid()}:{_start_of(os.getpid())}"}


def end_orphans(instance: dg.DagsterInstance) -> list[str]:
    """End the runs whose process on this host is gone and free their pool slots; returns their ids."""
    ended = []
    for run in instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED)):
        process = run.tags.get(_TAG)
        if process is None or _lives(process):
            continue
        instance.report_run_failed(run, f"its process ({process}) is gone")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
        ended.append(run.run_id)
    return ended


def _lives(process: str) -> bool:
    host, pid, start = process.rsplit(":", 2)
    # What another host or container runs cannot be seen from here.
    return host != socket.gethostname() or _start_of(int(pid)) == start


def _start_of(pid: int) -> str:
    """Start of a process, which tells apart two with one id; empty when there is none."""
    try:
        if Path("/proc/self/stat").exists():
            after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            return "" if after_name[0] == "Z" else after_name[19]
        os.kill(pid, 0)
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return "running"
