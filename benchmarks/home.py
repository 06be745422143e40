"""A temporary home with a 50-symbol sandbox, and commands measured as processes in it."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import psutil

ROOT = Path(__file__).resolve().parent.parent
SYMBOLS = 50
#: The sandbox's present: twenty minutes after midnight, when the daily schedule fires.
NOW = "2026-03-01T00:20:00"

_CONFIG = """
market_data:
  source: sandbox
  sandbox:
    base_url: {url}
history_days: {history_days}
universe:
  max_symbols: {symbols}
desks:
  - use: fork
    settings: {{confidence_required: false}}
  - use: genome
  - use: {root}/examples/trend.py:TrendDesk
factory:
  evolution: {{looks_per_candidate: 4}}
live:
  settle_seconds: 0.0
"""


@dataclass(frozen=True)
class Measured:
    """A finished command: its JSON output, wall time and the peak memory of its process tree."""

    output: Any
    seconds: float
    peak_mib: float


class Home:
    """A home folder, its environment and the sandbox exchange that serves it."""

    def __init__(self, folder: Path, url: str, history_days: int) -> None:
        self.folder = folder
        self.url = url
        (folder / "config").mkdir(parents=True, exist_ok=True)
        (folder / "var" / "dagster").mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / "dagster.yaml", folder)
        shutil.copy(ROOT / "workspace.yaml", folder)
        text = _CONFIG.format(url=url, history_days=history_days, symbols=SYMBOLS, root=ROOT)
        (folder / "config" / "tidemill.yaml").write_text(text)

    @property
    def environment(self) -> dict[str, str]:
        """Environment of every process that works in this home."""
        home = str(self.folder)
        own = {"TIDEMILL_HOME": home, "DAGSTER_HOME": home, "DAGSTER_STATE": f"{home}/var/dagster"}
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        return {**inherited, **own, "PYTHONPATH": str(ROOT)}

    def run(self, *command: str) -> Measured:
        """Run a module of the project and measure it; its standard output is JSON."""
        begun = time.monotonic()
        process = subprocess.Popen(
            [sys.executable, "-m", *command],
            env=self.environment,
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        peak = _watch_memory(process.pid)
        out, err = process.communicate()
        seconds = time.monotonic() - begun
        if process.returncode not in (0, 1) or not out.strip():
            raise RuntimeError(f"{command} ended with {process.returncode}: {err[-2000:]}")
        return Measured(json.loads(out), seconds, peak())

    def set_clock(self, now_ms: int) -> None:
        """Move the sandbox's clock."""
        httpx.post(f"{self.url}/sandbox/clock", json={"now_ms": now_ms}).raise_for_status()


def _watch_memory(pid: int) -> Any:
    peak = 0.0
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.1):
            try:
                process = psutil.Process(pid)
                tree = [process, *process.children(recursive=True)]
                peak = max(peak, sum(p.memory_info().rss for p in tree) / 2**20)
            except psutil.NoSuchProcess:
                return

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()

    def stop() -> float:
        done.set()
        thread.join()
        return peak

    return stop


@contextmanager
def sandbox_home(folder: Path, *, history_days: int = 45) -> Iterator[Home]:
    """A home whose sandbox exchange runs in a process of its own, as a real venue would."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = ["apps.cli.main", "sandbox", "serve", "--port", str(port), "--symbols", str(SYMBOLS)]
    exchange = subprocess.Popen(
        [sys.executable, "-m", *command, "--now", NOW, "--speed", "0"],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
    )
    url = f"http://127.0.0.1:{port}"
    try:
        _await(url)
        yield Home(folder, url, history_days)
    finally:
        exchange.terminate()
        exchange.wait()


def _await(url: str) -> None:
    for _ in range(300):
        try:
            httpx.get(f"{url}/api/v3/ping").raise_for_status()
            return
        except httpx.TransportError:
            time.sleep(0.1)
    raise RuntimeError(f"the sandbox exchange did not answer on {url}")
