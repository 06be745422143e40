"""Ratios of a record of returns: what it earned, at what risk.

Returns are fractions per period (0.01 is one per cent) of shape (periods,). Every function gives NaN where
the figure is undefined, and where one return is missing or infinite: a hole is never skipped and never zero.
"""

from __future__ import annotations

import math

import numpy as np

from trading.statistics.sample import Floats, constant_columns, moments

#: Crypto trades every day of the year; a stock exchange has about 252 sessions.
CRYPTO_DAYS_PER_YEAR = 365.0


def sharpe(returns: Floats) -> float:
    """Sharpe ratio per period, mean over standard deviation (n - 1); NaN where the returns do not vary.

    The riskless rate is taken as 0: subtract it from the returns where it matters.
    """
    return moments(returns).sharpe


def sharpes(returns: Floats) -> Floats:
    """Sharpe ratio per period of every column of returns, shape (periods, trials) to (trials,)."""
    if returns.shape[0] < 2:
        return np.full(returns.shape[1], math.nan)
    ratios = np.full(returns.shape[1], math.nan)
    whole = np.flatnonzero(np.isfinite(returns).all(axis=0))
    varies = whole[~constant_columns(returns[:, whole])]
    scaled = returns[:, varies] / np.abs(returns[:, varies]).max(
        axis=0
    )  # the square of tiny returns would be 0
    ratios[varies] = scaled.mean(axis=0) / scaled.std(axis=0, ddof=1)
    return ratios


def annualised(ratio: float, periods_per_year: float) -> float:
    """Turn a Sharpe or Sortino ratio per period into one per year, by the square root of time.

    That rule holds for returns without autocorrelation (Lo, 2002).
    """
    return ratio * math.sqrt(periods_per_year)


def per_period(ratio: float, periods_per_year: float) -> float:
    """Turn an annual Sharpe or Sortino ratio into one per period."""
    return ratio / math.sqrt(periods_per_year)


def sortino(returns: Floats, target: float = 0.0) -> float:
    """Sortino ratio per period: mean excess over ``target`` by the root mean square of the shortfalls.

    The mean square is taken over all periods, also those without a shortfall (Sortino & van der Meer, 1991).
    Infinite where something was gained and nothing fell short; NaN where every return is the target.
    """
    if not _whole(returns):
        return math.nan
    excess = returns - target
    shortfall = math.sqrt(float(np.mean(np.minimum(excess, 0.0) ** 2)))
    return _ratio(float(excess.mean()), shortfall)


def cagr(returns: Floats, periods_per_year: float) -> float:
    """Compound growth per year, as a fraction: the rate that gives the same end in the same time.

    -1 once a return of -100 % or worse has lost everything. Records far below a year give large figures.
    """
    if not _whole(returns):
        return math.nan
    if (returns <= -1).any():
        return -1.0
    exponent = float(np.log1p(returns).mean()) * periods_per_year
    return math.expm1(exponent) if exponent < 700 else math.inf


def equity_curve(returns: Floats) -> Floats:
    """Equity that starts at 1 before the first return: shape (periods + 1,), compounded.

    A return of -100 % or worse ends the curve at 0. Everything after a missing return is NaN.
    """
    growth = np.maximum(1 + returns, 0.0)
    curve: Floats = np.concatenate(([1.0], np.cumprod(growth)))
    return curve


def maximum_drawdown(returns: Floats) -> float:
    """Deepest fall of the equity from a peak, as a fraction of the peak, 0 to 1.

    The first peak is the money before the first return, so that a loss in the first period counts.
    """
    if not _whole(returns):
        return math.nan
    curve = equity_curve(returns)
    return float((1 - curve / np.maximum.accumulate(curve)).max())


def calmar(returns: Floats, periods_per_year: float) -> float:
    """Compound growth per year by the maximum drawdown; infinite for a gain without a drawdown."""
    return _ratio(cagr(returns, periods_per_year), maximum_drawdown(returns))


def profit_factor(results: Floats) -> float:
    """Sum of gains by sum of losses of trades (or periods), shape (trades,).

    Infinite where nothing was lost; NaN without trades or where nothing was gained or lost.
    """
    if not _whole(results):
        return math.nan
    return _ratio(float(np.maximum(results, 0.0).sum()), float(-np.minimum(results, 0.0).sum()))


def win_rate(results: Floats) -> float:
    """Share of trades (or periods) that gained something, shape (trades,); a zero is no gain. NaN without trades."""
    if not _whole(results):
        return math.nan
    return float(np.mean(results > 0))


def _whole(values: Floats) -> bool:
    return values.size > 0 and bool(np.isfinite(values).all())


def _ratio(numerator: float, denominator: float) -> float:
    if math.isnan(numerator) or math.isnan(denominator):
        return math.nan
    if denominator > 0:
        return numerator / denominator
    return math.inf if numerator > 0 else math.nan
