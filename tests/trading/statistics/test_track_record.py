"""PSR, MinTRL, expected maximum and DSR: golden vectors, properties, traps.

The golden values are the formulas evaluated with 50 digits (mpmath); each agrees with the digits that the
papers print: PSR 0.98 and 0.913, DSR 0.9004.
"""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.statistics.sample import moments
from trading.statistics.track_record import minimum_track_record, probabilistic_sharpe
from trading.statistics.trials import deflated_sharpe, equivalent_trials, expected_maximum_sharpe

EXACT = {"rel": 0, "abs": 1e-9}

ratios = st.floats(-0.8, 0.8)
lengths = st.integers(2, 5_000)
skews = st.floats(-3, 3)
shapes = st.tuples(skews, st.floats(0.01, 20)).map(lambda pair: (pair[0], 1 + pair[0] ** 2 + pair[1]))


@pytest.mark.parametrize(
    ("sharpe", "benchmark", "periods", "skewness", "kurtosis", "expected"),
    [
        (0.458, 0, 24, 0, 3, 0.9816749190910771),
        (0.458, 0, 24, -2.448, 10.164, 0.9133610838609329),
        (0.05, 0.03, 1000, 0.5, 8, 0.7385107123407825),
    ],
)
def test_probabilistic_sharpe(sharpe, benchmark, periods, skewness, kurtosis, expected):
    value = probabilistic_sharpe(sharpe, benchmark, periods=periods, skewness=skewness, kurtosis=kurtosis)
    assert value == pytest.approx(expected, **EXACT)


@pytest.mark.parametrize(
    ("trials", "expected"),
    [
        (1, 0),
        (2, 0.5197553442805939),
        (10, 1.57459830134575),
        (37.5, 2.163860273261195),
        (100, 2.530602893201682),
        (1000, 3.255121513652726),
        (10**6, 4.867860037837305),
        (10**12, 7.11421817236333),
    ],
)
def test_expected_maximum_of_unit_variance(trials, expected):
    assert expected_maximum_sharpe(trials, 1.0) == pytest.approx(expected, **EXACT)


def test_deflated_sharpe():
    variance, observed = 0.5 / 250, 2.5 / math.sqrt(250)
    assert expected_maximum_sharpe(100, variance) == pytest.approx(0.113172001865132, **EXACT)
    value = deflated_sharpe(
        observed, trials=100, sharpe_variance=variance, periods=1250, skewness=-3, kurtosis=10
    )
    assert value == pytest.approx(0.900396834449391, **EXACT)


def test_minimum_track_record():
    daily = 1 / math.sqrt(252)
    assert minimum_track_record(daily, skewness=0, kurtosis=3) == pytest.approx(684.1497221590922, **EXACT)
    value = minimum_track_record(0.08, 0.01, skewness=-1, kurtosis=6, confidence=0.99)
    assert value == pytest.approx(1202.661457344311, **EXACT)


def test_minimum_track_record_uses_raw_kurtosis_less_one():
    """The help page's kurtosis / 4 would ask for longer records: here 0.06 periods, and 100 times that at SR 0.3."""
    for sharpe in (1 / math.sqrt(252), 0.3):
        wrong = 1 + (1 + 3 / 4 * sharpe**2) * (1.6448536269514722 / sharpe) ** 2
        assert wrong - minimum_track_record(sharpe, skewness=0, kurtosis=3) == pytest.approx(
            2.70554 / 4, abs=1e-4
        )


def test_excess_kurtosis_is_refused():
    with pytest.raises(BadData, match="raw kurtosis"):
        probabilistic_sharpe(0.1, periods=100, skewness=0, kurtosis=0)
    with pytest.raises(BadData, match="at least 5"):
        minimum_track_record(0.1, skewness=2, kurtosis=4)


def test_expected_maximum_against_simulated_noise():
    best = np.random.default_rng(0).normal(0, 1, (20_000, 100)).max(axis=1)
    assert expected_maximum_sharpe(100, 1.0) == pytest.approx(
        best.mean(), abs=0.025 + 4 * best.std() / math.sqrt(best.size)
    )


@settings(deadline=None)
@given(ratios, ratios, lengths, shapes)
def test_probability_lies_between_0_and_1_and_falls_as_the_benchmark_rises(sharpe, benchmark, periods, shape):
    skewness, kurtosis = shape
    values = [
        probabilistic_sharpe(sharpe, level, periods=periods, skewness=skewness, kurtosis=kurtosis)
        for level in (benchmark, benchmark + 0.1)
    ]
    assert 0 <= values[1] <= values[0] <= 1


@settings(deadline=None)
@given(ratios, lengths, st.integers(1, 3_000), shapes)
def test_probability_grows_with_the_record_of_an_edge_and_falls_without(sharpe, periods, more, shape):
    skewness, kurtosis = shape
    short, long = (
        probabilistic_sharpe(sharpe, periods=n, skewness=skewness, kurtosis=kurtosis)
        for n in (periods, periods + more)
    )
    assert long >= short if sharpe >= 0 else long <= short


@settings(deadline=None)
@given(st.floats(0.05, 0.8), st.floats(-0.3, 0.04), shapes, st.floats(0.55, 0.999))
def test_minimum_track_record_is_where_the_probability_is_reached(sharpe, benchmark, shape, confidence):
    skewness, kurtosis = shape
    periods = minimum_track_record(
        sharpe, benchmark, skewness=skewness, kurtosis=kurtosis, confidence=confidence
    )
    assume(periods > 3)

    def reached(n: int) -> float:
        return probabilistic_sharpe(sharpe, benchmark, periods=n, skewness=skewness, kurtosis=kurtosis)

    assert reached(math.ceil(periods)) >= confidence - 1e-12
    assert reached(math.floor(periods)) <= confidence + 1e-12


@settings(deadline=None)
@given(ratios, st.floats(1.0, 1e9), st.floats(0, 1), lengths, shapes)
def test_trials_never_raise_the_confidence(sharpe, trials, variance, periods, shape):
    skewness, kurtosis = shape
    sample = {"periods": periods, "skewness": skewness, "kurtosis": kurtosis}
    alone = probabilistic_sharpe(sharpe, **sample)
    deflated = deflated_sharpe(sharpe, trials=trials, sharpe_variance=variance, **sample)
    more = deflated_sharpe(sharpe, trials=trials * 2, sharpe_variance=variance, **sample)
    assert more <= deflated <= alone
    assert deflated_sharpe(sharpe, trials=1, sharpe_variance=variance, **sample) == alone


@settings(deadline=None)
@given(st.floats(2, 1e12))
def test_equivalent_trials_invert_the_expected_maximum(trials):
    assert equivalent_trials(expected_maximum_sharpe(trials, 1.0)) == pytest.approx(trials, rel=1e-6)


def test_equivalent_trials_at_the_ends():
    assert equivalent_trials(0.0) == equivalent_trials(-1.0) == 1.0
    assert equivalent_trials(50.0) == 1e15
    assert math.isnan(equivalent_trials(math.nan))


@pytest.mark.parametrize("confidence", [0.0, 0.05, 0.5, 1.0, 95.0, math.nan])
def test_a_confidence_that_the_square_would_mistake_is_refused(confidence):
    with pytest.raises(FixConfiguration, match=r"above 0\.5 and below 1"):
        minimum_track_record(0.1, skewness=0, kurtosis=3, confidence=confidence)


def test_no_record_proves_what_is_not_there():
    assert minimum_track_record(0.1, 0.1, skewness=0, kurtosis=3) == math.inf
    assert minimum_track_record(-0.1, 0.1, skewness=0, kurtosis=3) == math.inf


@pytest.mark.parametrize(("trials", "variance"), [(0, 1.0), (-5, 1.0), (10, -0.1)])
def test_impossible_trials_are_refused(trials, variance):
    with pytest.raises(BadData):
        expected_maximum_sharpe(trials, variance)


def test_missing_moments_give_no_figure():
    sample = moments(np.full(50, 0.01))
    shape = {"skewness": sample.skewness, "kurtosis": sample.kurtosis}
    assert math.isnan(probabilistic_sharpe(sample.sharpe, periods=sample.periods, **shape))
    assert math.isnan(minimum_track_record(sample.sharpe, **shape))
    assert math.isnan(probabilistic_sharpe(0.1, periods=1, skewness=0, kurtosis=3))
    assert math.isnan(expected_maximum_sharpe(math.nan, 1.0))
    assert math.isnan(expected_maximum_sharpe(5, math.nan))
    # Two equally likely returns 0 and 1: skewness 0, kurtosis 1; at a skewness of 2 and SR 1 the variance is 0.
    assert math.isnan(probabilistic_sharpe(1.0, periods=10, skewness=2, kurtosis=5))


def test_probability_is_right_as_often_as_it_says():
    """Under the null the PSR is uniform: 4,000 skewed records of 120 periods against 5 % and 50 %."""
    generator = np.random.default_rng(7)
    returns = 1 - generator.exponential(size=(4_000, 120))
    values = np.array([
        probabilistic_sharpe(s.sharpe, periods=s.periods, skewness=s.skewness, kurtosis=s.kurtosis)
        for s in map(moments, returns)
    ])  # fmt: skip
    for level in (0.5, 0.95):
        sampling = math.sqrt(level * (1 - level) / values.size)
        # The normal approximation itself is good to about one point in a hundred at this length.
        assert np.mean(values <= level) == pytest.approx(level, abs=4 * sampling + 0.012)
