"""The promotion gate: a pure function from evidence to checks. What is missing is not promoted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from statistics import NormalDist

import numpy as np

from trading.errors import BadData
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.robustness import plateau_fraction, walk_forward_returns
from trading.factory.gate.settings import GateSettings
from trading.factory.trials.count import TrialCount
from trading.model.check import at_least, at_most
from trading.model.decision import Check
from trading.statistics.performance import CRYPTO_DAYS_PER_YEAR, annualised, sharpe
from trading.statistics.sample import Floats, autocorrelation, moments
from trading.statistics.track_record import probabilistic_sharpe
from trading.statistics.trials import deflated_sharpe


class Stage(StrEnum):
    """What the candidate is judged for."""

    PAPER = "paper"
    LIVE = "live"


class Severity(StrEnum):
    """What a failed check means: ``block`` keeps the candidate where it is, ``warn`` is only shown."""

    BLOCK = "block"
    WARN = "warn"


@dataclass(frozen=True, slots=True)
class GateCheck:
    """A check with what its failure means, and what it asks in plain words."""

    check: Check
    severity: Severity
    question: str


@dataclass(frozen=True, slots=True)
class Judgement:
    """Every check of a candidate at a stage."""

    strategy_id: str
    stage: Stage
    checks: tuple[GateCheck, ...]

    @property
    def promoted(self) -> bool:
        """Whether no blocking check failed."""
        return not self.failed

    @property
    def failed(self) -> tuple[str, ...]:
        """Names of the blocking checks that failed."""
        return tuple(
            item.check.name
            for item in self.checks
            if item.severity is Severity.BLOCK and not item.check.passed
        )


#: Names of the checks with what each asks, in the order of judgement.
QUESTIONS = {
    "days": "Is the record long enough to be judged?",
    "trades": "Were there enough trades?",
    "psr": "Is the Sharpe ratio of unseen days above 0, had only this strategy been tried?",
    "dsr": "Is it above 0 on those days after all trials of the ledger?",
    "pbo": "Does choosing by back-test work in the search that it came from?",
    "walk_forward_sharpe": "Does going on with the best so far earn, on days that it was not chosen on?",
    "plateau_fraction": "Do its neighbours keep most of the Sharpe ratio?",
    "stressed_sharpe": "Does it earn under multiplied costs?",
    "capacity_quote": "Does it carry the money before impact eats half of the edge?",
    "autocorrelation": "Are daily returns independent, as the standard errors take them to be?",
    "paper_days": "Was it on paper long enough?",
    "paper_agreement": "Does the paper record agree with the back-test?",
}
#: What is asked only of a strategy that has been on paper.
ON_PAPER = frozenset({"paper_days", "paper_agreement"})


def judge(evidence: Evidence, settings: GateSettings, stage: Stage) -> Judgement:
    """Judge a candidate.

    Parameters
    ----------
    stage
        For `Stage.PAPER` the back-test alone is asked; for `Stage.LIVE` the record is back-test and paper
        in one, and what was seen on paper must agree.

    Returns
    -------
    Judgement
        With every check, also those after the first that failed. A figure that is missing or undefined
        fails.
    """
    checks = [
        *_luck(evidence, settings),
        *_robust(evidence, settings),
        _independent(evidence),
        *(_paper(evidence, settings) if stage is Stage.LIVE else ()),
    ]
    return Judgement(
        evidence.strategy_id,
        stage,
        tuple(
            GateCheck(
                check,
                Severity.WARN if check.name == "autocorrelation" else Severity.BLOCK,
                QUESTIONS[check.name],
            )
            for check in checks
        ),
    )


def counted_trials(trials: TrialCount, settings: GateSettings) -> float:
    """Independent trials that the haircut is taken for: those of the ledger, or those planned if more."""
    return max(trials.equivalent, settings.minimum_equivalent_trials)


def deflated(record: Floats, equivalent_trials: float) -> float:
    """DSR of daily returns, shape (days,), after as many independent trials; NaN where undefined."""
    sample = moments(record)
    if not sample.deviation > 0:
        return math.nan
    return deflated_sharpe(
        sample.sharpe,
        trials=equivalent_trials,
        sharpe_variance=1 / (sample.periods - 1),
        periods=sample.periods,
        skewness=sample.skewness,
        kurtosis=sample.kurtosis,
    )


def _luck(evidence: Evidence, settings: GateSettings) -> list[Check]:
    unseen, trials = evidence.unseen, evidence.trials
    psr = dsr = math.nan
    note = "no day is known that no search saw"
    if unseen is not None:
        note = f"on {unseen.size} days that no search saw"
        sample = moments(unseen)
        if sample.deviation > 0:
            psr = probabilistic_sharpe(
                sample.sharpe, periods=sample.periods, skewness=sample.skewness, kurtosis=sample.kurtosis
            )
            if trials is not None and trials.able >= 1:
                dsr = deflated(unseen, counted_trials(trials, settings))
    luck = note
    if trials is not None:
        independent = counted_trials(trials, settings)
        luck = f"{note}, after {trials.recorded} trials, like {independent:.0f} independent ones"
    days = None if evidence.returns is None else evidence.record.size
    return [
        at_least("days", days, settings.minimum_days),
        at_least("trades", evidence.trades, settings.minimum_trades),
        at_least("psr", psr, settings.minimum_psr, note),
        at_least("dsr", dsr, settings.minimum_dsr, luck),
        at_most("pbo", evidence.pbo, settings.maximum_pbo),
    ]


def _robust(evidence: Evidence, settings: GateSettings) -> list[Check]:
    tested = plateau = math.nan
    if evidence.returns is not None and evidence.neighbours is not None:
        family = np.column_stack([evidence.returns, evidence.neighbours])
        plateau = plateau_fraction(evidence.returns, evidence.neighbours)
        try:
            tested = _annual_sharpe(
                walk_forward_returns(
                    family,
                    folds=settings.walk_forward_folds,
                    hold_days=settings.hold_days,
                    embargo_days=settings.embargo_days,
                )
            )
        except BadData:  # too few days for the folds: undefined, and so not passed
            tested = math.nan
    return [
        at_least("walk_forward_sharpe", tested, settings.minimum_walk_forward_sharpe, "a year"),
        at_least("plateau_fraction", plateau, settings.minimum_plateau_fraction),
        at_least(
            "stressed_sharpe",
            None if evidence.stressed is None else _annual_sharpe(evidence.stressed),
            settings.minimum_stressed_sharpe,
            f"a year, costs times {settings.stress_factor:g}",
        ),
        at_least("capacity_quote", evidence.capacity_quote, settings.minimum_capacity_quote, "per symbol"),
    ]


def _independent(evidence: Evidence) -> Check:
    """Two standard errors of no autocorrelation."""
    days = evidence.record.size
    return at_most("autocorrelation", autocorrelation(evidence.record), 2 / math.sqrt(days))


def _paper(evidence: Evidence, settings: GateSettings) -> list[Check]:
    paper = evidence.paper_returns
    return [
        at_least("paper_days", None if paper is None else paper.size, settings.minimum_paper_days),
        at_least("paper_agreement", _agreement(evidence), settings.minimum_paper_agreement),
    ]


def _agreement(evidence: Evidence) -> float:
    """Chance of a paper mean this low or lower, were it drawn as the back-test's days were; NaN if unknown."""
    before, paper = evidence.returns, evidence.paper_returns
    if before is None or paper is None or paper.size == 0:
        return math.nan
    sample = moments(before)
    if not sample.deviation > 0 or not np.isfinite(paper).all():
        return math.nan
    error = sample.deviation * math.sqrt(1 / paper.size + 1 / before.size)
    return NormalDist().cdf((float(paper.mean()) - sample.mean) / error)


def _annual_sharpe(returns: Floats) -> float:
    return annualised(sharpe(returns), CRYPTO_DAYS_PER_YEAR)
