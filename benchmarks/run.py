"""Every figure of docs/performance.md in one run: python -m benchmarks.run [--bars N]."""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
import time
from datetime import date, timedelta
from pathlib import Path

import psutil

from benchmarks import archive, backfill, daily, imports, live, quality
from benchmarks.home import NOW, sandbox_home

#: The day that had closed last when the sandbox's clock stands still.
LAST_DAY = date.fromisoformat(NOW[:10]) - timedelta(days=1)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=120, help="bars of the live loop (500 for the long run)")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    figures: dict[str, object] = {"machine": _machine(), "noise": _noise(), "import": imports.measure()}
    _show(figures)
    with tempfile.TemporaryDirectory() as folder, sandbox_home(Path(folder)) as home:
        for name, result in (
            ("backfill", lambda: backfill.measure(home)),
            ("daily", lambda: daily.measure(home)),
            ("quality", lambda: quality.measure(home, LAST_DAY)),
            ("archive", lambda: archive.measure(home)),
            ("live", lambda: live.measure(home, arguments.bars)),
        ):
            figures[name] = result()
            figures[f"noise_after_{name}"] = _noise()
            _show({name: figures[name], "noise": figures[f"noise_after_{name}"]})
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1))


def _machine() -> dict[str, object]:
    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text().splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory = round(psutil.virtual_memory().total / 2**30)
    return {
        "processor": model,
        "cores": psutil.cpu_count(),
        "memory_gib": memory,
        "python": platform.python_version(),
    }


def _noise() -> dict[str, float]:
    """How long one fixed loop takes, best and worst of ten: what the machine's neighbours cost."""
    seconds = []
    for _ in range(10):
        begun = time.perf_counter()
        counts: dict[int, int] = {}
        for number in range(1_000_000):
            counts[number & 1023] = counts.get(number & 511, 0) + number
        seconds.append(time.perf_counter() - begun)
    return {"best_seconds": round(min(seconds), 3), "worst_seconds": round(max(seconds), 3)}


def _show(figures: dict[str, object]) -> None:
    print(json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
