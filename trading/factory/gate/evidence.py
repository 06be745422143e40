"""What is known of a candidate when the gate judges it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.factory.trials.count import TrialCount
from trading.statistics.sample import Floats


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Evidence of one candidate; what is None is missing and fails its check.

    Attributes
    ----------
    strategy_id
        Hash of the genome.
    returns
        Daily net returns of its back-test, shape (days,), oldest first.
    unseen_days
        The newest of them that no search saw before the candidate was handed on.
    trades
        Closed trades of the back-test.
    trials
        What the trial ledger amounts to, with the candidate's own search in it.
    pbo
        Probability of backtest overfitting of that search, 0 to 1.
    neighbours
        Daily returns of variants over the same days, shape (days, neighbours).
    stressed
        The candidate's daily returns under multiplied costs, shape (days,).
    capacity_quote
        Money per symbol at which impact eats half of the edge.
    paper_returns
        Daily net returns on paper after the back-test ended, shape (paper days,).
    """

    strategy_id: str
    returns: Floats | None = None
    unseen_days: int | None = None
    trades: int | None = None
    trials: TrialCount | None = None
    pbo: float | None = None
    neighbours: Floats | None = None
    stressed: Floats | None = None
    capacity_quote: float | None = None
    paper_returns: Floats | None = None

    @property
    def record(self) -> Floats:
        """Back-test and paper in one, shape (all days,); NaN alone where there is no back-test."""
        if self.returns is None:
            return np.array([np.nan])
        return self.returns if self.paper_returns is None else np.append(self.returns, self.paper_returns)

    @property
    def unseen(self) -> Floats | None:
        """The days of the record that no search saw, paper among them; None where there are none, or none known."""
        if self.returns is None or self.unseen_days is None or not 0 <= self.unseen_days <= self.returns.size:
            return None
        days = self.record[self.returns.size - self.unseen_days :]
        return days if days.size else None
