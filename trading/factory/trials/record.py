"""One trial: a genome that was looked at, whatever became of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from hashlib import sha256

from trading.factory.engine.result import Population
from trading.factory.genes.genome import Genome
from trading.factory.trials.fingerprint import Fingerprint, fingerprint
from trading.model.canonical import canonical_json

#: Proposer of a genome that a person wrote.
BY_HAND = "hand"


class Outcome(StrEnum):
    """What a trial came to."""

    SCORED = "scored"
    IDLE = "idle"
    CRASHED = "crashed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A genome that was looked at. Missing figures are None: of a crash nothing is known.

    Attributes
    ----------
    strategy_id, genome
        Canonical hash of the genome and its JSON. A genome that could not even be read keeps its text.
    proposer
        Who came up with it: a proposer of the search, or `BY_HAND`.
    parents
        Hashes of the genomes that it descends from.
    day
        UTC day of the search, or by hand the one whose close the back-test ended with.
    outcome, reason
        ``idle`` never traded. The reason is the filter that discarded it, the error that it crashed with,
        or empty.
    trades
        Closed trades of the window.
    sharpe
        Of daily returns, annualised by 365 days.
    returns
        Fingerprint of the daily returns; None of a crash.
    """

    strategy_id: str
    genome: str
    proposer: str
    parents: tuple[str, ...]
    day: date
    outcome: Outcome
    reason: str = ""
    trades: int | None = None
    sharpe: float | None = None
    total_return_fraction: float | None = None
    max_drawdown_fraction: float | None = None
    returns: Fingerprint | None = None


def content_hash(trial: Trial, recorded_at_ms: int) -> str:
    """SHA-256 (64 hex digits) of everything that is stored of a trial."""
    kept = trial.returns
    content = [
        trial.strategy_id,
        trial.genome,
        trial.proposer,
        trial.parents,
        trial.day.isoformat(),
        trial.outcome.value,
        trial.reason,
        trial.trades,
        trial.sharpe,
        trial.total_return_fraction,
        trial.max_drawdown_fraction,
        None if kept is None else [kept.first_day.isoformat(), kept.scale, kept.steps.hex(), kept.sha256],
        recorded_at_ms,
    ]
    return sha256(canonical_json(content).encode()).hexdigest()


def scored(
    genomes: Sequence[Genome],
    population: Population,
    *,
    day: date,
    proposers: Sequence[str],
    parents: Sequence[tuple[str, ...]],
    reasons: Sequence[str],
) -> list[Trial]:
    """Trials of a back-tested population, in its order; every sequence has one entry per genome.

    Raises
    ------
    ValueError
        If the lengths differ.
    """
    figures = population.metrics().select(
        "trades", "sharpe", "total_return_fraction", "max_drawdown_fraction"
    )
    rows = zip(
        genomes,
        population.returns,
        figures.iter_rows(),
        proposers,
        parents,
        reasons,
        strict=True,
    )
    return [
        Trial(
            strategy_id=genome.strategy_id,
            genome=genome.json,
            proposer=proposer,
            parents=tuple(ancestry),
            day=day,
            outcome=Outcome.SCORED if trades or returns.any() else Outcome.IDLE,
            reason=reason,
            trades=trades,
            sharpe=sharpe,
            total_return_fraction=gained,
            max_drawdown_fraction=fell,
            returns=fingerprint(returns, population.first_day),
        )
        for genome, returns, (trades, sharpe, gained, fell), proposer, ancestry, reason in rows
    ]


def crashed(
    strategy_id: str, genome: str, error: str, *, day: date, proposer: str, parents: tuple[str, ...] = ()
) -> Trial:
    """The trial of a genome whose test failed: it counts like any other."""
    return Trial(
        strategy_id=strategy_id,
        genome=genome,
        proposer=proposer,
        parents=parents,
        day=day,
        outcome=Outcome.CRASHED,
        reason=error,
    )
