"""The search's own record of every trial, in arrays of bounded size."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trading.factory.evolution.generation import Proposal, Trial
from trading.factory.evolution.learned import best_fraction
from trading.factory.evolution.ranking import Positions, ranked
from trading.factory.evolution.scores import Scores
from trading.factory.evolution.settings import EvolutionSettings
from trading.indicators.columns import FloatArray

_FIGURES = ("sharpe", "total_return", "drawdown", "turnover", "win_fraction", "robustness")


class Record:
    """Trials in the order of looking, and the best of them.

    Holds ``evaluations × days`` returns of 8 bytes (36 MB for 50,000 trials of 90 days) and some 3 kB for
    each genome.
    """

    def __init__(self, settings: EvolutionSettings) -> None:
        self.settings = settings
        self.trials: list[Trial] = []
        self._returns: FloatArray = np.empty((0, 0))
        self._objectives = np.full((settings.evaluations, 4), np.nan)
        self._shortage = np.full(settings.evaluations, np.nan)
        self._feasible = np.zeros(settings.evaluations, dtype=np.bool_)
        self._sharpe = np.full(settings.evaluations, np.nan)
        #: Positions of the best, best first, and of the highest Sharpe ratios among the feasible.
        self._best: Positions = np.empty(0, dtype=np.intp)
        self._elites: Positions = np.empty(0, dtype=np.intp)

    @property
    def returns(self) -> FloatArray:
        """Daily returns of the trials so far, shape (trials, days); NaN where one crashed."""
        if self._returns.size == 0:
            return np.full((len(self.trials), 0), np.nan)
        return self._returns[: len(self.trials)]

    @property
    def robustness(self) -> FloatArray:
        """Robustness of the feasible trials so far, shape (trials,); NaN for the others."""
        count = len(self.trials)
        values: FloatArray = np.where(self._feasible[:count], self._objectives[:count, 3], np.nan)
        return values

    @property
    def parents(self) -> list[int]:
        """Positions of the population: the elites, then the best."""
        both = dict.fromkeys([*self._elites.tolist(), *self._best.tolist()])
        return list(both)[: self.settings.population]

    @property
    def candidates(self) -> tuple[int, ...]:
        """Positions of the feasible trials among the best."""
        feasible = [int(position) for position in self._best if self._feasible[position]]
        return tuple(feasible[: self.settings.candidates])

    @property
    def best_sharpe(self) -> float:
        """The highest Sharpe ratio of a feasible trial; NaN without one."""
        return float(self._sharpe[self._elites[0]]) if self._elites.size else math.nan

    def add(self, proposals: Sequence[Proposal], number: int, outcome: Scores | str) -> None:
        """Append the trials of a round's batch: with their scores, or with what the one failed with."""
        if isinstance(outcome, str):
            for proposal in proposals:
                self._append(proposal, number, outcome, 0, dict.fromkeys(_FIGURES, math.nan), False)
            return
        first, count = len(self.trials), len(proposals)
        if self._returns.size == 0:
            self._returns = np.full((self.settings.evaluations, outcome.returns.shape[1]), np.nan)
        rows = slice(first, first + count)
        self._returns[rows] = outcome.returns
        self._objectives[rows] = outcome.objectives
        self._shortage[rows] = outcome.shortage
        self._feasible[rows] = outcome.feasible
        self._sharpe[rows] = outcome.sharpe
        figures: dict[str, FloatArray] = {name: getattr(outcome, name) for name in _FIGURES}
        for i, proposal in enumerate(proposals):
            row = {name: float(values[i]) for name, values in figures.items()}
            self._append(proposal, number, "", int(outcome.trades[i]), row, bool(outcome.feasible[i]))

    def select(self, first: int) -> None:
        """Take the trials from a position on into account for what is best."""
        fresh = [position for position in range(first, len(self.trials)) if not self.trials[position].crashed]
        pool = np.union1d(np.concatenate((self._best, self._elites)), fresh).astype(np.intp)
        if not pool.size:
            return
        order = ranked(
            self._objectives[pool],
            self._feasible[pool],
            self._shortage[pool],
            self._returns[pool],
            limit=max(self.settings.candidates, self.settings.population),
            maximum_correlation=self.settings.maximum_correlation,
        )
        self._best = pool[order]
        able = pool[self._feasible[pool]]
        self._elites = able[np.lexsort((able, -self._sharpe[able]))[: max(self.settings.elites, 1)]]

    def feasible_since(self, first: int) -> int:
        """How many trials from a position on are feasible."""
        return int(np.count_nonzero(self._feasible[first : len(self.trials)]))

    def good(self) -> NDArray[np.bool_]:
        """Which trials so far are good: the most robust share of all, shape (trials,)."""
        return best_fraction(self.robustness, self.settings.good_fraction)

    def _append(
        self,
        proposal: Proposal,
        number: int,
        crashed: str,
        trades: int,
        figures: dict[str, float],
        feasible: bool,
    ) -> None:
        self.trials.append(
            Trial(
                proposal=proposal,
                strategy_id=proposal.genome.strategy_id,
                round=number,
                crashed=crashed,
                trades=trades,
                sharpe=figures["sharpe"],
                total_return_fraction=figures["total_return"],
                max_drawdown_fraction=figures["drawdown"],
                turnover=figures["turnover"],
                win_fraction=figures["win_fraction"],
                robustness=figures["robustness"],
                feasible=feasible,
            )
        )
