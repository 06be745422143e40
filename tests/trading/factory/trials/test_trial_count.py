"""The number of independent trials: against exact counts, and as a ledger grows."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import BadData
from trading.factory.trials.count import TrialCount, best_of_luck, count_clusters, counted
from trading.factory.trials.fingerprint import Fingerprint, fingerprint
from trading.statistics.clusters import cluster_trials
from trading.statistics.trials import equivalent_trials, expected_maximum_sharpe, simulated_maximum

FIRST = date(2026, 1, 1)


def prints(returns: np.ndarray, first_day: date = FIRST) -> list[Fingerprint]:
    return [fingerprint(column, first_day) for column in returns.T]


def count_of(fingerprints: list[Fingerprint], *, seed: int = 0) -> TrialCount:
    return counted(len(fingerprints), *best_of_luck(fingerprints, seed=seed))


def families(seed: int, count: int, members: int, *, days: int = 90, shared: float = 0.95) -> np.ndarray:
    rng = np.random.default_rng(seed)
    common = np.repeat(rng.normal(size=(days, count)), members, axis=1)
    return 0.01 * (shared * common + np.sqrt(1 - shared**2) * rng.normal(size=common.shape))


@given(
    st.lists(st.floats(-0.5, 0.5, allow_subnormal=False), min_size=2, max_size=120),
    st.dates(date(2000, 1, 1), date(2100, 1, 1)),
)
def test_a_fingerprint_is_as_near_as_its_steps(returns: list[float], day: date) -> None:
    given_returns = np.array(returns)
    kept = fingerprint(given_returns, day)
    assert kept.days == len(returns)
    assert np.abs(kept.returns() - given_returns).max() <= np.abs(given_returns).max() / 254 * (1 + 1e-9)


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_correlations_of_fingerprints_are_those_of_the_returns(seed: int) -> None:
    rng = np.random.default_rng(seed)
    returns = rng.standard_t(3, size=(90, 8)) + rng.standard_t(3, size=(90, 1))
    rounded = np.stack([item.returns() for item in prints(returns)], axis=1)
    assert np.abs(np.corrcoef(rounded.T) - np.corrcoef(returns.T)).max() < 0.01


def test_the_hash_is_that_of_the_exact_returns() -> None:
    returns = np.array([0.01, -0.02, 0.03])
    changed = returns + np.array([0, 0, 1e-15])
    one, other = fingerprint(returns, FIRST), fingerprint(changed, FIRST)
    assert one.steps == other.steps
    assert one.sha256 != other.sha256


def test_a_missing_return_is_refused() -> None:
    with pytest.raises(BadData, match="day 1 "):
        fingerprint(np.array([0.1, np.nan, 0.2]), FIRST)


@pytest.mark.parametrize("members", [1, 10])
def test_the_count_agrees_with_the_simulation_over_one_window(members: int) -> None:
    returns = families(1, 400 // members, members)
    found = count_of(prints(returns))
    other = simulated_maximum(returns, np.random.default_rng(9), draws=4_000)
    assert found.maximum == pytest.approx(other, abs=0.06)
    assert found.equivalent == equivalent_trials(found.maximum)


def test_noise_counts_nearly_in_full_and_copies_count_once() -> None:
    noise = families(2, 1_000, 1)
    full = count_of(prints(noise)).maximum
    assert full == pytest.approx(expected_maximum_sharpe(1_000, 1.0), abs=0.15)
    assert count_of(prints(np.repeat(noise[:, :20], 50, axis=1))).maximum == pytest.approx(
        expected_maximum_sharpe(20, 1.0), abs=0.1
    )


def test_the_same_trials_a_day_later_are_hardly_new_and_disjoint_windows_are() -> None:
    returns = families(3, 200, 1, days=180)
    first = prints(returns[:90])
    later = prints(returns[1:91], FIRST + timedelta(days=1))
    apart = prints(returns[90:], FIRST + timedelta(days=90))
    alone = count_of(first).equivalent
    assert count_of(first + later).equivalent < 1.25 * alone
    assert 1.7 * alone < count_of(first + apart).equivalent < 2.3 * alone


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(0, 60))
def test_more_trials_never_count_less_and_parts_combine(seed: int, cut: int, shift: int) -> None:
    returns = families(seed, 31, 1, days=60)
    older, newer = prints(returns[:, :cut]), prints(returns[:, cut:], FIRST + timedelta(days=shift))
    able, best = best_of_luck(older, draws=50)
    more, other = best_of_luck(newer, draws=50)
    both_able, both = best_of_luck(older + newer, draws=50)
    assert both_able == able + more == 31
    np.testing.assert_allclose(np.maximum(best, other), both, rtol=1e-12)
    assert counted(31, both_able, both).equivalent >= counted(cut, able, best).equivalent


def test_who_never_traded_cannot_win() -> None:
    found = count_of(prints(np.zeros((90, 5))))
    assert found == TrialCount(recorded=5, able=0, equivalent=1.0, maximum=0.0)
    assert count_clusters(prints(np.zeros((90, 5)))) == 0


def test_clusters_of_one_window_are_those_of_the_returns() -> None:
    returns = families(4, 60, 10)
    assert count_clusters(prints(returns)) == cluster_trials(returns).number == 60


@pytest.mark.parametrize(("families_planted", "members"), [(50, 40), (2_000, 1)])
def test_a_sample_finds_as_many_clusters_as_all(families_planted: int, members: int) -> None:
    fingerprints = prints(families(5, families_planted, members))
    exact = count_clusters(fingerprints)
    sampled = [count_clusters(fingerprints, exact_trials=600, seed=seed) for seed in range(3)]
    assert all(exact * 0.98 <= found <= exact * 1.05 for found in sampled)
    assert sampled[0] == count_clusters(fingerprints, exact_trials=600, seed=0)
