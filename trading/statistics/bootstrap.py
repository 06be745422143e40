"""Confidence intervals for any figure of a record, by the stationary bootstrap.

Politis & Romano, "The Stationary Bootstrap", Journal of the American Statistical Association 89(428), 1994.
Blocks of random, geometric length are joined, and the record is taken as a circle, so that volatility that
comes in clusters and autocorrelation within a block survive, which a draw of single returns would destroy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import BadData, FixConfiguration
from trading.statistics.sample import Floats


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure of the record and the percentile interval around it; ``undefined_draws`` had no figure."""

    estimate: float
    low: float
    high: float
    undefined_draws: int


def confidence_interval(
    returns: Floats,
    figure: Callable[[Floats], float],
    generator: np.random.Generator,
    *,
    confidence: float = 0.95,
    block_periods: float | None = None,
    draws: int = 2_000,
) -> Interval:
    """Percentile interval of a figure of returns.

    Parameters
    ----------
    returns
        Shape (periods,), finite, at least two.
    figure
        Computes one number from returns of that shape, such as `trading.statistics.performance.sharpe`.
    generator
        Source of randomness; the same state gives the same interval.
    confidence
        Between 0 and 1, such as 0.95.
    block_periods
        Mean length of a block, at least 1; the cube root of the number of periods if not given.
    draws
        Resampled records.

    Returns
    -------
    Interval
        Draws in which the figure is NaN are left out of the interval and counted; its ends are NaN if they
        are more than one in a hundred.

    Raises
    ------
    BadData
        If a return is missing or infinite, or there are fewer than two.
    FixConfiguration
        If confidence, block length or number of draws is out of range.
    """
    if returns.size < 2 or not np.isfinite(returns).all():
        raise BadData(f"an interval needs at least two finite returns; of {returns.size} some are missing")
    if not 0 < confidence < 1 or draws < 1:
        raise FixConfiguration(
            f"confidence is {confidence}, draws {draws}; needed: between 0 and 1, and at least 1"
        )
    length = returns.size ** (1 / 3) if block_periods is None else block_periods
    figures = np.array(
        [figure(returns[stationary_positions(returns.size, length, generator)]) for _ in range(draws)]
    )
    undefined = int(np.isnan(figures).sum())
    estimate = float(figure(returns))
    if undefined * 100 > draws:
        return Interval(estimate, math.nan, math.nan, undefined)
    tail = (1 - confidence) / 2
    low, high = np.quantile(figures[~np.isnan(figures)], [tail, 1 - tail])
    return Interval(estimate, float(low), float(high), undefined)


def stationary_positions(
    periods: int, block_periods: float, generator: np.random.Generator
) -> npt.NDArray[np.intp]:
    """Positions of one resampled record, shape (periods,), in 0 .. periods - 1.

    Each position follows the one before, around the end, or with chance 1 / ``block_periods`` is drawn anew.

    Raises
    ------
    FixConfiguration
        If ``block_periods`` is below 1.
    """
    if not block_periods >= 1:
        raise FixConfiguration(f"block_periods is {block_periods}; a block holds at least 1 period")
    fresh = generator.random(periods) < 1 / block_periods
    fresh[0] = True
    block = np.cumsum(fresh) - 1
    since = np.arange(periods) - np.flatnonzero(fresh)[block]
    drawn = generator.integers(periods, size=int(fresh.sum()))
    positions: npt.NDArray[np.intp] = (drawn[block] + since) % periods
    return positions
