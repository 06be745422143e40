"""Ratios of a record: a table worked by hand, properties, and what is undefined."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy import stats

from trading.statistics import performance
from trading.statistics.sample import autocorrelation, constant_columns, is_constant, moments

RETURNS = np.array([-0.10, 0.20, 0.05, -0.30, 0.10])
records = arrays(np.float64, st.integers(2, 60), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 6)))


def test_hand_table():
    # equity 1, 0.9, 1.08, 1.134, 0.7938, 0.87318; deviations from the mean -0.01
    assert performance.equity_curve(RETURNS) == pytest.approx(
        [1, 0.9, 1.08, 1.134, 0.7938, 0.87318], abs=1e-12
    )
    deviation = math.sqrt((0.09**2 + 0.21**2 + 0.06**2 + 0.29**2 + 0.11**2) / 4)
    assert performance.sharpe(RETURNS) == pytest.approx(-0.01 / deviation, abs=1e-12)
    assert performance.sortino(RETURNS) == pytest.approx(-0.01 / math.sqrt((0.01 + 0.09) / 5), abs=1e-12)
    assert performance.maximum_drawdown(RETURNS) == pytest.approx(0.3, abs=1e-12)
    assert performance.cagr(RETURNS, 5) == pytest.approx(0.87318 - 1, abs=1e-12)
    assert performance.cagr(RETURNS, 10) == pytest.approx(0.87318**2 - 1, abs=1e-12)
    assert performance.calmar(RETURNS, 5) == pytest.approx((0.87318 - 1) / 0.3, abs=1e-12)
    assert performance.profit_factor(RETURNS) == pytest.approx(0.35 / 0.40, abs=1e-12)
    assert performance.win_rate(RETURNS) == 0.6
    assert performance.annualised(0.1, 365) == pytest.approx(0.1 * math.sqrt(365))
    assert performance.per_period(performance.annualised(0.1, 365), 365) == pytest.approx(0.1)


def test_a_loss_in_the_first_period_is_a_drawdown():
    assert performance.maximum_drawdown(np.array([-0.1, 0.5])) == pytest.approx(0.1)
    assert performance.maximum_drawdown(np.array([0.1, 0.5])) == 0.0


def test_ruin_ends_the_curve():
    ruined = np.array([0.5, -1.5, -3.0, 0.2])
    assert performance.equity_curve(ruined).tolist() == [1.0, 1.5, 0.0, 0.0, 0.0]
    assert performance.maximum_drawdown(ruined) == 1.0
    assert performance.cagr(ruined, 365) == -1.0


def test_sortino_counts_shortfalls_of_the_target_over_all_periods():
    returns = np.array([0.01, 0.03, -0.01, 0.01])
    assert performance.sortino(returns, 0.02) == pytest.approx(-0.01 / math.sqrt((1 + 0 + 9 + 1) * 1e-4 / 4))


def test_what_cannot_be_said_is_nan_and_what_has_no_bound_is_infinite():
    gains, flat = np.array([0.1, 0.2]), np.zeros(5)
    assert (
        performance.sortino(gains)
        == performance.calmar(gains, 365)
        == performance.profit_factor(gains)
        == math.inf
    )
    for figure in (
        performance.sharpe(flat),
        performance.sortino(flat),
        performance.calmar(flat, 365),
        performance.profit_factor(flat),
        performance.profit_factor(np.empty(0)),
        performance.win_rate(np.empty(0)),
        performance.maximum_drawdown(np.empty(0)),
        performance.cagr(np.empty(0), 365),
        performance.sharpe(np.array([0.1])),
    ):
        assert math.isnan(figure)
    assert performance.win_rate(np.array([0.0, 0.1])) == 0.5
    assert performance.cagr(np.full(3, 9.0), 1e6) == math.inf


@pytest.mark.parametrize("hole", [math.nan, math.inf])
def test_a_missing_return_is_never_skipped(hole):
    returns = np.array([0.01, hole, -0.02, 0.01])
    assert math.isnan(performance.sharpe(returns))
    assert math.isnan(performance.maximum_drawdown(returns))
    assert math.isnan(performance.cagr(returns, 365))
    assert math.isnan(autocorrelation(returns))
    for figure in (performance.sortino, performance.profit_factor, performance.win_rate):
        assert math.isnan(figure(returns))
    matrix = np.column_stack([returns, [0.01, 0.02, 0.0, -0.01]])
    both = performance.sharpes(matrix)
    assert math.isnan(both[0])
    assert both[1] == pytest.approx(performance.sharpe(matrix[:, 1]))


def test_growth_by_one_rate_has_no_sharpe_ratio_though_it_rounds():
    prices = 100 * 1.0003 ** np.arange(300)
    returns = prices[1:] / prices[:-1] - 1
    assert np.ptp(returns) > 0  # rounding noise, which a plain test for zero would divide by
    assert is_constant(returns)
    assert math.isnan(performance.sharpe(returns))
    assert math.isnan(performance.sharpes(returns[:, None])[0])
    assert moments(returns).deviation == 0.0


@settings(deadline=None)
@given(records)
def test_moments_against_scipy(returns):
    sample = moments(returns)
    assert sample.periods == returns.size
    if is_constant(returns):
        assert math.isnan(sample.sharpe)
        return
    assert sample.mean == pytest.approx(returns.mean(), abs=1e-12)
    assert sample.deviation == pytest.approx(returns.std(ddof=1), rel=1e-9)
    assert sample.skewness == pytest.approx(stats.skew(returns), rel=1e-6, abs=1e-6)
    assert sample.kurtosis == pytest.approx(stats.kurtosis(returns, fisher=False), rel=1e-6)
    assert sample.kurtosis >= (1 + sample.skewness**2) * (1 - 1e-9)


@settings(deadline=None)
@given(records, st.floats(1e-60, 1e60))
def test_sharpe_and_shape_do_not_depend_on_the_unit(returns, scale):
    one, other = moments(returns), moments(returns * scale)
    for name in ("sharpe", "skewness", "kurtosis"):
        assert getattr(other, name) == pytest.approx(getattr(one, name), rel=1e-6, abs=1e-9, nan_ok=True)


@settings(deadline=None)
@given(records)
def test_drawdown_against_a_loop(returns):
    equity = peak = 1.0
    deepest = 0.0
    for value in returns:
        equity *= 1 + value
        peak = max(peak, equity)
        deepest = max(deepest, 1 - equity / peak)
    assert performance.maximum_drawdown(returns) == pytest.approx(deepest, abs=1e-12)
    assert 0 <= deepest <= 1


@settings(deadline=None)
@given(arrays(np.float64, (7, 4), elements=st.floats(-0.5, 0.5).map(lambda x: round(x, 12))))
def test_columns_are_judged_as_alone(matrix):
    expected = [performance.sharpe(column) for column in matrix.T]
    assert performance.sharpes(matrix) == pytest.approx(expected, rel=1e-6, abs=1e-9, nan_ok=True)
    assert constant_columns(matrix).tolist() == [is_constant(column) for column in matrix.T]


def test_autocorrelation_finds_what_was_put_in():
    noise = np.random.default_rng(0).normal(size=20_000)
    assert abs(autocorrelation(noise)) < 4 / math.sqrt(noise.size)
    assert autocorrelation(noise[1:] + 0.5 * noise[:-1]) == pytest.approx(0.5 / 1.25, abs=0.03)
    assert math.isnan(autocorrelation(np.array([0.1, 0.2])))
    assert math.isnan(autocorrelation(np.zeros(9)))
