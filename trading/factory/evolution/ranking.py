"""Best first, on several objectives at once, with look-alikes put back.

Fronts and crowding are those of NSGA-II (Deb, Pratap, Agarwal & Meyarivan 2002), computed by pymoo. A genome
that cannot be judged comes behind every one that can (their constraint domination).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from trading.indicators.columns import FloatArray

Positions = NDArray[np.intp]


def ranked(
    objectives: FloatArray,
    feasible: NDArray[np.bool_],
    shortage: FloatArray,
    returns: FloatArray,
    *,
    limit: int,
    maximum_correlation: float,
) -> Positions:
    """The positions of the best, at most ``limit``.

    Fronts come in their order, each from the least crowded on. A genome whose returns correlate by
    ``maximum_correlation`` or more with one before it waits behind all that are new. Then come those that
    are not feasible: by what they lack, then by their return.

    Parameters
    ----------
    objectives
        Larger is better, shape (genomes, objectives); the first is the return. Finite where feasible.
    feasible, shortage
        Shape (genomes,).
    returns
        Shape (genomes, periods), finite.
    """
    judged = np.flatnonzero(feasible)
    order = judged[_by_front(objectives[judged], limit=len(judged))] if judged.size else judged
    new, alike = _novel_first(order, returns, limit, maximum_correlation)
    rest = np.flatnonzero(~feasible)
    rest = rest[np.lexsort((rest, -objectives[rest, 0], shortage[rest]))]
    return np.concatenate((new, alike, rest))[:limit]


def _by_front(objectives: FloatArray, limit: int) -> Positions:
    from pymoo.operators.survival.rank_and_crowding.metrics import calc_crowding_distance
    from pymoo.util.nds.non_dominated_sorting import NonDominatedSorting

    order: list[Positions] = []
    for front in NonDominatedSorting().do(-objectives, n_stop_if_ranked=limit):
        distance = (
            calc_crowding_distance(-objectives[front]) if len(front) > 2 else np.full(len(front), np.inf)
        )
        order.append(front[np.lexsort((front, -distance))])
    return np.concatenate(order)


def _novel_first(
    order: Positions, returns: FloatArray, limit: int, maximum_correlation: float
) -> tuple[Positions, Positions]:
    """The positions in order that move like none before them, and the others."""
    directions = _directions(returns[order])
    chosen = np.empty((min(limit, len(order)), directions.shape[1]))
    new: list[int] = []
    alike: list[int] = []
    for place, position in enumerate(order):
        if len(new) == limit:
            break
        closest = float((chosen[: len(new)] @ directions[place]).max(initial=-math.inf))
        if closest >= maximum_correlation - 1e-9:  # rounding must not part two copies at a limit of 1
            alike.append(int(position))
        else:
            chosen[len(new)] = directions[place]
            new.append(int(position))
    return np.array(new, dtype=np.intp), np.array(alike, dtype=np.intp)


def _directions(returns: FloatArray) -> FloatArray:
    """Rows less their mean, of length 1: products of them are correlations."""
    centred = returns - returns.mean(axis=1, keepdims=True)
    length = np.linalg.norm(centred, axis=1, keepdims=True)
    directions: FloatArray = np.divide(centred, length, out=np.zeros_like(centred), where=length > 0)
    return directions
