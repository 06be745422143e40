"""A home folder with a finished daily run, and the UI on it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.dagster_service import ROOT, DagsterService, free_port, service_environment

SMALL = """
history_days: 2
universe: {symbols: [BTCUSDT, ETHUSDT, SOLUSDT]}
factory: {evolution: {candidates: 20, looks_per_candidate: 2, population: 4, elites: 1, round_size: 20}}
"""


def make_home(home: Path, configuration: str) -> None:
    """Run the daily pipeline to audited paper orders in a folder, as a user would."""
    (home / "config").mkdir(parents=True)
    (home / "config" / "tidemill.yaml").write_text(configuration)
    (home / "dagster.yaml").write_text((ROOT / "dagster.yaml").read_text())
    done = subprocess.run(
        [sys.executable, "-m", "apps.cli.main", "run", "daily"],
        cwd=ROOT,
        env=service_environment(home),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"[-6000:]


def ui_service(home: Path) -> DagsterService:
    """What `tidemill ui` opens, on a free port."""
    port = free_port()
    command = [sys.executable, "-m", "apps.cli.main", "ui", "--port", str(port)]
    return DagsterService({"ui": command}, port, service_environment(home), home)
