"""Every trial of a search reaches the trial ledger's form, in its order."""

from __future__ import annotations

import math
from datetime import date

import numpy as np

from trading.factory.evolution.generation import Generation, Origin, Proposal
from trading.factory.evolution.generation import Trial as Looked
from trading.factory.genes.generate import generate
from trading.factory.trials.record import Outcome
from trading.factory.trials.search import searched

DAY, FIRST_DAY = date(2026, 3, 31), date(2026, 3, 2)


def test_every_trial_of_a_search_is_kept_with_what_became_of_it() -> None:
    genomes = generate(np.random.default_rng(0), 4)
    returns = np.random.default_rng(1).normal(0, 0.01, (4, 30))
    returns[1], returns[2] = 0.0, math.nan
    looked = tuple(
        Looked(
            proposal=Proposal(genome, Origin.MUTATED if place else Origin.SEED, ("a",) * place),
            strategy_id=genome.strategy_id,
            round=0,
            crashed="no bars" if place == 2 else "",
            trades=0 if place in (1, 2) else 9,
            sharpe=math.nan if place in (1, 2) else 1.5,
            total_return_fraction=math.nan if place == 2 else 0.1,
            max_drawdown_fraction=math.nan if place == 2 else 0.2,
            turnover=0.0,
            win_fraction=math.nan,
            robustness=math.nan,
            feasible=False,
        )
        for place, genome in enumerate(genomes)
    )
    generation = Generation(looked, returns, (), (0, 3), seed=1)
    discarded = {genomes[3].strategy_id: "dsr"}
    trials = searched(generation, day=DAY, first_day=FIRST_DAY, reasons=discarded)
    assert [trial.genome for trial in trials] == [genome.json for genome in genomes]
    assert [trial.strategy_id for trial in trials] == [genome.strategy_id for genome in genomes]
    assert [trial.outcome for trial in trials] == [
        Outcome.SCORED,
        Outcome.IDLE,
        Outcome.CRASHED,
        Outcome.SCORED,
    ]
    assert [trial.reason for trial in trials] == ["", "not_handed_on", "no bars", "dsr"]
    assert [trial.sharpe for trial in trials] == [1.5, None, None, 1.5]
    assert [trial.proposer for trial in trials] == ["seed", "mutated", "mutated", "mutated"]
    assert [len(trial.parents) for trial in trials] == [0, 1, 2, 3]
    assert [trial.returns is None for trial in trials] == [False, False, True, False]
    assert trials[0].returns is not None
    assert (trials[0].returns.first_day, trials[0].returns.days) == (FIRST_DAY, 30)
