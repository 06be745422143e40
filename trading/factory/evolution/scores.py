"""What the search compares genomes by, from a population's back-test."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.errors import BadData
from trading.factory.engine import metrics
from trading.factory.engine.result import Population
from trading.factory.genes.genome import Genome
from trading.indicators.columns import FloatArray


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of genomes, each array of shape (genomes,) unless said.

    Attributes
    ----------
    returns
        Daily returns, shape (genomes, days).
    objectives
        What a genome is better by when it is larger, shape (genomes, 4): net return, drawdown (negative)
        and turnover (negative), each per unit of a position's value, and robustness. Size and leverage
        scale the first three alike, and are no skill. NaN in robustness where a half did not move.
    shortage
        What a genome lacks to be judged: the missing share of the minimum trades, and 1 where returns of
        a half do not vary. 0 where nothing is missing.
    """

    returns: FloatArray
    objectives: FloatArray
    shortage: FloatArray
    trades: NDArray[np.int64]
    sharpe: FloatArray
    total_return: FloatArray
    drawdown: FloatArray
    turnover: FloatArray
    win_fraction: FloatArray

    @property
    def robustness(self) -> FloatArray:
        """The lower annualised Sharpe ratio of the two halves."""
        column: FloatArray = self.objectives[:, 3]
        return column

    @property
    def feasible(self) -> NDArray[np.bool_]:
        """Nothing is missing, and there was a net gain."""
        enough: NDArray[np.bool_] = (self.shortage == 0) & (self.total_return > 0)
        return enough


def scores(genomes: Sequence[Genome], population: Population, minimum_trades: int) -> Scores:
    """Score the genomes of a back-test, in their order.

    Raises
    ------
    BadData
        If the back-test does not have one row per genome, or an equity is not a finite number.
    """
    equity = population.equity
    if equity.shape[0] != len(genomes):
        raise BadData(f"back-test: {equity.shape[0]} rows for {len(genomes)} genomes; it must have one each")
    if not np.isfinite(equity).all():
        raise BadData("back-test: an equity is not a finite number; look at the bars of its window")
    returns = population.returns
    half = returns.shape[1] // 2
    robustness = np.minimum(metrics.sharpe(returns[:, :half]), metrics.sharpe(returns[:, half:]))
    trades = population.total("trades").astype(np.int64)
    total_return = equity[:, -1] - 1.0
    drawdown = metrics.maximum_drawdown(equity)
    turnover = population.total("traded") / (len(population.symbols) * equity.shape[1])
    value = np.array([genome.size_fraction * genome.leverage for genome in genomes])
    shortage = np.maximum(minimum_trades - trades, 0) / minimum_trades + np.isnan(robustness)
    return Scores(
        returns=returns,
        objectives=np.column_stack((total_return / value, -drawdown / value, -turnover / value, robustness)),
        shortage=shortage,
        trades=trades,
        sharpe=metrics.sharpe(returns),
        total_return=total_return,
        drawdown=drawdown,
        turnover=turnover,
        win_fraction=metrics.win_fraction(population.total("trades"), population.total("wins")),
    )
