"""Ranking against a plain definition, and the second proposer's arithmetic by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.factory.evolution.learned import Learner, best_fraction
from trading.factory.evolution.ranking import ranked
from trading.factory.evolution.traits import traits
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.genome import Genome, Timeframe


def _dominates(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one >= other).all() and (one > other).any())


def _fronts(objectives: np.ndarray) -> list[int]:
    """Front of each point: by taking away, again and again, what nothing left dominates."""
    front = [-1] * len(objectives)
    left, number = set(range(len(objectives))), 0
    while left:
        best = {i for i in left if not any(_dominates(objectives[j], objectives[i]) for j in left)}
        for i in best:
            front[i] = number
        left -= best
        number += 1
    return front


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 40), st.integers(0, 10_000), st.booleans())
def test_ranking_follows_fronts_then_what_is_missing(count: int, seed: int, coarse: bool) -> None:
    rng = np.random.default_rng(seed)
    objectives = rng.normal(size=(count, 4))
    if coarse:
        objectives = np.round(objectives)
    feasible = rng.random(count) < 0.7
    shortage = np.where(feasible, 0.0, np.round(rng.random(count), 1))
    returns = rng.normal(size=(count, 30))
    order = ranked(objectives, feasible, shortage, returns, limit=count, maximum_correlation=1.0)
    assert sorted(order) == list(range(count))
    able = [i for i in order if feasible[i]]
    assert list(order[: len(able)]) == able
    if able:
        fronts = dict(zip(np.flatnonzero(feasible), _fronts(objectives[feasible]), strict=True))
        assert [fronts[i] for i in able] == sorted(fronts.values())
    rest = [(shortage[i], -objectives[i, 0]) for i in order[len(able) :]]
    assert rest == sorted(rest)
    few = ranked(objectives, feasible, shortage, returns, limit=3, maximum_correlation=1.0)
    assert list(few) == list(order[:3])


def test_a_look_alike_waits_behind_what_is_new() -> None:
    rng = np.random.default_rng(1)
    base, other = rng.normal(size=(2, 50))
    returns = np.stack([base, 3 * base + 0.01, other, -base])
    objectives = np.array([[4.0] * 4, [3.0] * 4, [2.0] * 4, [1.0] * 4])
    yes, nothing = np.ones(4, dtype=bool), np.zeros(4)
    order = ranked(objectives, yes, nothing, returns, limit=4, maximum_correlation=0.9)
    assert list(order) == [0, 2, 3, 1], "a mirrored strategy is another one"
    assert list(ranked(objectives, yes, nothing, returns, limit=4, maximum_correlation=1.0)) == [0, 2, 3, 1]


def _genomes(count: int, seed: int) -> list[Genome]:
    draw = Draw(np.random.default_rng(seed))
    return [random_genome(draw, tuple(Timeframe)) for _ in range(count)]


def test_rating_is_the_sum_of_log_odds() -> None:
    genomes = _genomes(30, 3)
    good = np.arange(30) < 6
    learner = Learner()
    learner.show(genomes)
    learner.learn(good)
    probe = genomes[0]
    expected = 0.0
    for word in traits(probe):
        has = np.array([word in traits(genome) for genome in genomes])
        p = (has[good].sum() + 0.5) / (good.sum() + 1)
        q = (has[~good].sum() + 0.5) / ((~good).sum() + 1)
        expected += math.log(p / (1 - p)) - math.log(q / (1 - q))
    assert learner.rating(probe) == pytest.approx(expected)


def test_nothing_learned_rates_nothing() -> None:
    learner = Learner()
    assert learner.rating(_genomes(1, 1)[0]) == 0.0
    learner.learn(np.empty(0, dtype=bool))
    learner.show(_genomes(3, 2))
    assert learner.rating(_genomes(1, 2)[0]) == 0.0, "shown, but nobody said yet which are good"


def test_proposals_look_like_the_good_ones() -> None:
    genomes = _genomes(400, 5)
    good = np.array([genome.timeframe is Timeframe.H4 for genome in genomes])
    learner = Learner()
    learner.show(genomes)
    learner.learn(good)
    draw = Draw(np.random.default_rng(6))
    proposed = [learner.propose(lambda: random_genome(draw, tuple(Timeframe)), 8) for _ in range(100)]
    assert np.mean([genome.timeframe is Timeframe.H4 for genome in proposed]) > 0.6


def test_traits_tell_numbers_apart_by_quarters_of_their_range() -> None:
    one, two = _genomes(2, 8)
    assert traits(one) == traits(one)
    assert traits(one) != traits(two)
    assert f"timeframe {one.timeframe}" in traits(one)
    assert all(word == word.strip() for word in traits(one))


def test_best_fraction_leaves_out_what_is_unknown() -> None:
    values = np.array([1.0, np.nan, 3.0, 2.0, np.nan])
    assert best_fraction(values, 0.4).tolist() == [False, False, True, True, False]
    assert best_fraction(np.array([np.nan] * 4), 0.5).tolist() == [False] * 4
    assert best_fraction(np.array([1.0, 1.0, 1.0, 1.0]), 0.5).tolist() == [True, True, False, False]
    assert best_fraction(np.empty(0), 0.5).size == 0
