"""Settings of the strategy factory: how many genomes, over how long, and what survives."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True)
class FactorySettings:
    """How many strategies are tried a day, and what one must show to go on paper.

    Attributes
    ----------
    window_days
        Days of hourly bars that a back-test reads, ending with the day.
    trials_per_day
        Genomes generated and tested each day; all of them count in the haircut.
    minimum_trades
        Closed trades below which a result is not judged.
    minimum_sharpe
        Annualised Sharpe ratio that a trial must reach to be ranked.
    minimum_win_fraction
        Share of trades with a net gain that a trial must reach to be ranked.
    minimum_return_fraction, maximum_return_fraction
        Net return over the window must lie between them; above, the data is suspect.
    maximum_drawdown_fraction
        Deepest fall from a peak that a ranked trial may show.
    minimum_deflated_probability
        Probability, after the haircut for all trials of the day, that the Sharpe ratio is more
        than the best of noise. At 0.95 noise alone puts a strategy on paper in well under 5 % of
        months; lower it to watch more candidates on paper, at the price of more false ones.
    maximum_survivors
        Most strategies that one day puts on paper.
    maximum_correlation
        Largest correlation of hourly returns between two survivors.
    """

    window_days: Annotated[int, Ge(7), Le(365)] = 45
    trials_per_day: Annotated[int, Ge(1)] = 500
    minimum_trades: Annotated[int, Ge(1)] = 10
    minimum_sharpe: float = 0.5
    minimum_win_fraction: Annotated[float, Ge(0), Le(1)] = 0.35
    minimum_return_fraction: Annotated[float, Ge(-1)] = -0.5
    maximum_return_fraction: Annotated[float, Gt(0)] = 5.0
    maximum_drawdown_fraction: Annotated[float, Gt(0), Le(1)] = 0.25
    minimum_deflated_probability: Annotated[float, Ge(0), Le(1)] = 0.95
    maximum_survivors: Annotated[int, Ge(0)] = 10
    maximum_correlation: Annotated[float, Ge(-1), Le(1)] = 0.7
