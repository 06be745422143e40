"""The nightly search: rounds of children and of proposals that learn, every one of them a trial on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from trading.factory.evolution.attempts import Evaluate, tested
from trading.factory.evolution.breeding import child
from trading.factory.evolution.generation import Generation, Origin, Proposal, Round
from trading.factory.evolution.learned import Learner, best_fraction
from trading.factory.evolution.record import Record
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.genes.vary import mutated

#: Draws for each genome of a round before the search counts as exhausted.
_ATTEMPTS = 50


@dataclass(frozen=True, slots=True)
class PastTrial:
    """A trial of an earlier night: what the second proposer may learn from. NaN: crashed or undefined."""

    genome: Genome
    sharpe: float


def evolve(
    evaluate: Evaluate,
    seeds: Sequence[Genome],
    settings: EvolutionSettings,
    rng_seed: int,
    report: Callable[[Round], None] | None = None,
    *,
    past: Sequence[PastTrial] = (),
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
) -> Generation:
    """Search for genomes; the same arguments give the same generation.

    Parameters
    ----------
    evaluate
        Back-tests genomes, one row each. A genome that it fails on is on record as crashed.
    seeds
        Tried first, best first: yesterday's candidates, hand-made genomes. They count as trials.
    rng_seed
        Fixes every draw.
    report
        Called after each round.
    past
        Trials of earlier nights: the second proposer knows them from the start.
    timeframes
        What genomes may decide on; seeds are taken as they are.

    Raises
    ------
    BadData
        If every genome of a round fails.
    """
    search = _Search(evaluate, settings, Draw(np.random.default_rng(rng_seed)), past, timeframes)
    rounds = []
    for number, proposals in enumerate(search.batches(seeds)):
        rounds.append(search.run(number, proposals))
        if report is not None:
            report(rounds[-1])
    record = search.record
    return Generation(
        trials=tuple(record.trials),
        returns=record.returns,
        rounds=tuple(rounds),
        candidates=record.candidates,
        seed=rng_seed,
    )


class _Search:
    def __init__(
        self,
        evaluate: Evaluate,
        settings: EvolutionSettings,
        draw: Draw,
        past: Sequence[PastTrial],
        timeframes: Sequence[Timeframe],
    ) -> None:
        self.record = Record(settings)
        self._evaluate = evaluate
        self._settings = settings
        self._draw = draw
        self._timeframes = tuple(timeframes)
        self._seen: set[Genome] = set()
        self._learner = Learner()
        self._learner.show([trial.genome for trial in past])
        self._past_good = best_fraction(
            np.array([trial.sharpe for trial in past], dtype=np.float64), settings.good_fraction
        )
        self._good: list[Genome] = [
            trial.genome for trial, good in zip(past, self._past_good, strict=True) if good
        ]
        self._learner.learn(self._past_good)

    def batches(self, seeds: Sequence[Genome]) -> Iterator[list[Proposal]]:
        """Rounds of genomes never seen before, until the night's number of looks is used up."""
        first = [Proposal(genome, Origin.SEED) for genome in dict.fromkeys(seeds)]
        while (left := self._settings.evaluations - len(self.record.trials)) > 0:
            size = min(max(self._settings.round_size, len(first)), left)
            batch = first[:size]
            self._seen.update(proposal.genome for proposal in batch)
            first = []
            batch += self._new(size - len(batch))
            if not batch:
                return  # the space of genomes is exhausted
            yield batch

    def run(self, number: int, proposals: Sequence[Proposal]) -> Round:
        """Test a round, put it on record and learn from it."""
        first = len(self.record.trials)
        parents = tuple(name for name, _ in self._population())
        genomes = [proposal.genome for proposal in proposals]
        done = 0
        for count, outcome in tested(self._evaluate, genomes, self._settings.minimum_trades):
            self.record.add(proposals[done : done + count], number, outcome)
            done += count
        self.record.select(first)
        self._learn(genomes)
        trials = self.record.trials
        return Round(
            number=number,
            first=first,
            last=len(trials),
            parents=parents,
            crashed=sum(bool(trial.crashed) for trial in trials[first:]),
            feasible=self.record.feasible_since(first),
            best_sharpe=self.record.best_sharpe,
        )

    def _learn(self, genomes: Sequence[Genome]) -> None:
        self._learner.show(genomes)
        if self._learner.known < self._settings.minimum_known:
            return
        own = self.record.good()
        self._learner.learn(np.concatenate((self._past_good, own)))
        if own.any():
            self._good = [self.record.trials[position].genome for position in np.flatnonzero(own)]

    def _population(self) -> list[tuple[str, Genome]]:
        trials = self.record.trials
        return [(trials[position].strategy_id, trials[position].genome) for position in self.record.parents]

    def _new(self, count: int) -> list[Proposal]:
        """Distinct genomes that were never tried: children, and the second proposer's share."""
        parents = self._population()
        learned = round(count * self._settings.learned_fraction) if parents else count
        new: list[Proposal] = []
        for _ in range(_ATTEMPTS * count):
            if len(new) == count:
                break
            if len(new) < learned:
                proposal = self._proposed()
            else:
                proposal = child(self._draw, parents, ratings=self._settings.ratings)
            if self._is_new(proposal.genome):
                self._seen.add(proposal.genome)
                new.append(proposal)
        return new

    def _is_new(self, genome: Genome) -> bool:
        # A mutation may move the timeframe to one that the bars do not serve.
        return genome.timeframe in self._timeframes and genome not in self._seen

    def _proposed(self) -> Proposal:
        if self._learner.known < self._settings.minimum_known or not self._good:
            return Proposal(self._fresh(), Origin.FRESH)
        return Proposal(self._learner.propose(self._look, self._settings.looks), Origin.LEARNED)

    def _look(self) -> Genome:
        """A fresh genome or a mutated good one, evenly: the second proposer chooses among them."""
        if self._draw.chance(0.5):
            return mutated(self._draw, self._draw.pick(self._good), self._settings.ratings)
        return self._fresh()

    def _fresh(self) -> Genome:
        return random_genome(self._draw, self._timeframes, self._settings.ratings)
