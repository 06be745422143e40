"""Golden vectors of Bailey and López de Prado, and hand-made curves."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading.factory import metrics


def test_probabilistic_sharpe_published():
    assert metrics.probabilistic_sharpe(0.458, 0, 24, 0, 3) == pytest.approx(0.98167, abs=1e-5)
    assert metrics.probabilistic_sharpe(0.458, 0, 24, -2.448, 10.164) == pytest.approx(0.91336, abs=1e-5)


def test_deflated_sharpe_published():
    variance = 0.5 / 250
    observed = 2.5 / math.sqrt(250)
    bar = metrics.expected_maximum_sharpe(100, variance)
    assert bar == pytest.approx(0.11317, abs=1e-5)
    assert metrics.probabilistic_sharpe(observed, bar, 1250, -3, 10) == pytest.approx(0.90040, abs=1e-5)


@pytest.mark.parametrize(("trials", "value"), [(2, 0.5198), (10, 1.5746), (100, 2.5306), (1000, 3.2551)])
def test_expected_maximum_of_unit_variance(trials, value):
    assert metrics.expected_maximum_sharpe(trials, 1.0) == pytest.approx(value, abs=1e-4)
    assert metrics.expected_maximum_sharpe(trials, 1.0, 0.3) == pytest.approx(value + 0.3, abs=1e-4)


def test_expected_maximum_against_simulated_noise():
    best = np.random.default_rng(0).normal(0, 1, (20_000, 100)).max(axis=1).mean()
    assert metrics.expected_maximum_sharpe(100, 1.0) == pytest.approx(best, abs=0.04)
    assert metrics.expected_maximum_sharpe(1, 1.0) == 0.0


def test_minimum_track_record_published():
    daily = 1 / math.sqrt(252)
    assert metrics.minimum_track_record(daily, 0, 0, 3, 0.95) == pytest.approx(684.15, abs=0.01)
    assert metrics.minimum_track_record(0.1, 0.1, 0, 3, 0.95) == math.inf


def test_minimum_track_record_is_where_the_probability_is_reached():
    periods = metrics.minimum_track_record(0.08, 0.01, -1, 6, 0.95)
    assert metrics.probabilistic_sharpe(0.08, 0.01, math.ceil(periods), -1, 6) >= 0.95
    assert metrics.probabilistic_sharpe(0.08, 0.01, math.floor(periods), -1, 6) < 0.95


def test_moments_against_scipy():
    from scipy import stats

    returns = np.random.default_rng(1).standard_t(5, 400)
    skewness, kurtosis = metrics.skewness_and_kurtosis(returns)
    assert skewness == pytest.approx(stats.skew(returns))
    assert kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False))


def test_a_loss_in_the_first_bar_is_a_drawdown():
    assert metrics.maximum_drawdown(np.array([0.9, 0.95, 1.2])) == pytest.approx(0.1)
    assert metrics.maximum_drawdown(np.array([1.0, 1.2, 0.9, 1.1])) == pytest.approx(0.25)
    assert metrics.maximum_drawdown(np.array([1.0, 1.1])) == 0.0


def test_sharpe_is_annualised_with_365_days_and_unknown_without_variation():
    returns = np.array([0.01, -0.005, 0.002, 0.004])
    expected = returns.mean() / returns.std(ddof=1) * math.sqrt(8760)
    assert metrics.annualised(metrics.sharpe(returns)) == pytest.approx(expected)
    assert math.isnan(metrics.sharpe(np.zeros(10)))
    assert math.isnan(metrics.win_fraction(np.empty(0)))
    assert metrics.win_fraction(np.array([0.1, 0.0, -0.1, 0.2])) == 0.5
