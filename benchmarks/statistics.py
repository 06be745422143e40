"""Statistics of honest selection at a night's size: python -m benchmarks.statistics.

Cross-validation of 500 strategies over 90 days of hours in 16 blocks, beside the same done one split after the
other, as the paper tells it; and the count of independent trials of a month and of a night's search.
"""

from __future__ import annotations

import itertools
import json
import resource
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np

from trading.statistics.clusters import cluster_trials
from trading.statistics.overfitting import overfitting
from trading.statistics.sample import Floats
from trading.statistics.trials import equivalent_trials, simulated_maximum

STRATEGIES, PERIODS, PARTITIONS = 500, 2_160, 16
#: Splits that the plain loop is timed on; all of them would take minutes.
LOOP_SPLITS = 40
DAYS, MONTH_TRIALS, SEARCH_TRIALS = 90, 15_000, 50_000

Result = TypeVar("Result")


def measure() -> dict[str, object]:
    return {"cross_validation": _cross_validation(), "independent_trials": _independent_trials()}


def _cross_validation() -> dict[str, object]:
    returns = np.random.default_rng(0).normal(0, 0.01, (PERIODS, STRATEGIES))
    result, seconds = _best_of_three(lambda: overfitting(returns, partitions=PARTITIONS))
    outcomes, loop_seconds = _best_of_three(lambda: _loop(returns))
    assert np.isin(np.round(outcomes, 9), np.round(result.out_of_sample, 9)).all()
    per_loop_split = loop_seconds / LOOP_SPLITS
    return {
        "strategies": STRATEGIES,
        "periods": PERIODS,
        "splits": result.splits,
        "seconds": round(seconds, 2),
        "loop_seconds_of_all_splits": round(per_loop_split * result.splits, 1),
        "ratio": round(per_loop_split * result.splits / seconds),
        "pbo": result.pbo,
    }


def _loop(returns: Floats) -> Floats:
    """Out-of-sample Sharpe ratio of the best in sample, for the first splits."""
    blocks = np.split(returns, PARTITIONS)
    outcomes = []
    for picked in itertools.islice(itertools.combinations(range(PARTITIONS), PARTITIONS // 2), LOOP_SPLITS):
        inside = np.concatenate([blocks[i] for i in picked])
        outside = np.concatenate([blocks[i] for i in range(PARTITIONS) if i not in picked])
        here, there = (half.mean(axis=0) / half.std(axis=0, ddof=1) for half in (inside, outside))
        outcomes.append(there[here.argmax()])
    return np.array(outcomes)


def _independent_trials() -> dict[str, object]:
    generator = np.random.default_rng(1)
    figures: dict[str, object] = {"days": DAYS}
    for name, trials in (("month", MONTH_TRIALS), ("search", SEARCH_TRIALS)):
        factors = np.repeat(generator.normal(size=(DAYS, trials // 10)), 10, axis=1)
        returns = 0.95 * factors + 0.31 * generator.normal(size=factors.shape)
        begun = time.perf_counter()
        clusters = cluster_trials(returns).number
        clustered = time.perf_counter()
        maximum = simulated_maximum(returns, np.random.default_rng(2))
        figures[name] = {
            "trials": trials,
            "planted_clusters": trials // 10,
            "clusters": clusters,
            "cluster_seconds": round(clustered - begun, 2),
            "equivalent_trials": round(equivalent_trials(maximum)),
            "simulation_seconds": round(time.perf_counter() - clustered, 2),
        }
    figures["peak_mib"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    return figures


def _best_of_three(work: Callable[[], Result]) -> tuple[Result, float]:
    seconds, results = [], []
    for _ in range(3):
        begun = time.perf_counter()
        results.append(work())
        seconds.append(time.perf_counter() - begun)
    return results[-1], min(seconds)


if __name__ == "__main__":
    print(json.dumps(measure(), indent=1))
