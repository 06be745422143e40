"""Whether an edge survives other numbers, other days, other costs and more money."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from trading.errors import BadData
from trading.factory.genes.draw import Draw
from trading.factory.genes.genome import Genome
from trading.factory.genes.vary import mutated
from trading.statistics.performance import sharpe, sharpes
from trading.statistics.sample import Floats
from trading.statistics.walk_forward import walk_forward

#: Mutations looked at per neighbour wanted: a small genome has few distinct ones.
_ATTEMPTS = 50


def neighbours(genome: Genome, count: int, *, seed: int, ratings: bool = True) -> list[Genome]:
    """Distinct variants of a genome by mutation, on its timeframe; the same for the same seed.

    Fewer than ``count`` where there are no more.
    """
    draw = Draw(np.random.default_rng([seed, int(genome.strategy_id[:8], 16)]))
    found: dict[Genome, None] = {}
    for _ in range(count * _ATTEMPTS):
        if len(found) == count:
            break
        variant = replace(mutated(draw, genome, ratings), timeframe=genome.timeframe)
        if variant != genome:
            found.setdefault(variant)
    return list(found)


def plateau_fraction(returns: Floats, around: Floats) -> float:
    """Median Sharpe ratio of the neighbours over the candidate's.

    Parameters
    ----------
    returns, around
        Of the candidate, shape (days,), and its neighbours, shape (days, neighbours). A neighbour that
        never traded earned nothing: its ratio is 0.

    Returns
    -------
    float
        NaN where the candidate's ratio is not above 0, or there are no neighbours.
    """
    own = sharpe(returns)
    if not own > 0 or around.shape[1] == 0:
        return math.nan
    ratios = sharpes(around)
    ratios[~around.any(axis=0)] = 0.0
    return float(np.median(ratios)) / own


def walk_forward_returns(family: Floats, *, folds: int, hold_days: int, embargo_days: int) -> Floats:
    """Returns out of sample of always going on with the member that was best so far.

    Parameters
    ----------
    family
        Daily returns of the candidate and its neighbours, shape (days, members).
    folds
        Tests; each trains on all days before it, less purge and embargo.
    hold_days
        Days after its own that a day's positions reach into.

    Returns
    -------
    ndarray
        Shape (tested days,). Where no member has a Sharpe ratio yet, nothing is held: 0.

    Raises
    ------
    BadData, FixConfiguration
        If there are too few days for the folds.
    """
    starts = np.arange(family.shape[0], dtype=np.int64)
    tested = []
    for fold in walk_forward(starts, starts + hold_days, folds=folds, embargo=embargo_days):
        ratios = np.nan_to_num(sharpes(family[fold.train]), nan=-math.inf)
        best = int(ratios.argmax())
        held = family[fold.test, best]
        tested.append(held if math.isfinite(ratios[best]) else np.zeros_like(held))
    return np.concatenate(tested)


def capacity(free: Floats, paid: Floats, money: float) -> float:
    """Money at which impact eats half of the edge, from the same record without and with impact.

    Impact follows the root of size, so its drag on the mean return is k √money; half of the mean without
    impact is gone where k √size is half of it (square-root law, see `trading.costs`).

    Parameters
    ----------
    free, paid
        Daily returns without impact and with that of ``money``, shape (days,).

    Returns
    -------
    float
        In the unit of ``money``; 0 without an edge to eat. NaN where impact shows no drag: an unknown
        impact is not none.

    Raises
    ------
    BadData
        If the records differ in length.
    """
    if free.shape != paid.shape:
        raise BadData(
            f"capacity: {free.size} days without impact and {paid.size} with it; give the same days"
        )
    edge = float(free.mean())
    drag = edge - float(paid.mean())
    if edge <= 0:
        return 0.0
    return money * (edge / (2 * drag)) ** 2 if drag > 0 else math.nan
