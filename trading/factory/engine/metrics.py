"""Figures of many strategies at once, from daily returns and the kernel's totals.

Years have 365 days: crypto trades on all of them. Returns count the days without a position.
"""

from __future__ import annotations

import math

import numpy as np

from trading.indicators.columns import FloatArray

DAYS_PER_YEAR = 365
_YEAR = math.sqrt(DAYS_PER_YEAR)


def daily_returns(equity: FloatArray) -> FloatArray:
    """Change of equity per day, the first against a start of 1: shape (genomes, days) to the same.

    A portfolio that lost everything stays at 0, and returns 0 from then on.
    """
    before = np.concatenate((np.ones((equity.shape[0], 1)), equity[:, :-1]), axis=1)
    returns: FloatArray = np.divide(equity - before, before, out=np.zeros_like(equity), where=before > 0)
    return returns


def sharpe(returns: FloatArray) -> FloatArray:
    """Mean over deviation (n - 1) of each row, annualised by √365; NaN where returns do not vary."""
    if returns.shape[1] < 2:
        return np.full(returns.shape[0], np.nan)
    return _YEAR * _ratio(returns.mean(axis=1), returns.std(axis=1, ddof=1))


def sortino(returns: FloatArray) -> FloatArray:
    """Mean over the root mean square of the losses among all days, annualised; NaN without a loss."""
    downside = np.sqrt((np.minimum(returns, 0.0) ** 2).mean(axis=1))
    return _YEAR * _ratio(returns.mean(axis=1), downside)


def cagr(equity: FloatArray) -> FloatArray:
    """Growth per year of each row, which starts at 1; -1 where all is lost."""
    growth: FloatArray = np.maximum(equity[:, -1], 0.0) ** (DAYS_PER_YEAR / equity.shape[1]) - 1.0
    return growth


def maximum_drawdown(equity: FloatArray) -> FloatArray:
    """Deepest fall of daily equity from a peak, a fraction of it; the start of 1 is the first peak."""
    peak = np.maximum(np.maximum.accumulate(equity, axis=1), 1.0)
    deepest: FloatArray = (1.0 - equity / peak).max(axis=1)
    return deepest


def calmar(equity: FloatArray) -> FloatArray:
    """Growth per year over the deepest drawdown; NaN without one."""
    return _ratio(cagr(equity), maximum_drawdown(equity))


def win_fraction(trades: FloatArray, wins: FloatArray) -> FloatArray:
    """Share of closed trades with a net gain; NaN without trades."""
    return _ratio(wins, trades)


def profit_factor(gains: FloatArray, losses: FloatArray) -> FloatArray:
    """Net gains over net losses of closed trades; NaN without a loss."""
    return _ratio(gains, losses)


def _ratio(above: FloatArray, below: FloatArray) -> FloatArray:
    quotient: FloatArray = np.divide(above, below, out=np.full(above.shape, np.nan), where=below > 0)
    return quotient
