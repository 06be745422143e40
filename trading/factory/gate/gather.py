"""Evidence of candidates, from a handful of back-tests of them and their neighbours."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from trading.errors import BadData
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.result import Population
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.robustness import capacity, neighbours
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.genome import Genome
from trading.factory.trials.count import TrialCount
from trading.statistics.overfitting import overfitting
from trading.statistics.sample import Floats

#: Back-tests genomes over the bars of the search, at given costs.
Backtest = Callable[[Sequence[Genome], Frictions], Population]
#: Splits that cross-validation looks at, at most: a quarter of a second for 500 strategies.
_SPLITS = 2_000


def gather(
    candidates: Sequence[Genome],
    *,
    backtest: Backtest,
    frictions: Frictions,
    population: Floats,
    trials: TrialCount,
    settings: GateSettings,
    seed: int,
    unseen_days: int | None,
    paper: Mapping[str, Floats] | None = None,
    ratings: bool = True,
) -> list[Evidence]:
    """Evidence of each candidate, in their order.

    Parameters
    ----------
    backtest
        Over the same bars as the search, so that days agree.
    population
        Daily returns of the whole search, shape (genomes, days), losers too.
    trials
        What the ledger amounts to once that search is in it.
    seed
        Fixes the neighbours and the splits.
    unseen_days
        Newest days of the back-test that the search did not see; None where nobody knows.
    paper
        Daily returns on paper by strategy id, where there are any.
    ratings
        Whether neighbours may read the technical ratings.
    """
    if not candidates:
        return []
    around = [neighbours(genome, settings.neighbours, seed=seed, ratings=ratings) for genome in candidates]
    family = backtest([*candidates, *(one for group in around for one in group)], frictions)
    stressed = backtest(candidates, stress(frictions, settings.stress_factor)).returns
    free = backtest(candidates, replace(frictions, impact_coefficient=0.0)).returns
    returns, trades = family.returns, family.total("trades").astype(np.int64)
    pbo = selection_pbo(population, settings, seed=seed)
    found, first = [], len(candidates)
    for place, (genome, group) in enumerate(zip(candidates, around, strict=True)):
        found.append(
            Evidence(
                strategy_id=genome.strategy_id,
                returns=returns[place],
                unseen_days=unseen_days,
                trades=int(trades[place]),
                trials=trials,
                pbo=pbo,
                neighbours=returns[first : first + len(group)].T,
                stressed=stressed[place],
                capacity_quote=capacity(free[place], returns[place], frictions.slot_quote),
                paper_returns=(paper or {}).get(genome.strategy_id),
            )
        )
        first += len(group)
    return found


def stress(frictions: Frictions, factor: float) -> Frictions:
    """Every cost of a trade times a factor; funding and margins are not costs of a trade."""
    return replace(
        frictions,
        fee_bps=frictions.fee_bps * factor,
        spread_bps=frictions.spread_bps * factor,
        slippage_bps=frictions.slippage_bps * factor,
        impact_coefficient=frictions.impact_coefficient * factor,
    )


def selection_pbo(population: Floats, settings: GateSettings, *, seed: int) -> float | None:
    """Probability of backtest overfitting of a search, returns of shape (genomes, days).

    The oldest days that do not fill a block are left out, as cross-validation does; a genome that only traded
    on those did nothing that can be compared. None where it cannot be known: too few days for the blocks, or
    fewer than two genomes that traded.
    """
    days = population.shape[1] // settings.pbo_partitions * settings.pbo_partitions
    recent = population[:, population.shape[1] - days :]
    traded = recent[np.ptp(recent, axis=1) > 0] if days else recent[:0]
    if traded.shape[0] < 2:
        return None
    try:
        return overfitting(
            traded.T,
            partitions=settings.pbo_partitions,
            maximum_splits=_SPLITS,
            generator=np.random.default_rng(seed),
        ).pbo
    except BadData:  # too short a record, or one that cannot be ranked: nothing is known, so nothing passes
        return None
