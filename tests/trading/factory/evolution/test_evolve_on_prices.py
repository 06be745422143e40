"""The search on the compiled back-test: prices that revert, and figures on prices it never saw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.evolution.evolve import evolve
from trading.factory.evolution.generation import Generation, Origin
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.genes.genome import Timeframe

SETTINGS = EvolutionSettings(
    candidates=30, looks_per_candidate=20, population=40, round_size=150, minimum_known=100, ratings=False
)
TIMEFRAMES = (Timeframe.M15, Timeframe.M30, Timeframe.H1)


def reverting_market(seed: int, symbols: int = 3, days: int = 40) -> Bars:
    """Prices on a slow walk, with fast moves around it that fade by a twentieth every quarter of an hour."""
    rng = np.random.default_rng(seed)
    count = days * 96
    shocks = rng.normal(0, 0.006, (symbols, count))
    fast = np.zeros((symbols, count))
    for bar in range(1, count):
        fast[:, bar] = 0.95 * fast[:, bar - 1] + shocks[:, bar]
    slow = np.cumsum(rng.normal(0, 0.001, (symbols, count)), axis=1)
    close = 100 * np.exp(fast + slow)
    opens = np.concatenate((np.full((symbols, 1), 100.0), close[:, :-1]), axis=1)
    wick = np.abs(rng.normal(0, 0.002, (2, symbols, count)))
    high, low = np.maximum(opens, close) * (1 + wick[0]), np.minimum(opens, close) / (1 + wick[1])
    flat = np.ones((symbols, count))
    names = tuple(f"S{i}USDT" for i in range(symbols))
    return Bars(names, 1_767_225_600_000, 15, opens, high, low, close, 1e4 * flat, 0.0 * flat)


def search(settings: EvolutionSettings) -> Generation:
    seen = reverting_market(1)
    return evolve(
        lambda genomes: backtest(genomes, seen, Frictions()), [], settings, 3, timeframes=TIMEFRAMES
    )


def out_of_sample(found: Generation) -> float:
    best = sorted(found.chosen, key=lambda trial: -trial.sharpe)[:10]
    population = backtest([trial.genome for trial in best], reverting_market(2), Frictions())
    return float(population.metrics()["sharpe"].fill_null(0.0).mean())  # type: ignore[arg-type]


@pytest.mark.slow
def test_what_the_search_finds_holds_on_prices_it_never_saw_and_beats_as_many_random_looks() -> None:
    evolved = search(SETTINGS)
    at_random = search(replace(SETTINGS, learned_fraction=1.0, minimum_known=10**6))
    assert {trial.proposal.origin for trial in at_random.trials} == {Origin.FRESH}
    assert evolved.crashed == 0
    assert len(evolved.trials) == len(at_random.trials) == 600
    learned = [trial.feasible for trial in evolved.trials if trial.proposal.origin is Origin.LEARNED]
    fresh = [trial.feasible for trial in at_random.trials]
    assert np.mean(learned) > 2 * np.mean(fresh)
    assert out_of_sample(evolved) > 1.2 * out_of_sample(at_random) > 0
