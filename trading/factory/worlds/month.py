"""A simulated month of the factory: hundreds of candidates a day, every one judged daily until its paper ends."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import product

import numpy as np
import numpy.typing as npt

from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.gather import selection_pbo
from trading.factory.gate.judge import Stage, counted_trials, deflated, judge
from trading.factory.gate.robustness import neighbours
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.genome import Genome
from trading.factory.trials.count import DRAWS, TrialCount, best_of_luck, counted
from trading.factory.trials.fingerprint import fingerprint
from trading.statistics.performance import sharpes
from trading.statistics.sample import Floats

#: Nothing costs anything: the edge of every strategy is exactly 0 and not below, which is hardest for a gate.
FREE = Frictions(
    fee_bps=0, spread_bps=0, slippage_bps=0, impact_coefficient=0, maintenance_fraction=0, slot_quote=1
)
#: Checks that a market without costs cannot answer; they are not held against a candidate here.
UNASKED = frozenset({"stressed_sharpe", "capacity_quote"})
#: Candidates of a look, best Sharpe ratio first, whose haircut is computed.
_LOOKED_AT = 20
_FIRST_DAY = date(2026, 1, 1)


@dataclass(frozen=True, slots=True)
class Calendar:
    """How a month of the factory is laid out, in days."""

    window: int = 90
    searched: int = 30
    paper: int = 14

    @property
    def days(self) -> int:
        """Days of bars that a month needs after the warm-up."""
        return self.window + self.searched - 1 + self.paper


@dataclass(frozen=True, slots=True)
class Look:
    """The best candidates of one search, after some days on paper (0: when they were found)."""

    search: int
    paper_days: int
    trials: TrialCount
    #: Position of each candidate among all genomes, and its DSR.
    candidates: tuple[int, ...]
    deflated: tuple[float, ...]


@dataclass(frozen=True, slots=True)
class Month:
    """What a month came to.

    Attributes
    ----------
    equivalent_trials
        Independent trials by luck at its end.
    best_paper, best_live
        Highest DSR of any candidate when found, and after enough days on paper: what any limit would
        have let through.
    passed_paper, passed_live
        The same among candidates that passed every other check that the world can ask; 0 without one.
    """

    equivalent_trials: float
    best_paper: float
    best_live: float
    passed_paper: float
    passed_live: float


def simulate(
    bars: Bars, genomes: Sequence[Genome], settings: GateSettings, *, seed: int, calendar: Calendar
) -> Month:
    """Search, count, and judge at the end of every day, starting with an empty ledger of trials.

    Each genome is a candidate of one day, judged on its window then, and on window and paper together
    each day from ``minimum_paper_days`` until paper ends.

    Parameters
    ----------
    bars
        `Calendar.days` days after the warm-up.
    genomes
        Cut into equal searches, one a day.
    settings
        Give a low ``minimum_dsr`` to see what lower limits than the usual would let through.
    """
    population = backtest(genomes, bars, FREE)
    trades = population.total("trades").astype(int)
    world = _World(bars, genomes, population.returns, trades, settings, seed, calendar)
    looks = list(world.looks())
    best, passed = dict.fromkeys(Stage, 0.0), dict.fromkeys(Stage, 0.0)
    for look in looks:
        stage = Stage.LIVE if look.paper_days else Stage.PAPER
        best[stage] = max(best[stage], *look.deflated)
        for place, confidence in zip(look.candidates, look.deflated, strict=True):
            # Only what would raise the answer is worth its back-tests.
            if not confidence >= settings.minimum_dsr or confidence <= passed[stage]:
                continue
            judgement = judge(world.evidence(look, place), settings, stage)
            if set(judgement.failed) <= UNASKED:
                passed[stage] = confidence
    return Month(
        equivalent_trials=looks[-1].trials.equivalent,
        best_paper=best[Stage.PAPER],
        best_live=best[Stage.LIVE],
        passed_paper=passed[Stage.PAPER],
        passed_live=passed[Stage.LIVE],
    )


@dataclass(frozen=True, slots=True)
class _World:
    """A month's searches: returns of shape (genomes, days), trades of shape (genomes,)."""

    bars: Bars
    genomes: Sequence[Genome]
    returns: Floats
    trades: npt.NDArray[np.int_]
    settings: GateSettings
    seed: int
    calendar: Calendar

    def looks(self) -> Iterator[Look]:
        """Every look of the month, with the trials that the ledger held at that time."""
        counts = self._counts()
        ages = (0, *range(self.settings.minimum_paper_days, self.calendar.paper + 1))
        for search, age in product(range(self.calendar.searched), ages):
            rows = self._rows(search)
            record = self.returns[rows, search : search + self.calendar.window + age].T
            ratios = np.nan_to_num(sharpes(record), nan=-np.inf)
            best = np.argsort(-ratios, kind="stable")[:_LOOKED_AT]
            trials = counts[min(search + age, self.calendar.searched - 1)]
            tried = counted_trials(trials, self.settings)
            sure = [float(np.nan_to_num(deflated(record[:, place], tried))) for place in best]
            yield Look(search, age, trials, tuple(int(rows.start + place) for place in best), tuple(sure))

    def evidence(self, look: Look, place: int) -> Evidence:
        """What the gate is shown of a candidate at a look."""
        start, end = look.search, look.search + self.calendar.window
        group = neighbours(self.genomes[place], self.settings.neighbours, seed=self.seed, ratings=False)
        searched = self.returns[self._rows(look.search), start:end]
        return Evidence(
            strategy_id=self.genomes[place].strategy_id,
            returns=self.returns[place, start:end],
            # Drawn at random and not bred: no search saw any day.
            unseen_days=end - start,
            trades=int(self.trades[place]),
            trials=look.trials,
            pbo=selection_pbo(searched, self.settings, seed=self.seed),
            neighbours=backtest(group, self.bars, FREE).returns[:, start:end].T,
            paper_returns=self.returns[place, end : end + look.paper_days] if look.paper_days else None,
        )

    def _counts(self) -> list[TrialCount]:
        """What the ledger amounts to at the end of each day of the month."""
        best, recorded, able, counts = np.full(DRAWS, -np.inf), 0, 0, list[TrialCount]()
        for search in range(self.calendar.searched):
            window = self.returns[self._rows(search), search : search + self.calendar.window]
            first_day = _FIRST_DAY + timedelta(days=search)
            more, luck = best_of_luck(fingerprint(row, first_day) for row in window)
            recorded, able = recorded + len(window), able + more
            np.maximum(best, luck, out=best)
            counts.append(counted(recorded, able, best))
        return counts

    def _rows(self, search: int) -> slice:
        per_day = len(self.genomes) // self.calendar.searched
        return slice(search * per_day, (search + 1) * per_day)
