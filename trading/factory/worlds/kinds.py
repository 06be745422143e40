"""Kinds of markets without an edge: what differs is how far a bar moves, never where to."""

from __future__ import annotations

from enum import StrEnum

import numpy as np

from trading.statistics.sample import Floats

#: Deviation of an hourly return, 3 % a day.
_HOURLY = 0.03 / np.sqrt(24)


class Kind(StrEnum):
    """A market without an edge."""

    INDEPENDENT = "independent"
    CLUSTERED = "clustered volatility"
    REGIMES = "regimes"
    FAT_TAILS = "fat tails"
    FACTOR = "common factor"
    TRENDS = "trending noise"


def deviations(kind: Kind, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Deviation of each symbol's hourly return, known before the hour, shape (symbols, hours).

    ``clustered volatility`` is GARCH(1, 1) with weights 0.05 and 0.94; ``regimes`` switches between half
    and twice the deviation every hundred hours on average, for all symbols at once; ``fat tails`` mixes so
    that returns are Student's t with four degrees of freedom. The others are constant.
    """
    symbols, hours = shape
    if kind is Kind.CLUSTERED:
        return _garch(rng, symbols, hours)
    if kind is Kind.REGIMES:
        switches = rng.random(hours) < 0.01
        wild = (np.cumsum(switches) + rng.integers(2)) % 2 == 1
        return np.tile(_HOURLY * np.where(wild, 2.0, 0.5), (shape[0], 1))
    if kind is Kind.FAT_TAILS:
        freedom = 4
        mixed: Floats = _HOURLY * np.sqrt((freedom - 2) / rng.chisquare(freedom, shape))
        return mixed
    return np.full(shape, _HOURLY)


def shared(kind: Kind) -> float:
    """Correlation of two symbols' returns."""
    return 0.7 if kind is Kind.FACTOR else 0.0


def gaps(kind: Kind, rng: np.random.Generator, shape: tuple[int, int]) -> Floats:
    """Fraction by which each hour opens off the close before, shape (symbols, hours); 0 but for trends.

    ``trending noise`` creeps one way for a day or more and is thrown back at once: each gap is a tenth of a
    deviation with the trend, and once in thirty hours 29 times that against it, so that its mean is 0 at
    every hour, whatever is known of the trend. After being thrown back the trend takes a coin's direction.
    """
    if kind is not Kind.TRENDS:
        return np.zeros(shape)
    odds, step = 30, 0.1 * _HOURLY
    thrown = rng.random(shape) < 1 / odds
    # The direction of an hour was drawn when the trend before it ended.
    coins = rng.choice([-1.0, 1.0], shape)
    ended = np.maximum.accumulate(np.where(thrown, np.arange(1, shape[1] + 1), 0), axis=1)
    since = np.concatenate((np.zeros((shape[0], 1), dtype=ended.dtype), ended[:, :-1]), axis=1)
    direction = np.take_along_axis(coins, since, axis=1)
    drift: Floats = direction * np.where(thrown, -(odds - 1) * step, step)
    return drift


def _garch(rng: np.random.Generator, symbols: int, hours: int) -> Floats:
    news, memory = 0.05, 0.94
    base = (1 - news - memory) * _HOURLY**2
    variance = np.full(symbols, _HOURLY**2)
    found = np.empty((symbols, hours))
    for hour in range(hours):
        found[:, hour] = np.sqrt(variance)
        shock = variance * rng.standard_normal(symbols) ** 2
        variance = base + news * shock + memory * variance
    return found
