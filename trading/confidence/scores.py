"""How good a probability is: Brier, calibration error, AUC, log loss, Wilson, skill with its interval."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class ReliabilityBin:
    """Forecasts in (low, high] (the first bin includes 0) against what happened."""

    low: float
    high: float
    rows: int
    mean_probability: float
    observed_fraction: float


@dataclass(frozen=True, slots=True)
class Skill:
    """Brier skill against a constant forecast: 1 perfect, 0 no better than the base rate."""

    skill: float
    low: float
    high: float


def brier(probability: Floats, outcome: Floats) -> float:
    """Mean squared error of the probability; 0 is perfect (formulas: Brier 1950)."""
    return float(np.mean((probability - outcome) ** 2))


def log_loss(probability: Floats, outcome: Floats) -> float:
    """Mean negative log likelihood, nats; infinite when a certain forecast was wrong."""
    with np.errstate(divide="ignore"):
        likelihood = np.where(outcome > 0.5, probability, 1 - probability)
        return float(-np.mean(np.log(likelihood)))


def area_under_curve(probability: Floats, outcome: Floats) -> float:
    """Chance that a positive outranks a negative, ties counting half; NaN with one class only."""
    positive = outcome > 0.5
    positives, negatives = int(positive.sum()), int((~positive).sum())
    if positives == 0 or negatives == 0:
        return math.nan
    _, inverse, counts = np.unique(probability, return_inverse=True, return_counts=True)
    mean_rank = np.cumsum(counts) - (counts - 1) / 2
    rank_sum = float(mean_rank[inverse][positive].sum())
    return (rank_sum - positives * (positives + 1) / 2) / (positives * negatives)


def reliability_table(probability: Floats, outcome: Floats, bins: int) -> list[ReliabilityBin]:
    """Equal-width bins (lo, hi], the first including 0; empty bins are left out."""
    which = np.clip(np.ceil(np.round(probability * bins, 9)).astype(np.int64) - 1, 0, bins - 1)
    return [_bin(probability, outcome, which == i, i / bins, (i + 1) / bins) for i in np.unique(which)]


def calibration_error(probability: Floats, outcome: Floats, bins: int) -> float:
    """Expected calibration error: mean |observed - forecast| over equal-width bins, weighted by rows."""
    table = reliability_table(probability, outcome, bins)
    return _weighted_gap(table, len(probability))


def adaptive_calibration_error(probability: Floats, outcome: Floats, bins: int) -> float:
    """The same over bins of equal mass, which a narrow range of forecasts cannot empty."""
    order = np.argsort(probability, kind="stable")
    table = []
    for part in np.array_split(order, min(bins, len(order))):
        inside = np.zeros(len(probability), dtype=np.bool_)
        inside[part] = True
        low, high = float(probability[part[0]]), float(probability[part[-1]])
        table.append(_bin(probability, outcome, inside, low, high))
    return _weighted_gap(table, len(probability))


def wilson_interval(successes: int, rows: int, level: float = 0.95) -> tuple[float, float]:
    """Wilson score interval of a proportion."""
    if rows == 0:
        return math.nan, math.nan
    z = NormalDist().inv_cdf(0.5 + level / 2)
    share = successes / rows
    centre = (share + z**2 / (2 * rows)) / (1 + z**2 / rows)
    half = z * math.sqrt(share * (1 - share) / rows + z**2 / (4 * rows**2)) / (1 + z**2 / rows)
    return max(0.0, centre - half), min(1.0, centre + half)


def brier_skill(
    probability: Floats,
    outcome: Floats,
    base_rate: float,
    block: NDArray[np.int64],
    *,
    level: float,
    samples: int,
    seed: int,
) -> Skill:
    """Brier skill score against the constant ``base_rate``, with a block-bootstrap interval.

    Parameters
    ----------
    base_rate
        The constant forecast that was known before the outcomes, not their own mean.
    block
        Block number of each row: rows of a block (a span of hours, all symbols) are resampled
        together, because their outcomes overlap. The interval is NaN with fewer than five blocks.
    """
    _, which = np.unique(block, return_inverse=True)
    model = np.bincount(which, weights=(probability - outcome) ** 2)
    constant = np.bincount(which, weights=(base_rate - outcome) ** 2)
    if constant.sum() == 0:
        return Skill(math.nan, math.nan, math.nan)
    skill = float(1 - model.sum() / constant.sum())
    if len(model) < 5:
        return Skill(skill, math.nan, math.nan)
    picks = np.random.default_rng(seed).integers(0, len(model), size=(samples, len(model)))
    resampled = 1 - model[picks].sum(axis=1) / constant[picks].sum(axis=1)
    low, high = np.quantile(resampled, [(1 - level) / 2, (1 + level) / 2])
    return Skill(skill, float(low), float(high))


def _bin(
    probability: Floats, outcome: Floats, inside: NDArray[np.bool_], low: float, high: float
) -> ReliabilityBin:
    return ReliabilityBin(
        low, high, int(inside.sum()), float(probability[inside].mean()), float(outcome[inside].mean())
    )


def _weighted_gap(table: list[ReliabilityBin], rows: int) -> float:
    return sum(b.rows * abs(b.observed_fraction - b.mean_probability) for b in table) / rows
