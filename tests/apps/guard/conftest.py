"""A venue, a folder for the kill chain's files, and guards as processes that never outlive a test."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from guard_runs import ROOT, Start, until
from guard_venue import Book, HttpVenue

from warehouse.flags import heartbeat


@pytest.fixture
def book() -> Book:
    return Book()


@pytest.fixture
def venue(book: Book) -> Iterator[HttpVenue]:
    server = HttpVenue(book)
    yield server
    server.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "var" / "control"


@pytest.fixture
def start(venue: HttpVenue, folder: Path) -> Iterator[Start]:
    """Start a guard and wait until it watches; settings as keywords."""
    started: list[subprocess.Popen[str]] = []

    def run(*, wait: bool = True, **settings: Any) -> subprocess.Popen[str]:
        settings = {"countdown_ms": 0, "recheck_seconds": 0.2, "poll_seconds": 0.02, **settings}
        before = heartbeat.read(folder, "guard")
        environment = {name: value for name, value in os.environ.items() if not name.startswith("TIDEMILL_")}
        process = subprocess.Popen(
            [
                sys.executable,
                str(ROOT / "tests" / "apps" / "guard" / "guard_process.py"),
                venue.url,
                str(folder),
                json.dumps(settings),
            ],
            cwd=ROOT,
            env={**environment, "PYTHONPATH": str(ROOT)},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        if wait:
            until(lambda: heartbeat.read(folder, "guard") != before, process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.send_signal(signal.SIGKILL)
        process.communicate()
