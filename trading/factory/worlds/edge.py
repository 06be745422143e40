"""Bars in which one rule of the catalogue truly predicts, as strongly as one likes."""

from __future__ import annotations

import math

import numpy as np

from trading.factory.engine.bars import Bars
from trading.factory.genes.genome import Genome, Rules, Timeframe
from trading.factory.genes.rules import Column, Relation, Threshold
from trading.factory.worlds.kinds import Kind, deviations
from trading.factory.worlds.market import hourly_bars
from trading.statistics.performance import CRYPTO_DAYS_PER_YEAR

#: Bars over which the rule compares the close.
_LENGTH = 5
_HOURS_PER_YEAR = 24 * CRYPTO_DAYS_PER_YEAR


def planted_rule() -> Genome:
    """Long while the close is lower than five hours ago: the rule that `with_edge` rewards.

    Its stop is the widest that there is and it has no target, so that little but the rule ends a position.
    """
    momentum = Column.of("momentum", length=_LENGTH)
    below, above = (Threshold(momentum, relation, 0) for relation in (Relation.BELOW, Relation.ABOVE))
    return Genome(
        timeframe=Timeframe.H1, long=Rules(below, above), stop_fraction=0.025, size_fraction=0.1, leverage=1
    )


def drift_deviations(sharpe: float, symbols: int) -> float:
    """Drift of an hour that the rule holds, in deviations of it, for an annualised Sharpe ratio.

    The rule holds half of the hours of each of the independent symbols: in a year the portfolio earns
    drift / √2 for each deviation of an hour, times the root of the hours and of the symbols.
    """
    return sharpe / math.sqrt(_HOURS_PER_YEAR * symbols / 2)


def with_edge(
    sharpe: float, *, seed: int, symbols: int, days: int, warmup_days: int = 0, kind: Kind = Kind.CLUSTERED
) -> Bars:
    """Hourly bars that drift up while the close is lower than five hours ago, and down at all other hours.

    The two drifts cancel on average, so that buying and holding earns nothing.

    Parameters
    ----------
    sharpe
        Annualised Sharpe ratio of `planted_rule` before costs, about; stops and short gaps take some of it.
    days
        Whole days, the warm-up included.
    kind
        How far bars move; not ``trending noise``, whose gaps are not known to `hourly_bars`' caller.
    """
    rng = np.random.default_rng([seed, list(Kind).index(kind), round(sharpe * 100)])
    shape = (symbols, days * 24)
    scale = deviations(kind, rng, shape)
    noise = rng.standard_normal(shape)
    drift = drift_deviations(sharpe, symbols)
    inside = np.empty(shape)
    closes = np.zeros((symbols, shape[1] + _LENGTH + 1))
    for hour in range(shape[1]):
        newest = closes[:, hour + _LENGTH]
        lower = newest < closes[:, hour]
        pull = np.where(lower, drift, -drift)
        inside[:, hour] = scale[:, hour] * (noise[:, hour] + pull) - scale[:, hour] ** 2 / 2
        closes[:, hour + _LENGTH + 1] = newest + inside[:, hour]
    return hourly_bars(rng, closes[:, _LENGTH:-1], closes[:, _LENGTH + 1 :], scale, warmup_days=warmup_days)
