"""How sure one Sharpe ratio is: the probabilistic Sharpe ratio and the record that it needs.

Bailey & López de Prado, "The Sharpe Ratio Efficient Frontier", Journal of Risk 15(2), 2012. Sharpe ratios
are per period. Kurtosis is raw (normal = 3): with it the variance term is (kurtosis - 1) / 4; the formula
with kurtosis / 4 that is also in print would need excess kurtosis plus 2.
"""

from __future__ import annotations

import math
from statistics import NormalDist

from trading.errors import BadData, FixConfiguration

#: Below this the estimate's variance is rounding: only two-valued returns at one exact Sharpe ratio get there.
_SMALLEST_VARIANCE = 1e-12
_NORMAL = NormalDist()


def probabilistic_sharpe(
    sharpe: float, benchmark: float = 0.0, *, periods: int, skewness: float, kurtosis: float
) -> float:
    """PSR: confidence, 0 to 1, that the true Sharpe ratio is above ``benchmark``.

    One minus it is the chance that a record this good comes from a strategy whose true ratio is the
    benchmark. It holds for one record that nobody chose out of many; see `deflated_sharpe` for the rest.

    Parameters
    ----------
    sharpe, benchmark
        Observed and demanded Sharpe ratio, both per period.
    periods
        Number of returns behind ``sharpe``.
    skewness, kurtosis
        Of the returns; kurtosis raw.

    Returns
    -------
    float
        NaN where an input is NaN, with fewer than two periods, or where the variance of the estimate is 0.

    Raises
    ------
    BadData
        If no sample can have these moments: kurtosis is at least 1 + skewness².
    """
    variance = _estimation_variance(sharpe, skewness, kurtosis)
    if periods < 2 or not variance > _SMALLEST_VARIANCE:
        return math.nan
    return _NORMAL.cdf((sharpe - benchmark) * math.sqrt(periods - 1) / math.sqrt(variance))


def minimum_track_record(
    sharpe: float, benchmark: float = 0.0, *, skewness: float, kurtosis: float, confidence: float = 0.95
) -> float:
    """MinTRL: number of periods from which `probabilistic_sharpe` is at least ``confidence``.

    It takes for granted that the longer record keeps the same Sharpe ratio and shape.

    Returns
    -------
    float
        Not rounded: the next whole number is the answer in periods. Infinite where the Sharpe ratio is not
        above the benchmark: no record would do. NaN where an input is NaN.

    Raises
    ------
    FixConfiguration
        If ``confidence`` is not above one half and below 1: from the squared formula, a confidence of 5 %
        would come out as that of 95 %.
    BadData
        If no sample can have these moments.
    """
    if not 0.5 < confidence < 1:
        raise FixConfiguration(f"confidence is {confidence}; it must be above 0.5 and below 1, such as 0.95")
    variance = _estimation_variance(sharpe, skewness, kurtosis)
    if math.isnan(variance) or math.isnan(benchmark):
        return math.nan
    if sharpe <= benchmark:
        return math.inf
    return 1 + variance * (_NORMAL.inv_cdf(confidence) / (sharpe - benchmark)) ** 2


def _estimation_variance(sharpe: float, skewness: float, kurtosis: float) -> float:
    """Variance of the estimate of a Sharpe ratio, times periods - 1."""
    least = 1 + skewness**2
    if kurtosis < least * (1 - 1e-9):
        raise BadData(
            f"kurtosis {kurtosis:g} with skewness {skewness:g}: no returns have these moments, kurtosis is at "
            f"least {least:g}; give the raw kurtosis (3 for a normal distribution), not the excess over 3"
        )
    return 1 - skewness * sharpe + (kurtosis - 1) / 4 * sharpe**2
