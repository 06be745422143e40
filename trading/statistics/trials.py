"""What the best of many trials owes to luck: expected maximum, deflated Sharpe ratio, effective trials.

Bailey & López de Prado, "The Deflated Sharpe Ratio", Journal of Portfolio Management 40(5), 2014; the False
Strategy Theorem is proven in López de Prado & Bailey, American Mathematical Monthly 128(9), 2021. Sharpe
ratios are per period.
"""

from __future__ import annotations

import math
from statistics import NormalDist

import numpy as np

from trading.errors import BadData
from trading.statistics.sample import Floats
from trading.statistics.standardised import standardised
from trading.statistics.track_record import probabilistic_sharpe

_EULER_GAMMA = 0.5772156649015329
_NORMAL = NormalDist()
#: Simulated maxima are made in slices of at most this many numbers.
_SLICE_VALUES = 4_000_000


def expected_maximum_sharpe(trials: float, sharpe_variance: float) -> float:
    """Sharpe ratio that the best of ``trials`` independent trials without any edge is expected to show.

    Parameters
    ----------
    trials
        Number of *independent* trials, at least 1; need not be whole. Never the number of survivors.
    sharpe_variance
        Variance of the trials' Sharpe ratios per period, at least 0.

    Returns
    -------
    float
        At least 0: below two trials the approximation would fall under the mean of the trials, which is 0
        without an edge. NaN where an input is NaN.

    Raises
    ------
    BadData
        If there is less than one trial or the variance is negative.
    """
    if trials < 1:
        raise BadData(f"number of trials is {trials}; count every trial, also the discarded ones: at least 1")
    if sharpe_variance < 0:
        raise BadData(f"variance of the trials' Sharpe ratios is {sharpe_variance}; a variance is at least 0")
    if math.isnan(trials) or math.isnan(sharpe_variance):
        return math.nan
    if trials == 1:
        return 0.0
    return math.sqrt(sharpe_variance) * max(0.0, _standard_maximum(trials))


def deflated_sharpe(
    sharpe: float,
    *,
    trials: float,
    sharpe_variance: float,
    periods: int,
    skewness: float,
    kurtosis: float,
) -> float:
    """DSR: confidence, 0 to 1, that the best of many trials has a true Sharpe ratio above 0.

    It is the probabilistic Sharpe ratio against the best that luck would show among ``trials``. Arguments
    and errors are those of `expected_maximum_sharpe` and `probabilistic_sharpe`.

    Notes
    -----
    ``trials`` and ``sharpe_variance`` must belong together: the number of clusters with the variance of the
    clusters' Sharpe ratios, or `equivalent_trials` with the sampling variance 1 / (periods - 1).
    """
    bar = expected_maximum_sharpe(trials, sharpe_variance)
    return probabilistic_sharpe(sharpe, bar, periods=periods, skewness=skewness, kurtosis=kurtosis)


def trials_by_average_correlation(returns: Floats) -> float:
    """Effective number of trials from their mean correlation r: r + (1 - r) N.

    The fallback where clustering is out of reach. A mean correlation below 0 counts as 0, so that the answer
    lies between 1 and N. Constant columns are left out. Arguments and errors are those of `standardised`.
    """
    columns = standardised(returns).columns
    count = columns.shape[1]
    if count < 2:
        return float(count)
    total = columns.sum(axis=1)
    mean = (float(total @ total) - count) / (count * (count - 1))
    correlation = min(max(mean, 0.0), 1.0)
    return float(correlation + (1 - correlation) * count)


def simulated_maximum(returns: Floats, generator: np.random.Generator, draws: int = 1_000) -> float:
    """Expected best Sharpe ratio of trials without edge that move together as these do.

    Parameters
    ----------
    returns
        Shape (periods, trials), finite. Constant columns are left out: they cannot win.
    generator
        Source of randomness; the same state gives the same answer.
    draws
        Simulated searches. The standard error is at most 1 / sqrt(draws).

    Returns
    -------
    float
        In units of the standard error of one trial's Sharpe ratio, sqrt(1 / (periods - 1)): the mean over
        ``draws`` of the largest of jointly normal numbers with the trials' own correlations.
    """
    columns = standardised(returns).columns
    if columns.shape[1] == 0:
        return 0.0
    step = max(1, _SLICE_VALUES // columns.shape[1])
    best = np.empty(draws)
    for first in range(0, draws, step):
        size = min(step, draws - first)
        # Unit columns times standard normal periods are normal numbers with the columns' correlations.
        best[first : first + size] = (generator.standard_normal((size, columns.shape[0])) @ columns).max(
            axis=1
        )
    return float(best.mean())


def equivalent_trials(maximum: float) -> float:
    """Number of independent trials whose expected best equals ``maximum``, in standard errors; at least 1.

    The inverse of `expected_maximum_sharpe` at unit variance. With `simulated_maximum` it answers how many
    independent trials a correlated search is worth.
    """
    from scipy.optimize import brentq

    if not maximum > 0:
        return math.nan if math.isnan(maximum) else 1.0
    largest = 1e15
    if maximum >= _standard_maximum(largest):
        return largest
    exponent = brentq(lambda x: _standard_maximum(math.exp(x)) - maximum, math.log(1.01), math.log(largest))
    return math.exp(float(exponent))


def _standard_maximum(trials: float) -> float:
    """Expected maximum of standard normal numbers, more than one of them.

    Upper quantiles are taken from the lower tail: 1 - 1 / N loses its digits as N grows.
    """
    first, second = -_NORMAL.inv_cdf(1 / trials), -_NORMAL.inv_cdf(1 / (trials * math.e))
    return (1 - _EULER_GAMMA) * first + _EULER_GAMMA * second
