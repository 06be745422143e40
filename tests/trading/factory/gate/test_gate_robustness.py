"""Neighbours, plateau, walk-forward and capacity: by hand, by property, and against the engine."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import BadData
from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.gate.gather import gather, selection_pbo, stress
from trading.factory.gate.judge import Stage, judge
from trading.factory.gate.robustness import capacity, neighbours, plateau_fraction, walk_forward_returns
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.trials.count import TrialCount
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from trading.statistics.overfitting import overfitting
from trading.statistics.performance import sharpe

SETTINGS = dataclasses.replace(GateSettings(), neighbours=6)


def some_genomes(count: int, seed: int = 0) -> list[Genome]:
    return generate(np.random.default_rng(seed), count, timeframes=[Timeframe.H1], ratings=False)


@pytest.fixture(scope="module")
def bars() -> Bars:
    return no_edge(Kind.CLUSTERED, seed=5, symbols=2, days=75, warmup_days=10)


def test_neighbours_are_distinct_others_on_the_same_timeframe_and_the_same_again() -> None:
    for genome in some_genomes(5):
        found = neighbours(genome, 24, seed=1, ratings=False)
        assert len(set(found)) == 24
        assert genome not in found
        assert {one.timeframe for one in found} == {Timeframe.H1}
        assert found == neighbours(genome, 24, seed=1, ratings=False)
        assert found != neighbours(genome, 24, seed=2, ratings=False)


def test_the_plateau_is_the_neighbours_median_over_the_peak() -> None:
    base = np.array([1.0, 3.0, 2.0, 4.0]) - 1.0
    spread = base - base.mean()
    around = np.column_stack([spread + mean for mean in (0.3, 0.6, 1.2)])
    assert plateau_fraction(base, around) == pytest.approx(0.6 / base.mean())
    assert plateau_fraction(base, np.column_stack([around, np.zeros((4, 5))])) == 0.0
    assert math.isnan(plateau_fraction(-base, around))
    assert math.isnan(plateau_fraction(np.zeros(4), around))
    assert math.isnan(plateau_fraction(base, around[:, :0]))
    around[2, 1] = math.nan
    assert math.isnan(plateau_fraction(base, around))


def naive_walk(family: np.ndarray, folds: int, hold: int, embargo: int) -> list[float]:
    """Fold by fold, with the days written out."""
    runs = np.array_split(np.arange(len(family)), folds + 1)
    tested = []
    for run in runs[1:]:
        trained = [day for day in range(run[0]) if day + hold < run[0] - embargo]
        ratios = [sharpe(family[trained, member]) for member in range(family.shape[1])]
        best = max(range(len(ratios)), key=lambda member: (np.nan_to_num(ratios[member], nan=-1e9), -member))
        tested += [0.0 if math.isnan(ratios[best]) else family[day, best] for day in run]
    return tested


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(0, 3), st.integers(0, 2))
@settings(deadline=None)
def test_the_walk_forward_agrees_with_one_written_out(seed: int, folds: int, hold: int, embargo: int) -> None:
    family = np.random.default_rng(seed).normal(0, 0.01, (60, 4))
    family[:, 1] = 0.0
    found = walk_forward_returns(family, folds=folds, hold_days=hold, embargo_days=embargo)
    assert found.tolist() == naive_walk(family, folds, hold, embargo)


def test_the_walk_forward_never_sees_the_days_that_it_is_tested_on() -> None:
    rng = np.random.default_rng(8)
    family = rng.normal(0, 0.01, (100, 30))
    first = walk_forward_returns(family, folds=4, hold_days=3, embargo_days=1)
    future = family.copy()
    future[40 - 4 :] = rng.normal(0, 0.01, (64, 30))  # the purged days and all later ones
    again = walk_forward_returns(future, folds=4, hold_days=3, embargo_days=1)
    chosen = np.flatnonzero((family[20:40] == first[:20, None]).all(axis=0))
    assert (future[20:36, chosen[0]] == again[:16]).all()


def test_too_few_days_for_the_folds_are_refused() -> None:
    with pytest.raises(BadData):
        walk_forward_returns(np.ones((5, 2)), folds=4, hold_days=3, embargo_days=1)


@given(st.floats(1e-5, 0.1), st.floats(1e-7, 1e-3), st.floats(1, 1e6))
@settings(deadline=None)
def test_at_capacity_half_of_the_edge_is_gone(edge: float, per_root: float, money: float) -> None:
    free = np.array([edge - 1e-3, edge + 1e-3])
    size = capacity(free, free - per_root * math.sqrt(money), money)
    assert per_root * math.sqrt(size) == pytest.approx(free.mean() / 2, rel=1e-6)


def test_capacity_without_an_edge_is_none_and_without_impact_unknown() -> None:
    assert capacity(np.array([-0.01, 0.0]), np.array([-0.02, 0.0]), 100.0) == 0.0
    assert math.isnan(capacity(np.array([0.01, 0.02]), np.array([0.01, 0.02]), 100.0))
    with pytest.raises(BadData):
        capacity(np.ones(3), np.ones(2), 100.0)


def test_stress_multiplies_what_a_trade_costs_and_nothing_else() -> None:
    plain = Frictions()
    doubled = stress(plain, 2.0)
    table, other = plain.table(2, 60), doubled.table(2, 60)
    np.testing.assert_allclose(other[:, :3], 2 * table[:, :3])
    np.testing.assert_allclose(other[:, 3], table[:, 3])
    assert doubled.slot_quote == plain.slot_quote


def test_the_searchs_pbo_is_that_of_its_strategies_that_traded() -> None:
    returns = np.random.default_rng(4).normal(0, 0.01, (30, 90))
    with_idle = np.vstack([returns, np.zeros((4, 90))])
    expected = overfitting(
        returns.T, partitions=16, maximum_splits=2_000, generator=np.random.default_rng(1)
    ).pbo
    assert selection_pbo(with_idle, SETTINGS, seed=1) == expected
    assert selection_pbo(with_idle[:, :20], SETTINGS, seed=1) is None
    assert selection_pbo(with_idle[-5:], SETTINGS, seed=1) is None


def test_a_strategy_of_the_oldest_days_alone_leaves_the_searchs_pbo_known() -> None:
    """Ninety days are sixteen blocks of five and ten days more, which no block has."""
    returns = np.random.default_rng(6).normal(0, 0.01, (30, 90))
    expected = selection_pbo(returns, SETTINGS, seed=1)
    assert expected is not None
    early = np.zeros((1, 90))
    early[0, :10] = 0.01
    assert selection_pbo(np.vstack([returns, early]), SETTINGS, seed=1) == expected


def test_evidence_is_what_the_engine_says_of_each_candidate(bars: Bars) -> None:
    genomes, frictions = some_genomes(30), Frictions()
    asked: list[tuple[int, Frictions]] = []

    def run(chosen: list[Genome], costs: Frictions) -> Population:
        asked.append((len(chosen), costs))
        return backtest(chosen, bars, costs)

    searched = backtest(genomes, bars, frictions)
    trials = TrialCount(30, 28, 20.0, 1.9)
    busiest = np.argsort(-searched.total("trades"))[:3]
    candidates = [genomes[place] for place in busiest]
    paper = {candidates[1].strategy_id: np.array([0.001, 0.002])}
    found = gather(
        candidates,
        backtest=run,
        frictions=frictions,
        population=searched.returns,
        trials=trials,
        settings=SETTINGS,
        seed=7,
        unseen_days=12,
        paper=paper,
        ratings=False,
    )
    assert [count for count, _ in asked] == [21, 3, 3]
    stressed = backtest(candidates, bars, stress(frictions, 2.0)).returns
    for place, (genome, evidence) in enumerate(zip(candidates, found, strict=True)):
        assert evidence.strategy_id == genome.strategy_id
        np.testing.assert_array_equal(evidence.returns, searched.returns[busiest[place]])
        assert evidence.trades == searched.total("trades")[busiest[place]]
        np.testing.assert_array_equal(evidence.stressed, stressed[place])
        variants = neighbours(genome, 6, seed=7, ratings=False)
        np.testing.assert_array_equal(evidence.neighbours, backtest(variants, bars, frictions).returns.T)
        assert evidence.trials is trials
        assert evidence.unseen_days == 12
        assert (evidence.paper_returns is None) == (place != 1)
        assert evidence.capacity_quote is not None
        assert not judge(evidence, SETTINGS, Stage.LIVE).promoted
    assert (
        gather(
            [],
            backtest=run,
            frictions=frictions,
            population=searched.returns,
            trials=trials,
            settings=SETTINGS,
            seed=7,
            unseen_days=12,
        )
        == []
    )
