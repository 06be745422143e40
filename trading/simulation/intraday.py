"""The fast part of the simulated market: the minutes of one day between two daily prices.

A day's path is a bridge: fat-tailed minute noise under a volatility that clusters and follows the
hours, tilted so that it ends where the daily pass says. Within the day a sharp fall (beyond 1.5
deviations over three hours) pulls the next hours up by a share of its excess: that, with the
regimes' drift, is the only structure that a model can learn, and it is of the size of costs.
"""

from __future__ import annotations

import numpy as np

from trading.simulation.daily import Floats, fat_tails

MINUTES = 1440
_HOURS = 24
_KNOTS = 96
_SHARP = 1.5
_MINUTE = np.arange(MINUTES) / MINUTES


def _season() -> Floats:
    """Activity by minute of the UTC day, mean one: two humps (London, New York) on a quiet Asia night."""
    hours = _MINUTE * _HOURS
    humps = 0.5 * np.exp(-(((hours - 8.0) / 2.0) ** 2)) + 1.1 * np.exp(-(((hours - 14.5) / 2.5) ** 2))
    edge = 0.35 * np.exp(-hours / 0.7) + 0.35 * np.exp(-(24.0 - hours) / 0.7)
    season = 0.7 + humps + edge
    return np.asarray(season / season.mean(), dtype=np.float64)


#: Mean-one activity profile over the day, used for volume; volatility follows its square root.
SEASON = _season()


def minute_volatility(random: np.random.Generator, start: float, end: float) -> Floats:
    """Standard deviation of each minute's log return.

    Parameters
    ----------
    start, end
        Daily volatility at the two ends of the day, so that days join.
    """
    steps = np.cumsum(random.standard_normal(_KNOTS) * 0.09)
    steps -= steps[-1] * np.arange(1, _KNOTS + 1) / _KNOTS
    cluster = np.interp(_MINUTE, np.linspace(0.0, 1.0, _KNOTS + 1), np.append(0.0, steps))
    level = start + (end - start) * _MINUTE
    return np.asarray(level / np.sqrt(MINUTES) * np.sqrt(SEASON) * np.exp(cluster), dtype=np.float64)


def bridge(random: np.random.Generator, sigma: Floats, log_return: float, reversal: float) -> Floats:
    """Cumulative log return at each minute's end; the last one is ``log_return`` exactly."""
    returns = sigma * fat_tails(random, MINUTES)
    if reversal:
        returns += np.repeat(_recovery(returns, sigma, reversal), MINUTES // _HOURS)
    variance = sigma * sigma
    returns += (log_return - returns.sum()) * variance / variance.sum()
    path = np.cumsum(returns)
    path[-1] = log_return
    return np.asarray(path, dtype=np.float64)


def _recovery(returns: Floats, sigma: Floats, reversal: float) -> Floats:
    """Pull per minute in each hour: a share of how far the last three hours fell beyond what is usual."""
    hourly = returns.reshape(_HOURS, -1).sum(axis=1).tolist()
    variance = (sigma * sigma).reshape(_HOURS, -1).sum(axis=1)
    limits = (_SHARP * np.sqrt(variance[2:] + variance[1:-1] + variance[:-2])).tolist()
    pull = np.zeros(_HOURS)
    for hour in range(3, _HOURS):
        fall = -(hourly[hour - 3] + hourly[hour - 2] + hourly[hour - 1])
        if fall > limits[hour - 3]:
            # Spread over three hours, because the same fall is seen by each of the next three.
            pull[hour] = reversal * (fall - limits[hour - 3]) / 3.0
            hourly[hour] += pull[hour]
    return pull / (MINUTES // _HOURS)
