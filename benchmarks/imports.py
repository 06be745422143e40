"""How long the code location takes to import, beside Dagster and polars alone."""

from __future__ import annotations

import os
import subprocess
import sys
import time

from benchmarks.home import ROOT

RUNS = 5


def measure() -> dict[str, object]:
    own, bare = [], []
    for _ in range(RUNS):  # taken in turns, so that a busy moment hits both
        own.append(_import("import pipelines.live"))
        bare.append(_import("import dagster, polars, numpy, pydantic, httpx"))
    return {
        "pipelines_live_seconds": round(min(own), 2),
        "dagster_polars_numpy_pydantic_httpx_seconds": round(min(bare), 2),
        "ratio": round(min(own) / min(bare), 2),
    }


def _import(statement: str) -> float:
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", statement], check=True, cwd=ROOT, env=environment)
    return time.monotonic() - begun
