"""Sharpe ratios and how much of one is luck (Bailey & López de Prado 2012, 2014); drawdown.

Sharpe ratios here are per period unless annualised by name; kurtosis is raw (normal = 3).
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from trading.indicators.columns import FloatArray

HOURS_PER_YEAR = 24 * 365
_EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()


def sharpe(returns: FloatArray) -> float:
    """Mean over standard deviation (n - 1) of per-period returns; NaN where they do not vary."""
    if returns.size < 2:
        return math.nan
    deviation = float(returns.std(ddof=1))
    return float(returns.mean()) / deviation if deviation > 0 else math.nan


def annualised(sharpe_per_hour: float) -> float:
    """Sharpe ratio of hourly returns scaled to a year of 365 days."""
    return sharpe_per_hour * math.sqrt(HOURS_PER_YEAR)


def skewness_and_kurtosis(returns: FloatArray) -> tuple[float, float]:
    """Population skewness and raw kurtosis; NaN where returns do not vary."""
    centred = returns - returns.mean() if returns.size else returns
    variance = float((centred**2).mean()) if returns.size else 0.0
    if variance <= 0:
        return math.nan, math.nan
    return float((centred**3).mean()) / variance**1.5, float((centred**4).mean()) / variance**2


def probabilistic_sharpe(
    observed: float, benchmark: float, periods: int, skewness: float, kurtosis: float
) -> float:
    """Probability that the true Sharpe ratio exceeds ``benchmark`` (PSR); NaN where undefined."""
    spread = _estimation_variance(observed, skewness, kurtosis)
    if periods < 2 or not spread > 0:
        return math.nan
    return _NORMAL.cdf((observed - benchmark) * math.sqrt(periods - 1) / math.sqrt(spread))


def expected_maximum_sharpe(trials: int, variance: float, mean: float = 0.0) -> float:
    """Sharpe ratio that the best of ``trials`` independent noise trials is expected to show.

    ``variance`` and ``mean`` are those of the trials' per-period Sharpe ratios; the null hypothesis
    of no edge has mean 0. One trial has nothing to be picked from: the mean.
    """
    if trials < 2:
        return mean
    first = _NORMAL.inv_cdf(1 - 1 / trials)
    second = _NORMAL.inv_cdf(1 - 1 / (trials * math.e))
    return mean + math.sqrt(variance) * ((1 - _EULER_GAMMA) * first + _EULER_GAMMA * second)


def minimum_track_record(
    observed: float, benchmark: float, skewness: float, kurtosis: float, probability: float
) -> float:
    """Periods needed before PSR reaches ``probability`` (MinTRL); infinite at or below the benchmark."""
    if not observed > benchmark:
        return math.inf
    spread = _estimation_variance(observed, skewness, kurtosis)
    return 1 + spread * (_NORMAL.inv_cdf(probability) / (observed - benchmark)) ** 2


def maximum_drawdown(equity: FloatArray, start: float = 1.0) -> float:
    """Deepest fall from a peak, as a fraction of it; ``start`` is the first peak, so a first-bar loss counts."""
    curve = np.concatenate(([start], equity))
    return float((1 - curve / np.maximum.accumulate(curve)).max())


def win_fraction(trade_returns: FloatArray) -> float:
    """Share of trades with a net gain above 0; NaN without trades."""
    return float((trade_returns > 0).mean()) if trade_returns.size else math.nan


def _estimation_variance(observed: float, skewness: float, kurtosis: float) -> float:
    return 1 - skewness * observed + (kurtosis - 1) / 4 * observed**2
