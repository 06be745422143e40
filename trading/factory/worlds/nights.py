"""A simulated month of the real nightly search: every night breeds, learns, counts, and asks the gate."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta

import numpy as np

from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.kept import KeptColumns
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.evolution.evolve import PastTrial, evolve
from trading.factory.evolution.generation import Generation
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.gather import gather
from trading.factory.gate.judge import Stage, counted_trials, deflated, judge
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.trials.count import DRAWS, TrialCount, best_of_luck, counted
from trading.factory.trials.fingerprint import fingerprint
from trading.factory.worlds.month import FREE, UNASKED, Calendar
from trading.statistics.sample import Floats

#: Candidates of a night that come to the gate, as the factory's shortlist.
_SHORTLIST = 10
#: Nights that the second proposer learns from.
_PAST_NIGHTS = 7
_FIRST_DAY = date(2026, 1, 1)
_DAY_BARS = 24


@dataclass(frozen=True, slots=True)
class SearchedMonth:
    """What a month of nightly searches came to.

    Attributes
    ----------
    trials
        Genomes looked at, all nights together.
    equivalent_trials
        Independent trials by luck at the month's end.
    best_sharpe
        Highest annualised Sharpe ratio that any night's search showed; NaN where nothing was feasible.
    best_searched
        Highest DSR of a shortlisted candidate on the days that its search saw: what luck looks like there.
    best_paper, best_live
        Highest DSR of a shortlisted candidate on unseen days when found, and on a day of its paper.
    passed_paper, passed_live
        The same among those that passed every other check that a world without costs can ask; 0 without one.
    likeness
        Highest correlation of a shortlisted candidate's daily returns with those of the planted rule, over
        the window that it was found in; NaN without a planted rule.
    """

    trials: int
    equivalent_trials: float
    best_sharpe: float
    best_searched: float
    best_paper: float
    best_live: float
    passed_paper: float
    passed_live: float
    likeness: float


def search_month(
    bars: Bars,
    evolution: EvolutionSettings,
    gate: GateSettings,
    *,
    seed: int,
    calendar: Calendar,
    planted: Genome | None = None,
) -> SearchedMonth:
    """Search every night over the window before it, on an empty ledger of trials at the start.

    A search sees the window less its unseen days, and learns from the searches of the nights before. Shortlisted
    candidates are judged when found, and each day from ``minimum_paper_days`` on paper until paper ends. No night
    sees a bar after its own day.

    Parameters
    ----------
    bars
        Hourly, `Calendar.days` days after the warm-up.
    gate
        Give a low ``minimum_dsr`` to see what lower limits than the usual would let through.
    planted
        A rule that the bars follow, to see whether the search comes upon it; it is not told to the search.
    """
    ledger, past = _Ledger(), list[list[PastTrial]]()
    unseen = gate.unseen_days(calendar.window)
    shown, looks = list[float](), list[_Look]()
    likeness = list[float]()
    for night in range(calendar.searched):
        searched = _Window(_cut(bars, night, night + calendar.window - unseen))
        known = [trial for before in past[-_PAST_NIGHTS:] for trial in before]
        generation = evolve(
            searched, (), evolution, seed * 1000 + night, past=known, timeframes=[Timeframe.H1]
        )
        past.append([PastTrial(trial.genome, trial.sharpe) for trial in generation.trials])
        count = ledger.add(generation, _FIRST_DAY + timedelta(days=night))
        listed = _listed(generation)
        if not listed:
            continue
        shown.append(max(trial.sharpe for trial in generation.chosen))
        window = _Window(_cut(bars, night, night + calendar.window))
        if planted is not None:
            likeness.append(_likeness(window, planted, listed))
        record = backtest(listed, _cut(bars, night, night + calendar.window + calendar.paper), FREE).returns
        tried = counted_trials(count, gate)
        looks += [_Look(None, _sure(row[: calendar.window - unseen], tried), False) for row in record]
        looks += _judged(window, listed, generation, record, count, gate, calendar, seed=seed)

    def highest(stage: Stage | None, *, passed: bool = False) -> float:
        return max(
            (look.sure for look in looks if look.stage is stage and look.passes >= passed), default=0.0
        )

    return SearchedMonth(
        trials=ledger.recorded,
        equivalent_trials=ledger.count.equivalent,
        best_sharpe=max(shown, default=math.nan),
        best_searched=highest(None),
        best_paper=highest(Stage.PAPER),
        best_live=highest(Stage.LIVE),
        passed_paper=highest(Stage.PAPER, passed=True),
        passed_live=highest(Stage.LIVE, passed=True),
        likeness=max((value for value in likeness if not math.isnan(value)), default=math.nan),
    )


@dataclass(frozen=True, slots=True)
class _Look:
    """One look at one candidate: DSR, and whether every check but the unasked passes.

    ``stage`` is None for a look at the days that the search saw.
    """

    stage: Stage | None
    sure: float
    passes: bool


class _Ledger:
    """The trials of the month so far, and what they amount to."""

    def __init__(self) -> None:
        self._luck: Floats = np.full(DRAWS, -np.inf)
        self.recorded = self._able = 0

    @property
    def count(self) -> TrialCount:
        """What they amount to."""
        return counted(self.recorded, self._able, self._luck)

    def add(self, generation: Generation, first_day: date) -> TrialCount:
        """Put a night on record."""
        able, luck = best_of_luck(fingerprint(row, first_day) for row in generation.returns)
        self.recorded += len(generation.trials)
        self._able += able
        np.maximum(self._luck, luck, out=self._luck)
        return self.count


class _Window:
    """Back-tests over one night's bars, whose columns are computed once."""

    def __init__(self, bars: Bars) -> None:
        self._bars = bars
        self._kept = KeptColumns()

    def __call__(self, genomes: Sequence[Genome]) -> Population:
        return self.at(genomes, FREE)

    def at(self, genomes: Sequence[Genome], frictions: Frictions) -> Population:
        return backtest(genomes, self._bars, frictions, kept=self._kept, workers=1)


def _cut(bars: Bars, first_day: int, last_day: int) -> Bars:
    """The bars from the warm-up before one day to the start of another; days count from the end of the warm-up."""
    span = slice(first_day * _DAY_BARS, bars.warmup_bars + last_day * _DAY_BARS)
    names = ("open", "high", "low", "close", "volume", "funding_rate")
    parts = {name: getattr(bars, name)[:, span] for name in names}
    return replace(bars, first_open_ms=bars.first_open_ms + span.start * bars.length_ms, **parts)


def _listed(generation: Generation) -> list[Genome]:
    """The night's best by Sharpe ratio among those that the search hands on, which move differently."""
    chosen = sorted(generation.chosen, key=lambda trial: (-trial.sharpe, trial.strategy_id))
    return [trial.genome for trial in chosen[:_SHORTLIST]]


def _likeness(window: _Window, planted: Genome, listed: Sequence[Genome]) -> float:
    returns = window([planted, *listed]).returns
    if not np.ptp(returns, axis=1).all():
        return math.nan
    return float(np.asarray(np.corrcoef(returns))[0, 1:].max())


def _judged(
    window: _Window,
    listed: Sequence[Genome],
    generation: Generation,
    record: Floats,
    count: TrialCount,
    gate: GateSettings,
    calendar: Calendar,
    *,
    seed: int,
) -> list[_Look]:
    """Each look at each candidate, when found and on paper; ``record`` has window and paper, shape (listed, days).

    Later nights' trials would only raise the haircut: a look uses the ledger of the night of finding. Evidence
    that costs back-tests is gathered for candidates with a chance alone.
    """
    days, unseen = calendar.window, gate.unseen_days(calendar.window)
    ages = (0, *range(gate.minimum_paper_days, calendar.paper + 1))
    tried = counted_trials(count, gate)
    sure = {
        (place, age): _sure(record[place, days - unseen : days + age], tried)
        for place in range(len(listed))
        for age in ages
    }
    able = sorted({place for (place, _), confidence in sure.items() if confidence >= gate.minimum_dsr})
    chosen = [listed[place] for place in able]
    shown = dict(zip(able, _evidence(window, chosen, generation, count, gate, seed, unseen), strict=True))
    found = []
    for (place, age), confidence in sure.items():
        stage, passes = Stage.LIVE if age else Stage.PAPER, False
        if confidence >= gate.minimum_dsr:
            paper = record[place, days : days + age] if age else None
            evidence = replace(shown[place], returns=record[place, :days], paper_returns=paper)
            passes = set(judge(evidence, gate, stage).failed) <= UNASKED
        found.append(_Look(stage, confidence, passes))
    return found


def _sure(returns: Floats, tried: float) -> float:
    """DSR of a record; 0 where it is undefined."""
    return float(np.nan_to_num(deflated(returns, tried)))


def _evidence(
    window: _Window,
    listed: Sequence[Genome],
    generation: Generation,
    count: TrialCount,
    gate: GateSettings,
    seed: int,
    unseen_days: int,
) -> list[Evidence]:
    return gather(
        listed,
        backtest=window.at,
        frictions=FREE,
        population=generation.returns,
        trials=count,
        settings=gate,
        seed=seed,
        unseen_days=unseen_days,
        ratings=False,
    )
