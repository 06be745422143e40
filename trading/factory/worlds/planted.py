"""A rule with a known edge among candidates without one, at the level of daily returns."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from trading.factory.gate.evidence import Evidence
from trading.factory.gate.gather import selection_pbo
from trading.factory.gate.judge import Stage, counted_trials, deflated, judge
from trading.factory.gate.settings import GateSettings
from trading.factory.trials.count import TrialCount
from trading.factory.worlds.month import UNASKED
from trading.statistics.performance import CRYPTO_DAYS_PER_YEAR, per_period
from trading.statistics.sample import Floats

_NORMAL = NormalDist()
#: Deviation of daily returns of the planted rule.
_DEVIATION = 0.01
#: Correlation of the planted rule with its neighbours, and the share of its edge that they have.
_LIKENESS, _NEIGHBOURS_EDGE = 0.8, 0.8


@dataclass(frozen=True, slots=True)
class Planted:
    """What is planted, and what it is judged among.

    Attributes
    ----------
    sharpe
        True ratio a year.
    window_days, paper_days
        Back-test, and paper after it; the gate looks at the end of each paper day that it may.
    field
        Daily returns of a search without an edge, shape (candidates, days): its days are drawn anew with
        replacement, candidates staying together, so that they correlate as they did.
    trials
        What the ledger of trials amounts to.
    """

    sharpe: float
    window_days: int
    paper_days: int
    field: Floats
    trials: TrialCount


def confidence(world: Planted, settings: GateSettings, rng: np.random.Generator) -> float:
    """Highest DSR with which the planted rule passes the whole gate within its time on paper; 0 if it never does.

    Limits of DSR from ``settings.minimum_dsr`` up can be held against the answer.
    Returns are normal and independent. Trades, costs and capacity are taken to be no obstacle.
    """
    returns, around = _planted(world, settings, rng)
    window = slice(0, world.window_days)
    evidence = Evidence(
        strategy_id="planted",
        returns=returns[window],
        unseen_days=settings.unseen_days(world.window_days),
        trades=settings.minimum_trades,
        trials=world.trials,
        pbo=0.0,
        neighbours=around[window],
    )
    looks = [
        replace(evidence, paper_returns=returns[world.window_days : world.window_days + age])
        for age in range(settings.minimum_paper_days, world.paper_days + 1)
    ]
    surest = sorted(
        (
            (deflated(look.unseen, counted_trials(world.trials, settings)), place)
            for place, look in enumerate(looks)
            if look.unseen is not None
        ),
        reverse=True,
    )
    for sure, place in surest:
        if sure < settings.minimum_dsr:
            break
        if set(judge(looks[place], settings, Stage.LIVE).failed) <= UNASKED:
            # Cross-validation costs most and is the same at every age: it is asked last.
            pbo = selection_pbo(_search(world, returns[window], rng), settings, seed=0)
            return sure if pbo is not None and pbo <= settings.maximum_pbo else 0.0
    return 0.0


def longest_odds(
    sharpe: float, days: float, independent_trials: float, *, false_fraction: float = 0.05
) -> float:
    """Power of the best possible test: no gate promotes more often at as few false promotions.

    The most powerful test of one normal record asks for z standard errors (Neyman & Pearson); among
    independent trials z is what the best of them passes in ``false_fraction`` of searches (Šidák).
    """
    z = _NORMAL.inv_cdf((1 - false_fraction) ** (1 / independent_trials))
    return _NORMAL.cdf(per_period(sharpe, CRYPTO_DAYS_PER_YEAR) * math.sqrt(days) - z)


def _planted(world: Planted, settings: GateSettings, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Returns of the rule, shape (days,), and of its neighbours, shape (days, neighbours)."""
    days = world.window_days + world.paper_days
    noise = rng.standard_normal(days)
    other = rng.standard_normal((days, settings.neighbours))
    mean = per_period(world.sharpe, CRYPTO_DAYS_PER_YEAR)
    around = _LIKENESS * noise[:, None] + math.sqrt(1 - _LIKENESS**2) * other
    return _DEVIATION * (mean + noise), _DEVIATION * (mean * _NEIGHBOURS_EDGE + around)


def _search(world: Planted, planted: Floats, rng: np.random.Generator) -> Floats:
    """Returns of the search that the rule was found in, shape (candidates + 1, window days)."""
    drawn = rng.integers(world.field.shape[1], size=planted.size)
    held = world.field != 0
    # Idle days stay 0, or a genome that rests for half of the days would earn a constant there.
    mean = world.field.sum(axis=1, keepdims=True) / np.maximum(held.sum(axis=1, keepdims=True), 1)
    centred = np.where(held, world.field - mean, 0.0)
    return np.vstack([planted, centred[:, drawn]])
