"""A sample of returns and its moments: what every other statistic here starts from."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

#: Returns whose range is below this share of the largest one are constant: a price that grows by the same
#: rate every period leaves rounding noise of that size, and a Sharpe ratio of noise would be near infinite.
CONSTANT_RANGE_FRACTION = 1e-9


@dataclass(frozen=True, slots=True)
class Moments:
    """Moments of a sample of per-period returns.

    Attributes
    ----------
    periods
        Number of returns.
    mean
        Arithmetic mean, in the unit of the returns.
    deviation
        Standard deviation with divisor n - 1; exactly 0 where the returns are constant.
    skewness, kurtosis
        Of the population form (divisor n); kurtosis is raw, so a normal sample has about 3. NaN where the
        returns are constant.
    """

    periods: int
    mean: float
    deviation: float
    skewness: float
    kurtosis: float

    @property
    def sharpe(self) -> float:
        """Sharpe ratio per period: mean over deviation; NaN where the returns do not vary."""
        return self.mean / self.deviation if self.deviation > 0 else math.nan


def moments(returns: Floats) -> Moments:
    """Moments of returns, shape (periods,).

    One missing or infinite return makes every moment NaN: it is neither skipped nor taken for zero. Fewer
    than two returns have no deviation (NaN).
    """
    periods = int(returns.size)
    if periods == 0 or not np.isfinite(returns).all():
        return Moments(periods, math.nan, math.nan, math.nan, math.nan)
    if periods == 1:
        return Moments(1, float(returns[0]), math.nan, math.nan, math.nan)
    if is_constant(returns):
        return Moments(periods, float(returns.mean()), 0.0, math.nan, math.nan)
    scale = float(
        np.abs(returns).max()
    )  # the fourth power of very small or large returns would under- or overflow
    scaled = returns / scale
    mean = float(scaled.mean())
    centred = scaled - mean
    variance = float(np.mean(centred**2))
    standard = centred / math.sqrt(variance)
    return Moments(
        periods=periods,
        mean=mean * scale,
        deviation=math.sqrt(variance * periods / (periods - 1)) * scale,
        skewness=float(np.mean(standard**3)),
        kurtosis=float(np.mean(standard**4)),
    )


def is_constant(returns: Floats) -> bool:
    """Whether returns, shape (periods,), do not vary beyond rounding; an empty sample is constant."""
    if returns.size == 0:
        return True
    return bool(np.ptp(returns) <= CONSTANT_RANGE_FRACTION * np.abs(returns).max())


def constant_columns(returns: Floats) -> npt.NDArray[np.bool_]:
    """`is_constant` of every column of returns, shape (periods, trials) with at least one period."""
    constant: npt.NDArray[np.bool_] = np.ptp(returns, axis=0) <= CONSTANT_RANGE_FRACTION * np.maximum(
        returns.max(axis=0), -returns.min(axis=0)
    )
    return constant


def autocorrelation(returns: Floats) -> float:
    """Correlation of each return with the one before; NaN for constant, missing or fewer than three returns.

    The standard errors of this package take returns as independent from period to period. Where this is
    beyond about 2 / sqrt(periods), they are not, and a positive value makes every figure too sure.
    """
    if returns.size < 3 or not np.isfinite(returns).all() or is_constant(returns):
        return math.nan
    centred = returns / np.abs(returns).max()
    centred = centred - centred.mean()
    return float(centred[1:] @ centred[:-1] / (centred @ centred))
