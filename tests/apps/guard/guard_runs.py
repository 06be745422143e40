"""Waiting for guards, reading what they wrote, and ending them."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from warehouse.flags.journal import read_journal

ROOT = Path(__file__).resolve().parents[3]
Start = Callable[..., subprocess.Popen[str]]


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def until(
    condition: Callable[[], Any], process: subprocess.Popen[str] | None = None, seconds: float = 20.0
) -> None:
    """Wait for a condition; a process that died meanwhile fails at once, with what it said."""
    deadline = time.monotonic() + seconds
    while not condition():
        if process is not None and process.poll() is not None:
            raise AssertionError(f"the guard ended: {process.communicate()[1]}")
        if time.monotonic() > deadline:
            raise AssertionError("not in time")
        time.sleep(0.01)


def kinds(folder: Path) -> list[str]:
    """Kinds of the guard's journal, which must verify."""
    return [record.kind for record in read_journal(folder / "guard.journal")]


def stop(process: subprocess.Popen[str]) -> list[str]:
    """End a guard in order; returns what it should not have loaded."""
    process.send_signal(signal.SIGTERM)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return list(json.loads(out))
