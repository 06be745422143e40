"""Every figure of docs/performance.md in one run: python -m benchmarks.run [--bars N]."""

from __future__ import annotations

import argparse
import json
import platform
import tempfile
from pathlib import Path

import psutil

from benchmarks import backfill, daily, imports, live
from benchmarks.home import sandbox_home


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bars", type=int, default=120, help="bars of the live loop (500 for the long run)")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    arguments = parser.parse_args()
    figures: dict[str, object] = {"machine": _machine(), "import": imports.measure()}
    _show(figures)
    with tempfile.TemporaryDirectory() as folder, sandbox_home(Path(folder)) as home:
        for name, result in (
            ("backfill", lambda: backfill.measure(home)),
            ("daily", lambda: daily.measure(home)),
            ("live", lambda: live.measure(home, arguments.bars)),
        ):
            figures[name] = result()
            _show({name: figures[name]})
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


def _show(figures: dict[str, object]) -> None:
    print(json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
