"""What a strategy must show before it goes on, and why each limit is where it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt


@dataclass(frozen=True, slots=True)
class GateSettings:
    """Limits of the promotion gate. Sharpe ratios are per year of 365 days.

    Attributes
    ----------
    minimum_days
        Daily returns behind every figure. Below about 60 the skewness and kurtosis in PSR are guesses.
    minimum_trades
        Closed trades of the back-test. Thirty is where one lucky trade no longer makes the mean.
    unseen_fraction
        Share of a back-test's window, its newest days, that no search sees before it hands a candidate on. A
        search that breeds from what it found climbs on luck as on an edge, as high as one lets it, and the
        number of its trials does not say how high: only other days do.
    minimum_psr
        Confidence that the true Sharpe ratio is above 0 on the unseen days, had this been the only strategy
        tried.
    minimum_dsr
        The same after the haircut for every trial of the ledger. Correlated trials make the best of noise
        spread widely, and a search is looked at every day: by this alone, one month without an edge in
        eleven promotes something at 0.8, and one in fifty at 0.95 (docs/concepts/promotion-gate.md).
    minimum_equivalent_trials
        Independent trials that the haircut counts at least. A search that goes on is judged by the month
        that it plans, and not by the first days of an empty ledger: a month of 500 a day comes to 3,000.
    maximum_pbo
        Probability of backtest overfitting of the search that the candidate was chosen in. Half is what
        choosing among noise gives on average.
    pbo_partitions
        Blocks of the cross-validation; 16 is usual. Ninety days make blocks of five.
    walk_forward_folds
        Tests of the purged walk-forward, each after choosing anew among the candidate and its neighbours.
    hold_days
        Days that a position may reach into, purged between training and test: the longest time exit is 72 hours.
    embargo_days
        Days given up on top of the purge, because volatility remembers.
    minimum_walk_forward_sharpe
        Sharpe ratio of the tests put together. A tenth of what the search shows is usual for noise.
    neighbours
        Variants of the candidate that are back-tested with it.
    minimum_plateau_fraction
        Median Sharpe ratio of the neighbours over the candidate's. A peak that half of its neighbours do
        not reach to half is a coincidence of numbers.
    stress_factor
        By how much fees, spread, slippage and impact are multiplied under stress.
    minimum_stressed_sharpe
        Sharpe ratio that is left then. Costs are the least certain input, and 0 would leave nothing to earn.
    minimum_capacity_quote
        Money per symbol at which impact eats half of the edge; at least a slot of the back-test.
    minimum_paper_days
        Days on paper before money is risked: one to two weeks, so that every weekday was seen.
    minimum_paper_agreement
        Chance of a paper record this bad or worse if the back-test told the truth. Below it the two
        disagree.
    """

    minimum_days: Annotated[int, Ge(30)] = 60
    minimum_trades: Annotated[int, Ge(1)] = 30
    unseen_fraction: Annotated[float, Gt(0), Lt(1)] = 0.5
    minimum_psr: Annotated[float, Gt(0.5), Lt(1)] = 0.95
    minimum_dsr: Annotated[float, Gt(0), Lt(1)] = 0.95
    minimum_equivalent_trials: Annotated[float, Ge(1)] = 3_000.0
    maximum_pbo: Annotated[float, Gt(0), Le(1)] = 0.5
    pbo_partitions: Annotated[int, Ge(4), Le(24)] = 16
    walk_forward_folds: Annotated[int, Ge(2)] = 4
    hold_days: Annotated[int, Ge(0)] = 3
    embargo_days: Annotated[int, Ge(0)] = 1
    minimum_walk_forward_sharpe: float = 0.5
    neighbours: Annotated[int, Ge(5)] = 24
    minimum_plateau_fraction: Annotated[float, Gt(0), Le(1)] = 0.5
    stress_factor: Annotated[float, Gt(1)] = 2.0
    minimum_stressed_sharpe: Annotated[float, Ge(0)] = 0.5
    minimum_capacity_quote: Annotated[float, Gt(0)] = 10_000.0
    minimum_paper_days: Annotated[int, Ge(1)] = 7
    minimum_paper_agreement: Annotated[float, Gt(0), Lt(1)] = 0.05

    def unseen_days(self, days: int) -> int:
        """Newest days of a window of so many that are kept from the search: at least one, and not all."""
        return min(max(round(days * self.unseen_fraction), 1), max(days - 1, 0))
