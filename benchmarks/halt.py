"""The kill chain: from halt to no open entry, and recovery of a guard that was killed while it acted.

python -m benchmarks.halt [--drills N] [--commands N] [--kills N]

A local exchange with its signed futures endpoints, the real guard as a process of its own, no Dagster anywhere
and a ledger URL on which nobody listens. The flag is raised in this process, or by the command `tidemill halt`.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import random
import signal
import subprocess
import sys
import time

import psutil

from benchmarks.home import ROOT
from resources.killswitch.drill_range import DrillRange, now_ms
from warehouse.flags import kill_flag
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.journal import read_journal

ENTRIES = 6
#: Nobody listens there: what a dead Postgres looks like.
DEAD = "postgresql://tidemill@127.0.0.1:9/tidemill"
GUARD = {"poll_seconds": 0.1, "recheck_seconds": 0.5, "heartbeat_timeout_seconds": 3_600}
LONGEST_SECONDS = 60.0


def by_flag(at: DrillRange, drills: int) -> list[float]:
    """Seconds from raising the flag until the exchange shows no entry."""
    found = []
    for _ in range(drills):
        at.place_entries(ENTRIES)
        begun = time.time()
        kill_flag.halt(at.folder, "benchmark", "benchmark", now_ms())
        found.append(at.wait("no entry is left", lambda: at.entries() == 0, LONGEST_SECONDS) - begun)
        rearm(at)
    return found


def by_command(at: DrillRange, drills: int) -> list[float]:
    """The same from the start of the command's process, while its ledger is down."""
    found = []
    home = at.folder.parent.parent
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMILL_")}
    environment |= {"TIDEMILL_HOME": str(home), "TIDEMILL_LEDGER_URL": DEAD, "PYTHONPATH": str(ROOT)}
    for _ in range(drills):
        at.place_entries(ENTRIES)
        begun = time.time()
        command = subprocess.Popen(
            [sys.executable, "-m", "apps.cli.main", "halt", "--reason", "benchmark"],
            cwd=ROOT,
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        found.append(at.wait("no entry is left", lambda: at.entries() == 0, LONGEST_SECONDS) - begun)
        command.send_signal(signal.SIGTERM)  # it still waits for the dead ledger
        command.wait()
        rearm(at)
    return found


def after_kill(at: DrillRange, kills: int, seed: int) -> list[float]:
    """Seconds from ``kill -9`` in the middle of the guard's work until no entry is left, its new start included."""
    chance = random.Random(seed)
    found = []
    for _ in range(kills):
        at.place_entries(ENTRIES)
        kill_flag.halt(at.folder, "benchmark", "benchmark", now_ms())
        time.sleep(chance.uniform(0.05, 0.2))
        at.kill_guard()
        begun = time.time()
        at.start_guard()
        found.append(at.wait("no entry is left", lambda: at.entries() == 0, LONGEST_SECONDS) - begun)
        rearm(at)
    return found


def rearm(at: DrillRange) -> None:
    """Lift the flag and wait until the guard has seen it; every position must be protected then."""
    at.wait("every position is protected", lambda: not at.unprotected(), LONGEST_SECONDS)
    kill_flag.lift(at.folder, kill_flag.read(at.folder), "benchmark", "benchmark", now_ms())
    at.wait(
        "the guard has calmed down",
        lambda: read_journal(at.folder / JOURNAL_FILE)[-1].kind == "rearmed",
        LONGEST_SECONDS,
    )


def summary(seconds: list[float]) -> dict[str, object]:
    """Nearest-rank quantiles."""
    ordered = sorted(seconds)

    def rank(share: float) -> float:
        return round(ordered[math.ceil(len(ordered) * share) - 1], 3)

    return {
        "runs": len(ordered),
        "p50_seconds": rank(0.5),
        "p99_seconds": rank(0.99),
        "max_seconds": round(ordered[-1], 3),
    }


def measure(drills: int, commands: int, kills: int, seed: int = 7) -> dict[str, object]:
    """Every figure."""
    with DrillRange(GUARD) as at:
        at.open_positions()
        at.start_guard()
        figures: dict[str, object] = {"entries": ENTRIES, "load_before": psutil.getloadavg()[0]}
        for name, run in (
            ("flag_to_no_entries", lambda: by_flag(at, drills)),
            ("command_to_no_entries_ledger_down", lambda: by_command(at, commands)),
            ("recovery_after_kill", lambda: after_kill(at, kills, seed)),
        ):
            figures[name] = summary(run())
            print(
                json.dumps({name: figures[name], "load": psutil.getloadavg()[0]}), file=sys.stderr, flush=True
            )
        figures["load_after"] = psutil.getloadavg()[0]
        return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--drills", type=int, default=200)
    parser.add_argument("--commands", type=int, default=200)
    parser.add_argument("--kills", type=int, default=30)
    arguments = parser.parse_args()
    print(json.dumps(measure(arguments.drills, arguments.commands, arguments.kills), indent=1))


if __name__ == "__main__":
    main()
