"""The stationary bootstrap: blocks, coverage, dependence kept, seeds."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.statistics.bootstrap import confidence_interval, stationary_positions
from trading.statistics.performance import sharpe


def mean(returns: np.ndarray) -> float:
    return float(returns.mean())


@settings(deadline=None)
@given(st.integers(1, 300), st.floats(1, 50), st.integers(0, 10_000))
def test_positions_stay_within_the_record(periods, block, seed):
    positions = stationary_positions(periods, block, np.random.default_rng(seed))
    assert positions.shape == (periods,)
    assert positions.min() >= 0
    assert positions.max() < periods


def test_blocks_have_the_mean_length_asked_for_and_every_period_the_same_chance():
    positions = stationary_positions(200_000, 20, np.random.default_rng(1))
    follows = np.diff(positions) % 200_000 == 1
    assert follows.mean() == pytest.approx(1 - 1 / 20, abs=0.003)
    counts = np.zeros(50)
    generator = np.random.default_rng(2)
    for _ in range(4_000):
        np.add.at(counts, stationary_positions(50, 7, generator), 1)
    assert counts / 4_000 == pytest.approx(1, abs=0.25)
    assert (np.diff(stationary_positions(40, 1e9, generator)) % 40 == 1).all()


def test_interval_of_the_mean_covers_as_often_as_it_says():
    """200 independent records: the share that holds the truth errs by the binomial's four deviations.

    Percentile intervals of 100 periods are known to be a few points too narrow.
    """
    generator = np.random.default_rng(3)
    hits = 0
    for _ in range(200):
        interval = confidence_interval(
            generator.normal(0.5, 1, 100), mean, generator, confidence=0.9, block_periods=1, draws=150
        )
        assert interval.low <= interval.high
        hits += interval.low <= 0.5 <= interval.high
    assert hits / 200 == pytest.approx(0.9, abs=4 * math.sqrt(0.09 / 200))


def test_blocks_keep_the_dependence_that_single_draws_destroy():
    noise = np.random.default_rng(4).normal(size=2_001)
    walk = np.convolve(noise, np.ones(10), mode="valid")
    width = {
        block: np.subtract(*(lambda i: (i.high, i.low))(
            confidence_interval(walk, mean, np.random.default_rng(5), block_periods=block, draws=500)
        ))
        for block in (1, 40)
    }  # fmt: skip
    # A sum of ten overlapping terms has a mean that spreads sqrt(10) times as much as if independent.
    assert width[40] / width[1] == pytest.approx(math.sqrt(10), rel=0.2)


def test_the_same_seed_gives_the_same_interval():
    returns = np.random.default_rng(6).normal(0.001, 0.01, 365)
    one, same, other = (
        confidence_interval(returns, sharpe, np.random.default_rng(seed), draws=300) for seed in (1, 1, 2)
    )
    assert one == same != other
    assert one.estimate == sharpe(returns)
    assert one.low < one.estimate < one.high


def test_draws_without_a_figure_are_counted_and_many_of_them_refuse_the_interval():
    rare = np.zeros(200)
    rare[0] = 1.0
    interval = confidence_interval(rare, sharpe, np.random.default_rng(7), draws=200)
    assert interval.undefined_draws > 2
    assert math.isnan(interval.low)
    assert math.isnan(interval.high)
    assert interval.estimate == pytest.approx(sharpe(rare))


@pytest.mark.parametrize(
    ("returns", "options", "error"),
    [
        ([0.1], {}, BadData),
        ([0.1, math.nan], {}, BadData),
        ([0.1, 0.2], {"confidence": 95}, FixConfiguration),
        ([0.1, 0.2], {"draws": 0}, FixConfiguration),
        ([0.1, 0.2], {"block_periods": 0.5}, FixConfiguration),
    ],
)
def test_what_has_no_interval_is_refused(returns, options, error):
    with pytest.raises(error):
        confidence_interval(np.array(returns), mean, np.random.default_rng(0), **options)
