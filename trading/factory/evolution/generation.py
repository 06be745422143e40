"""What a search leaves behind: every genome it looked at, and those it hands on."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from trading.factory.genes.genome import Genome
from trading.indicators.columns import FloatArray


class Origin(StrEnum):
    """Where a genome came from."""

    SEED = "seed"  # given by the caller: yesterday's best, hand-made ones
    FRESH = "fresh"  # drawn at random
    CROSSED = "crossed"
    MUTATED = "mutated"
    LEARNED = "learned"  # proposed by what earlier trials say


@dataclass(frozen=True, slots=True)
class Proposal:
    """A genome that is to be tried, and the ids of those that it descends from."""

    genome: Genome
    origin: Origin
    parents: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trial:
    """One genome that was looked at. Figures are NaN where they are undefined.

    Attributes
    ----------
    round
        Number of the round, from 0.
    crashed
        What its back-test failed with; empty where it did not.
    sharpe
        Sharpe ratio of daily returns, annualised.
    robustness
        The lower of the Sharpe ratios of the two halves of the window, annualised.
    turnover
        Value traded a day over the starting equity.
    feasible
        Traded often enough, in both halves, and ended with a gain: what the search prefers before all else.
    """

    proposal: Proposal
    strategy_id: str
    round: int
    crashed: str
    trades: int
    sharpe: float
    total_return_fraction: float
    max_drawdown_fraction: float
    turnover: float
    win_fraction: float
    robustness: float
    feasible: bool

    @property
    def genome(self) -> Genome:
        """What was tried."""
        return self.proposal.genome


@dataclass(frozen=True, slots=True)
class Round:
    """One round of the search.

    Attributes
    ----------
    first, last
        Its trials are ``trials[first:last]`` of the generation.
    parents
        Ids of the genomes that it could descend from, best first.
    best_sharpe
        Highest annualised Sharpe ratio of any feasible trial so far; NaN without one.
    """

    number: int
    first: int
    last: int
    parents: tuple[str, ...]
    crashed: int
    feasible: int
    best_sharpe: float


@dataclass(frozen=True, slots=True)
class Generation:
    """A night's search.

    Attributes
    ----------
    trials
        Every genome that was looked at, each once, in the order of looking: what the trial ledger takes.
    returns
        Their daily returns, shape (trials, days); a row of NaN for one that crashed.
    candidates
        Positions in ``trials`` of the genomes handed on, best first. None of them crashed.
    """

    trials: tuple[Trial, ...]
    returns: FloatArray
    rounds: tuple[Round, ...]
    candidates: tuple[int, ...]
    seed: int

    @property
    def chosen(self) -> list[Trial]:
        """The trials handed on, best first."""
        return [self.trials[position] for position in self.candidates]

    @property
    def crashed(self) -> int:
        """How many back-tests failed."""
        return sum(bool(trial.crashed) for trial in self.trials)
