"""The search: every look on record, deterministic, and better than chance where there is something to find."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from evolution_worlds import dips, nothing, population, world

from trading.errors import BadData, FixConfiguration, RetryLater
from trading.factory.engine.result import Population
from trading.factory.engine.totals import TOTALS
from trading.factory.evolution.evolve import PastTrial, evolve
from trading.factory.evolution.generation import Generation, Origin, Round
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.genome import Genome, Timeframe

SMALL = EvolutionSettings(
    candidates=20, looks_per_candidate=20, population=20, elites=5, round_size=100, minimum_known=80
)


def fresh(count: int, seed: int) -> list[Genome]:
    draw = Draw(np.random.default_rng(seed))
    return list(dict.fromkeys(random_genome(draw, tuple(Timeframe)) for _ in range(count)))


@pytest.fixture(scope="module")
def one() -> Generation:
    """A search with five seeds in the world where dips earn."""
    return evolve(world(dips), fresh(5, 1), SMALL, 7)


def test_the_same_seed_searches_the_same_way_and_another_seed_another(one: Generation) -> None:
    two = evolve(world(dips), fresh(5, 1), SMALL, 7)
    other = evolve(world(dips), fresh(5, 1), replace(SMALL, candidates=6), 8)
    assert [trial.proposal for trial in one.trials] == [trial.proposal for trial in two.trials]
    assert one.candidates == two.candidates
    assert one.rounds == two.rounds
    assert np.array_equal(one.returns, two.returns)
    assert one.trials[:5] == other.trials[:5], "the seeds"
    assert one.trials[5].genome != other.trials[5].genome


def test_every_genome_that_was_back_tested_is_on_record_once() -> None:
    looked_at: list[Genome] = []
    inner = world(dips)

    def evaluate(genomes: Sequence[Genome]) -> Population:
        looked_at.extend(genomes)
        return inner(genomes)

    reported: list[Round] = []
    seeds = fresh(5, 1)
    found = evolve(evaluate, [*seeds, *seeds], SMALL, 7, reported.append)
    assert [trial.genome for trial in found.trials] == looked_at
    assert len(set(looked_at)) == len(looked_at) == SMALL.evaluations == 400
    assert looked_at[:5] == seeds
    assert [trial.proposal.origin for trial in found.trials[:6]] == [*[Origin.SEED] * 5, Origin.FRESH]
    assert tuple(reported) == found.rounds
    assert [(each.first, each.last) for each in reported] == [(i, i + 100) for i in range(0, 400, 100)]
    names = [trial.strategy_id for trial in found.trials]
    for each in found.rounds[1:]:
        assert set(each.parents) <= set(names[: each.first])
        assert len(each.parents) == SMALL.population
        for trial in found.trials[each.first : each.last]:
            assert set(trial.proposal.parents) <= set(each.parents)
    assert found.returns.shape == (400, 60)
    assert np.isfinite(found.returns).all()


def test_shares_of_the_two_proposers(one: Generation) -> None:
    origins = [trial.proposal.origin for trial in one.trials[100:]]
    assert origins.count(Origin.LEARNED) == 90
    assert origins.count(Origin.CROSSED) + origins.count(Origin.MUTATED) == 210
    assert origins.count(Origin.CROSSED) > 105


@pytest.fixture(scope="module")
def by_chance() -> float:
    """How often a random genome has some of the edge; fewer than half of those have all of it."""
    edges = [dips(genome) for genome in fresh(1500, 99)]
    assert sum(edge == 0.3 for edge in edges) < sum(edge > 0 for edge in edges) / 2
    return float(np.mean([edge > 0 for edge in edges]))


def _share_planted(found: Generation, origins: set[Origin]) -> float:
    chosen = [trial for trial in found.trials[100:] if trial.proposal.origin in origins]
    return float(np.mean([dips(trial.genome) > 0 for trial in chosen]))


def test_the_search_finds_a_planted_edge_that_chance_seldom_meets(one: Generation, by_chance: float) -> None:
    assert by_chance < 0.08
    found = [one, *(evolve(world(dips), [], SMALL, seed) for seed in range(2))]
    for each in found:
        assert _share_planted(each, {Origin.LEARNED}) > 5 * by_chance
        assert _share_planted(each, {Origin.CROSSED, Origin.MUTATED}) > 5 * by_chance
    best = np.mean([dips(trial.genome) == 0.3 for each in found for trial in each.chosen[:10]])
    assert best > 20 * by_chance / 2


def test_what_earlier_nights_tried_is_known_from_the_first_round(by_chance: float) -> None:
    tried = fresh(600, 5)
    sharpes = [365**0.5 * (dips(genome) + 0.13 * z) for genome, z in zip(
        tried, np.random.default_rng(1).normal(size=len(tried)), strict=True
    )]  # fmt: skip
    past = [PastTrial(genome, sharpe) for genome, sharpe in zip(tried, sharpes, strict=True)]
    past[0] = replace(past[0], sharpe=float("nan"))
    few = replace(SMALL, candidates=5)
    with_past = evolve(world(dips), [], few, 2, past=past)
    assert {trial.proposal.origin for trial in with_past.trials} == {Origin.LEARNED}, "one round of 100"
    assert np.mean([dips(trial.genome) > 0 for trial in with_past.trials]) > 4 * by_chance


def test_a_crashing_genome_is_recorded_and_takes_no_other_with_it(one: Generation) -> None:
    inner = world(dips)
    guilty = set(fresh(5, 1)[1:3])

    def evaluate(genomes: Sequence[Genome]) -> Population:
        if guilty & set(genomes):
            raise ZeroDivisionError("a flat window")
        return inner(genomes)

    found = evolve(evaluate, fresh(5, 1), SMALL, 7)
    crashed = [trial for trial in found.trials if trial.crashed]
    assert {trial.genome for trial in crashed} == guilty
    assert {trial.crashed for trial in crashed} == {"ZeroDivisionError: a flat window"}
    assert found.crashed == found.rounds[0].crashed == 2
    assert np.isnan(found.returns[[1, 2]]).all()
    assert np.isfinite(np.delete(found.returns, [1, 2], axis=0)).all()
    assert not {1, 2} & set(found.candidates)
    assert np.isnan(crashed[0].sharpe)
    assert found.trials[0] == one.trials[0]
    assert found.trials[3:100] == one.trials[3:100], "what was back-tested beside them"
    assert len(found.trials) == len(one.trials)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_result_that_is_no_number_is_a_crash(value: float) -> None:
    inner = world(nothing)
    guilty = fresh(1, 4)[0]

    def evaluate(genomes: Sequence[Genome]) -> Population:
        result = inner(genomes)
        for row, genome in enumerate(genomes):
            if genome == guilty:
                result.equity[row, -1] = value
        return result

    found = evolve(evaluate, [guilty], replace(SMALL, candidates=6), 7)
    assert "not a finite number" in found.trials[0].crashed
    assert found.crashed == 1


def test_a_round_in_which_all_fail_is_nobodys_fault() -> None:
    def evaluate(genomes: Sequence[Genome]) -> Population:
        raise ValueError("no bars")

    with pytest.raises(BadData, match="every one of 100 genomes failed, the first with ValueError: no bars"):
        evolve(evaluate, [], SMALL, 7)


def test_an_error_that_no_genome_causes_stops_the_search() -> None:
    def evaluate(genomes: Sequence[Genome]) -> Population:
        raise RetryLater("the lake is away")

    with pytest.raises(RetryLater, match="away"):
        evolve(evaluate, [], SMALL, 7)


def test_candidates_are_feasible_and_the_best_sharpe_ratio_stays_a_parent() -> None:
    found = evolve(world(nothing), [], SMALL, 11)
    assert 0 < len(found.candidates) <= 20
    for trial in found.chosen:
        assert trial.feasible
        assert trial.total_return_fraction > 0
    for each in found.rounds[1:]:
        before = [trial for trial in found.trials[: each.first] if trial.feasible]
        best = max(before, key=lambda trial: trial.sharpe)
        assert each.parents[0] == best.strategy_id
    assert found.rounds[-1].best_sharpe == max(trial.sharpe for trial in found.trials if trial.feasible)


def test_who_does_not_trade_is_no_candidate() -> None:
    found = evolve(world(dips, trades=9), [], replace(SMALL, candidates=10), 1)
    assert found.candidates == ()
    assert not any(trial.feasible for trial in found.trials)
    assert len(found.trials) == 200
    assert np.isnan(found.rounds[-1].best_sharpe)


def test_only_seeds_leave_the_timeframes_asked_for() -> None:
    seeds = [genome for genome in fresh(30, 4) if genome.timeframe is Timeframe.M5][:2]
    found = evolve(world(dips), seeds, SMALL, 7, timeframes=(Timeframe.M15, Timeframe.H1))
    assert {trial.genome.timeframe for trial in found.trials[:2]} == {Timeframe.M5}
    assert {trial.genome.timeframe for trial in found.trials[2:]} == {Timeframe.M15, Timeframe.H1}


def test_copies_of_one_strategy_do_not_fill_the_list() -> None:
    shared = np.random.default_rng(0).normal(0.002, 0.01, 60)

    def evaluate(genomes: Sequence[Genome]) -> Population:
        """All 1h genomes move alike; the others on their own."""
        inner = world(lambda _: 0.05)(genomes)
        for row, genome in enumerate(genomes):
            if genome.timeframe is Timeframe.H1:
                inner.equity[row] = np.cumprod(1 + 2 * shared)
        return inner

    found = evolve(evaluate, [], SMALL, 5)
    assert sum(trial.genome.timeframe is Timeframe.H1 for trial in found.chosen) == 1
    assert sum(trial.genome.timeframe is Timeframe.H1 for trial in found.trials if trial.feasible) > 30


def test_figures_of_a_trial() -> None:
    totals = np.zeros((1, 2, len(TOTALS)))
    for name, values in {"trades": (6, 5), "wins": (3, 1), "traded": (4.0, 8.0)}.items():
        totals[0, :, TOTALS.index(name)] = values
    equity = np.array([[1.0, 1.1, 1.045, 1.2]])
    found = evolve(
        lambda _: population(equity, totals),
        fresh(1, 1),
        EvolutionSettings(candidates=1, looks_per_candidate=1),
        1,
    )
    trial = found.trials[0]
    assert (trial.trades, trial.feasible, trial.crashed) == (11, True, "")
    assert trial.win_fraction == pytest.approx(4 / 11)
    assert trial.turnover == pytest.approx(12 / (2 * 4))
    assert trial.total_return_fraction == pytest.approx(0.2)
    assert trial.max_drawdown_fraction == pytest.approx(0.05)
    halves = [np.array([0.0, 0.1]), np.array([-0.05, 1.2 / 1.045 - 1])]
    ratios = [365**0.5 * half.mean() / half.std(ddof=1) for half in halves]
    assert trial.robustness == pytest.approx(min(ratios))


def test_settings_that_cannot_be_met() -> None:
    with pytest.raises(FixConfiguration, match="elites is 20, more than population 10"):
        EvolutionSettings(elites=20, population=10)
