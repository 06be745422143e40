"""Effective number of trials: planted clusters, noise, copies, and the bar that they set."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import squareform

from trading.errors import BadData, FixConfiguration
from trading.statistics.clusters import cluster_returns, cluster_trials
from trading.statistics.performance import sharpes
from trading.statistics.trials import (
    equivalent_trials,
    expected_maximum_sharpe,
    simulated_maximum,
    trials_by_average_correlation,
)


def planted(clusters: int, members: int, correlation: float, periods: int = 500, seed: int = 0) -> np.ndarray:
    """Trials in clusters that share a factor, shape (periods, clusters * members), shuffled by column."""
    generator = np.random.default_rng(seed)
    factors = np.repeat(generator.normal(size=(periods, clusters)), members, axis=1)
    own = generator.normal(size=factors.shape)
    return math.sqrt(correlation) * factors + math.sqrt(1 - correlation) * own


def partition(labels: np.ndarray) -> set[frozenset[int]]:
    return {frozenset(np.flatnonzero(labels == label).tolist()) for label in np.unique(labels)}


@pytest.mark.parametrize(("clusters", "members"), [(1, 30), (5, 20), (40, 10)])
def test_planted_clusters_are_found_as_a_dendrogram_finds_them(clusters, members):
    returns = planted(clusters, members, 0.85)
    order = np.random.default_rng(1).permutation(returns.shape[1])
    found = cluster_trials(returns[:, order])
    truth = order // members
    assert found.number == clusters
    assert partition(found.labels) == partition(truth)
    distance = squareform(np.clip(1 - np.corrcoef(returns[:, order].T), 0, 2), checks=False)
    tree = fcluster(linkage(distance, "average"), 0.3, "distance")
    assert partition(found.labels) == partition(tree)


def test_independent_noise_counts_in_full():
    noise = np.random.default_rng(3).normal(size=(250, 600))
    assert cluster_trials(noise).number == 600
    assert trials_by_average_correlation(noise) == pytest.approx(600, rel=0.01)
    assert equivalent_trials(simulated_maximum(noise, np.random.default_rng(0))) == pytest.approx(
        600, rel=0.35
    )


def test_copies_count_once_and_mirrors_twice():
    one = np.random.default_rng(4).normal(size=(100, 1))
    copies = np.hstack([one, one * 1e-6, one * 1e6 + 3, one])
    assert cluster_trials(copies, same_correlation=1.0).number == 1
    assert cluster_trials(np.hstack([one, -one])).number == 2
    assert trials_by_average_correlation(copies) == pytest.approx(1)
    assert trials_by_average_correlation(np.hstack([one, -one])) == pytest.approx(2)
    assert equivalent_trials(simulated_maximum(copies, np.random.default_rng(0))) < 1.5


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 700), st.floats(0.1, 0.95))
def test_clusters_against_a_loop_and_a_growing_ledger(seed, trials, limit):
    returns = planted(max(1, trials // 7), 8, 0.7, periods=30, seed=seed)[:, :trials]
    found = cluster_trials(returns, same_correlation=limit)
    correlation = np.corrcoef(returns.T).reshape(returns.shape[1], -1)
    founders: list[int] = []
    for trial in range(returns.shape[1]):
        to_founders = correlation[trial, founders]
        if not founders or to_founders.max() < limit - 1e-9:
            founders.append(trial)
            assert found.labels[trial] == len(founders) - 1
        else:
            assert found.labels[trial] == to_founders.argmax()
    assert found.founders.tolist() == founders
    cut = returns.shape[1] // 2 + 1
    assert (
        cluster_trials(returns[:, :cut], same_correlation=limit).labels.tolist()
        == found.labels[:cut].tolist()
    )


def test_a_trial_that_never_traded_is_no_draw():
    returns = planted(3, 4, 0.9)
    idle = np.insert(returns, [0, 5], 0.0, axis=1)
    found = cluster_trials(idle)
    assert found.number == 3
    assert np.flatnonzero(found.labels == -1).tolist() == [0, 6]
    assert cluster_returns(idle, found) == pytest.approx(cluster_returns(returns, cluster_trials(returns)))
    assert trials_by_average_correlation(idle) == pytest.approx(trials_by_average_correlation(returns))
    nothing = np.zeros((10, 3))
    assert cluster_trials(nothing).number == 0
    assert trials_by_average_correlation(nothing) == 0
    assert simulated_maximum(nothing, np.random.default_rng(0)) == 0.0


def test_a_cluster_weighs_its_trials_by_inverse_variance():
    base = np.random.default_rng(5).normal(size=(400, 1))
    returns = np.hstack([base, 3 * base])
    # weights 9 : 1 of returns x and 3 x
    assert cluster_returns(returns, cluster_trials(returns)) == pytest.approx(base * (0.9 + 0.3))


@pytest.mark.parametrize("correlation", [0.0, 0.5, 0.9])
def test_simulated_maximum_is_that_of_worthless_trials_which_move_together(correlation):
    """Against what many worlds of worthless trials with this correlation really show as their best."""
    clusters, members, periods = 10, 10, 60
    best = [
        sharpes(planted(clusters, members, correlation, periods, seed=1000 + world)).max()
        * math.sqrt(periods - 1)
        for world in range(400)
    ]
    error = np.std(best) / math.sqrt(len(best))
    simulated = simulated_maximum(planted(clusters, members, correlation, periods), np.random.default_rng(0))
    assert simulated == pytest.approx(np.mean(best), abs=4 * error + 0.08)
    count = equivalent_trials(simulated)
    assert clusters * 0.7 < count < clusters * members * 1.4
    assert expected_maximum_sharpe(count, 1.0) == pytest.approx(simulated, abs=1e-9)


def test_simulation_is_repeatable_and_does_not_depend_on_its_slices(monkeypatch):
    returns = planted(5, 5, 0.5)
    first = simulated_maximum(returns, np.random.default_rng(9), draws=300)
    assert simulated_maximum(returns, np.random.default_rng(9), draws=300) == first
    monkeypatch.setattr("trading.statistics.trials._SLICE_VALUES", 1_000)
    assert simulated_maximum(returns, np.random.default_rng(9), draws=300) == pytest.approx(first, abs=1e-9)


@pytest.mark.parametrize("limit", [0.0, -0.5, 1.1, math.nan])
def test_a_limit_out_of_range_is_refused(limit):
    with pytest.raises(FixConfiguration, match="same_correlation"):
        cluster_trials(planted(2, 2, 0.5), same_correlation=limit)


def test_holes_and_shapes_are_refused_by_place():
    returns = planted(2, 2, 0.5, periods=20)
    returns[7, 3] = math.nan
    with pytest.raises(BadData, match="period 7 of trial 3 is nan"):
        cluster_trials(returns)
    for wrong in (np.zeros(5), np.zeros((1, 5)), np.zeros((5, 0))):
        with pytest.raises(BadData, match="shape"):
            trials_by_average_correlation(wrong)
