"""Worlds whose truth is known: what a genome earns follows from what it is, plus luck that its name fixes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import date
from functools import lru_cache

import numpy as np

from trading.factory.engine.result import Population
from trading.factory.engine.totals import TOTALS
from trading.factory.genes.genome import Genome, Side, Timeframe
from trading.factory.genes.rules import Relation, Threshold, leaves

DAYS = 60
Edge = Callable[[Genome], float]


@lru_cache(maxsize=20_000)
def luck(genome: Genome, days: int = DAYS) -> np.ndarray:
    """Daily noise of a genome, the same whenever it is asked for."""
    seed = int(genome.strategy_id[:15], 16)
    return np.random.default_rng(seed).normal(0, 0.01, days)


def world(edge: Edge, days: int = DAYS, trades: int = 40) -> Callable[[Sequence[Genome]], Population]:
    """A back-test in which a genome earns its edge a day (in deviations of its noise) and its luck."""

    def evaluate(genomes: Sequence[Genome]) -> Population:
        returns = np.stack([0.01 * edge(genome) + luck(genome, days) for genome in genomes])
        totals = np.zeros((len(genomes), 1, len(TOTALS)))
        totals[:, 0, TOTALS.index("trades")] = trades
        totals[:, 0, TOTALS.index("wins")] = trades / 2
        totals[:, 0, TOTALS.index("traded")] = 3.0
        return population(np.cumprod(1 + returns, axis=1), totals)

    return evaluate


def population(equity: np.ndarray, totals: np.ndarray) -> Population:
    none = np.empty(0, dtype=np.int64)
    return Population(
        symbols=tuple(f"S{i}" for i in range(totals.shape[1])),
        first_open_ms=0,
        minutes=60,
        first_day=date(1970, 1, 1),
        bars=24 * equity.shape[1],
        totals=totals,
        equity=equity,
        trades=np.empty((0, 0)),
        trade_genome=none,
        trade_symbol=none,
    )


def dips(genome: Genome) -> float:
    """Buying weakness on slow bars earns: the more parts of that a genome has, the more."""
    if genome.side is not Side.LONG or genome.long is None:
        return 0.0
    weak = any(
        isinstance(leaf, Threshold)
        and leaf.column.name in ("rsi", "stochastic", "cci", "band_score")
        and leaf.relation in (Relation.BELOW, Relation.CROSSES_BELOW)
        for leaf in leaves(genome.long.entry)
    )
    slow = genome.timeframe in (Timeframe.H2, Timeframe.H4)
    return 0.15 * (weak + slow) * weak


def nothing(genome: Genome) -> float:
    """No edge anywhere."""
    return 0.0
