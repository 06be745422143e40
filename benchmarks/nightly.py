"""The whole nightly job on a market of 50 symbols: search, trial ledger, cross-validation, gate, MLflow.

    python -m benchmarks.nightly [--looks N] [--symbols N] [--folder DIR] [--profile FILE] [--output FILE]

The job is the graph's own ``strategy_search``, executed on one day in a process of its own. Its lake is filled
with the sandbox market's bars of 15 minutes first, from the warm-up of the slowest timeframe on; ``--folder``
keeps it, so that a run that was stopped goes on and a second one finds it there. Ledger, trials and MLflow are
new each time.
"""

from __future__ import annotations

import argparse
import cProfile
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import date, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import polars as pl

from benchmarks.home import ROOT
from trading.bars.resample import resample
from trading.factory.settings import FactorySettings
from trading.model.days import days_between
from trading.model.interval import DAY_MS, Interval
from trading.simulation.market import Market
from trading.simulation.settings import MarketSettings
from warehouse.datasets.market import BARS
from warehouse.lake.lake import Lake, open_lake

#: The day that has just closed, and how far back the slowest timeframe's columns reach before the window.
DAY = date(2026, 2, 28)
WARMUP_DAYS = 253

_CONFIG = """
market_data:
  source: sandbox
  sandbox:
    exchange:
      market: {{count: {symbols}}}
      clock: {{start: "{now}", speed: 0.0}}
universe:
  max_symbols: {symbols}
factory:
  evolution: {{looks_per_candidate: {looks}}}
"""
#: What the night is made of: a module, a name in it that the night calls, and what the figures call it.
_PARTS = (
    ("resources.factory.nightly", "evolve", "search"),
    ("resources.factory.nightly", "searched", "trials"),
    ("resources.factory.trials", "TrialBook.append_new", "append"),
    ("resources.factory.trials", "TrialBook.verify", "verify"),
    ("resources.factory.trials", "TrialBook.count", "count"),
    ("resources.factory.nightly", "_judged", "gate"),
    ("trading.factory.gate.gather", "selection_pbo", "cross_validation_in_gate"),
    ("resources.factory.evaluation", "Evaluator._run", "back_tests_everywhere"),
    ("resources.factory.evolution_runs", "log_generation", "mlflow"),
    ("resources.factory.evolution_metadata", "search_metadata", "pictures"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--looks", type=int, default=100, help="genomes looked at for each of 500 candidates")
    parser.add_argument("--symbols", type=int, default=50)
    parser.add_argument("--folder", type=Path, help="keep the lake here")
    parser.add_argument("--profile", type=Path, help="write a profile by processor time to this file")
    parser.add_argument("--output", type=Path, help="also write the figures to this JSON file")
    parser.add_argument("--night", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.night:
        print(json.dumps(_night(arguments.profile)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = arguments.folder or Path(scratch)
        figures = measure(folder, arguments.symbols, arguments.looks, arguments.profile)
    print(json.dumps(figures, indent=1))
    if arguments.output:
        arguments.output.write_text(json.dumps(figures, indent=1) + "\n")


def measure(folder: Path, symbols: int, looks: int, profile: Path | None) -> dict[str, object]:
    """Fill the lake, then run the night in a process of its own."""
    folder = folder.resolve()
    begun = time.monotonic()
    fill(open_lake(str(folder / "var" / "lake")), symbols)
    filled = time.monotonic() - begun
    for path in (*(folder / "var").glob("ledger.duckdb*"), *(folder / "var").glob("mlflow*")):
        path.unlink()
    for kept in ("dagster", "models", "lake/trials", "lake/strategies"):
        shutil.rmtree(folder / "var" / kept, ignore_errors=True)
    for made in ("config", "var/dagster"):
        (folder / made).mkdir(parents=True, exist_ok=True)
    shutil.copy(ROOT / "dagster.yaml", folder)
    now = f"{DAY + timedelta(days=1)}T03:00:00"
    (folder / "config" / "tidemill.yaml").write_text(_CONFIG.format(symbols=symbols, now=now, looks=looks))
    own = {"TIDEMILL_HOME": str(folder), "DAGSTER_HOME": str(folder)}
    command = [sys.executable, "-m", "benchmarks.nightly", "--night"]
    if profile:
        command += ["--profile", str(profile.resolve())]
    answer = subprocess.run(
        command,
        env={**os.environ, **own, "DAGSTER_STATE": f"{folder}/var/dagster", "PYTHONPATH": str(ROOT)},
        cwd=ROOT,
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    )
    night: dict[str, object] = json.loads(answer.stdout.splitlines()[-1])
    return {"symbols": symbols, "filling_seconds": round(filled, 1), **night}


def fill(lake: Lake, symbols: int) -> None:
    """Bars of 15 minutes of every day that the night reads; days that are there already stay."""
    market = Market(MarketSettings(count=symbols))
    window = FactorySettings().window_days + WARMUP_DAYS
    there = set(lake.days(BARS, Interval.M15))
    for day in days_between(DAY - timedelta(days=window), DAY):
        if day in there:
            continue
        minutes = pl.concat([market.minutes(symbol, day) for symbol in market.symbols])
        closed_ms = market.origin_ms + ((day - market.origin).days + 1) * DAY_MS
        lake.write(BARS, day, resample(minutes, Interval.M15, closed_before_ms=closed_ms), Interval.M15)


def _night(profile: Path | None) -> dict[str, object]:
    """Execute the job in this process, and say how long its parts took."""
    from pipelines.instance import open_instance
    from pipelines.live import defs
    from pipelines.runs import QUIET

    parts = _timed_parts()
    job = defs.resolve_job_def("strategy_search")
    profiler = cProfile.Profile(time.process_time)
    with open_instance() as instance:
        begun, used = time.perf_counter(), time.process_time()
        if profile:
            profiler.enable()
        result = job.execute_in_process(
            instance=instance, partition_key=DAY.isoformat(), run_config=QUIET, raise_on_error=True
        )
        profiler.disable()
        whole, busy = time.perf_counter() - begun, time.process_time() - used
    if profile:
        profiler.dump_stats(profile)
    checks = result.get_asset_check_evaluations()
    counted = next(check for check in checks if check.check_name == "trials_counted")
    return {
        "seconds": round(whole, 1),
        "processor_seconds": round(busy, 1),
        "peak_memory_gib": _peak_memory_gib(),
        "trials_on_record": counted.metadata["recorded"].value,
        "trial_ledger_whole": counted.passed,
        "independent_trials": counted.metadata["equivalent_trials"].value,
        "parts": parts,
        "load": round(os.getloadavg()[0], 1),
    }


def _timed_parts() -> dict[str, dict[str, float]]:
    """Wrap every part; its figures by name, growing as the night goes on."""
    parts: dict[str, dict[str, float]] = {}
    for module, path, name in _PARTS:
        owner: Any = import_module(module)
        *above, attribute = path.split(".")
        for step in above:
            owner = getattr(owner, step)
        parts[name] = {"seconds": 0.0, "processor_seconds": 0.0, "peak_memory_gib": 0.0}
        setattr(owner, attribute, _timed(getattr(owner, attribute), parts[name]))
    return parts


def _timed(function: Callable[..., Any], spent: dict[str, float]) -> Callable[..., Any]:
    def run(*arguments: Any, **named: Any) -> Any:
        begun, used = time.perf_counter(), time.process_time()
        try:
            return function(*arguments, **named)
        finally:
            spent["seconds"] = round(spent["seconds"] + time.perf_counter() - begun, 2)
            spent["processor_seconds"] = round(spent["processor_seconds"] + time.process_time() - used, 2)
            spent["peak_memory_gib"] = _peak_memory_gib()

    return run


def _peak_memory_gib() -> float:
    """Most memory that the process ever had, until now."""
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


if __name__ == "__main__":
    main()
