"""The Dagster instance of a process that executes runs itself."""

from __future__ import annotations

import os

import dagster as dg
from dagster._core.instance.ref import InstanceRef

#: Output of such a process belongs to its terminal. To copy it into files as well, Dagster starts two more
#: processes for every run: half a second a day, and a tenth of every live bar.
_TERMINAL_ONLY = {
    "module": "dagster._core.storage.noop_compute_log_manager",
    "class": "NoOpComputeLogManager",
}


def open_instance() -> dg.DagsterInstance:
    """The instance of ``$DAGSTER_HOME``, without copies of the process's output."""
    folder = os.environ.get("DAGSTER_HOME")
    if not folder:
        return dg.DagsterInstance.get()  # says what is missing
    return dg.DagsterInstance.from_ref(
        InstanceRef.from_dir(folder, overrides={"compute_logs": _TERMINAL_ONLY})
    )
