"""PBO by CSCV: golden vector, a plain loop as oracle, noise, dominance, and what is refused."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from trading.errors import BadData, FixConfiguration
from trading.statistics.dominance import dominance
from trading.statistics.halves import block_halves, number_of_splits
from trading.statistics.overfitting import overfitting


def golden() -> np.ndarray:
    t, n = np.arange(64)[:, None], np.arange(8)[None, :]
    return 0.01 * np.sin(1.7 * (t + 1) * (n + 1))


def by_loop(returns: np.ndarray, partitions: int) -> dict[str, np.ndarray]:
    """One split after the other, as the paper tells it."""
    length = len(returns) // partitions
    blocks = np.split(returns[len(returns) - length * partitions :], partitions)
    found: dict[str, list[float]] = {"chosen": [], "in_sample": [], "out_of_sample": [], "rank": []}
    for picked in itertools.combinations(range(partitions), partitions // 2):
        inside = np.concatenate([blocks[i] for i in picked])
        outside = np.concatenate([blocks[i] for i in range(partitions) if i not in picked])
        a, b = ((half.mean(axis=0) / half.std(axis=0, ddof=1)) for half in (inside, outside))
        best = int(a.argmax())
        found["chosen"].append(best)
        found["in_sample"].append(a[best])
        found["out_of_sample"].append(b[best])
        found["rank"].append(stats.rankdata(b)[best])
    return {name: np.array(values) for name, values in found.items()}


def test_golden_vector():
    result = overfitting(golden(), partitions=8)
    assert result.splits == 70
    assert result.pbo == pytest.approx(6 / 7, abs=1e-9)
    assert result.median_logit == pytest.approx(-math.log(8), abs=1e-9)
    assert result.probability_of_loss == pytest.approx(6 / 7, abs=1e-9)
    assert (result.trials, result.partitions, result.block_periods, result.dropped_periods) == (8, 8, 8, 0)


def test_rank_is_divided_by_trials_plus_one():
    """With rank / trials the best rank would have an infinite logit and the middle one would not count."""
    result = overfitting(golden(), partitions=8)
    assert np.isfinite(result.logits).all()
    assert np.abs(result.logits).max() == pytest.approx(math.log(8), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 10_000),
    st.integers(2, 12),
    st.sampled_from([2, 4, 6, 8]),
    st.integers(2, 5),
    st.integers(0, 3),
)
def test_against_a_loop(seed, trials, partitions, block, extra):
    generator = np.random.default_rng(seed)
    returns = generator.standard_t(4, (partitions * block + extra % partitions, trials)) * 0.01 + 0.002
    result = overfitting(returns, partitions=partitions)
    loop = by_loop(returns, partitions)
    assert result.splits == number_of_splits(partitions) == len(loop["rank"])
    assert result.pbo == np.mean(loop["rank"] <= (trials + 1) / 2)
    assert result.probability_of_loss == np.mean(loop["out_of_sample"] < 0)
    assert np.sort(result.in_sample) == pytest.approx(np.sort(loop["in_sample"]), rel=1e-9)
    assert np.sort(result.out_of_sample) == pytest.approx(np.sort(loop["out_of_sample"]), rel=1e-9, abs=1e-9)
    logits = np.log(loop["rank"] / (trials + 1 - loop["rank"]))
    assert np.sort(result.logits) == pytest.approx(np.sort(logits), abs=1e-9)
    assert (
        np.bincount(result.chosen, minlength=trials).tolist()
        == np.bincount(loop["chosen"], minlength=trials).tolist()
    )
    if np.ptp(loop["in_sample"]) > 1e-6:
        line = stats.linregress(loop["in_sample"], loop["out_of_sample"])
        assert result.slope == pytest.approx(line.slope, rel=1e-6, abs=1e-9)
        assert result.intercept == pytest.approx(line.intercept, rel=1e-6, abs=1e-9)
        assert result.r_squared == pytest.approx(line.rvalue**2, rel=1e-6, abs=1e-9)


def test_noise_is_overfitted_half_of_the_time():
    """Over worlds of noise and an even number of trials the mean is one half.

    A number within 0 and 1 spreads at most as a coin does, so the mean of 400 worlds errs by at most
    0.5 / sqrt(400); four of these are allowed.
    """
    generator = np.random.default_rng(11)
    worlds = [overfitting(generator.normal(size=(40, 10)), partitions=8).pbo for _ in range(400)]
    assert np.mean(worlds) == pytest.approx(0.5, abs=4 * 0.5 / math.sqrt(400))
    assert np.std(worlds) > 0.1  # one world alone says little


def test_a_dominant_trial_is_no_overfitting():
    returns = np.random.default_rng(12).normal(0, 0.01, (320, 20))
    returns[:, 7] += 0.02
    result = overfitting(returns)
    assert result.pbo == 0.0
    assert set(result.chosen.tolist()) == {7}
    assert result.probability_of_loss == 0.0
    assert result.dominance.first_order
    assert result.dominance.second_order
    assert result.splits == 12_870


def test_one_record_divided_has_a_slope_of_minus_one():
    """The two halves of a dominant trial add up to one record, so more here is less there."""
    returns = np.random.default_rng(13).normal(0, 0.01, (320, 5))
    returns[:, 0] += 0.02
    assert overfitting(returns).slope == pytest.approx(-1, abs=0.2)


@given(st.integers(0, 1_000), st.floats(1e-3, 1e3))
@settings(max_examples=25, deadline=None)
def test_neither_scale_nor_order_of_trials_matters(seed, scale):
    returns = np.random.default_rng(seed).normal(0.001, 0.01, (48, 9))
    result = overfitting(returns, partitions=6)
    other = overfitting(returns[:, ::-1] * scale * np.linspace(1, 2, 9), partitions=6)
    assert other.pbo == result.pbo
    assert other.slope == pytest.approx(result.slope)
    assert other.dominance == result.dominance


def test_copies_are_ties_whatever_their_rounding():
    one = np.random.default_rng(14).normal(size=(64, 1))
    copies = one * np.array([1.0, 1 / 3, 7e5, 1e-7, 0.1])
    result = overfitting(copies, partitions=8)
    assert np.abs(result.logits).max() == 0.0  # rank 3 of 5: choosing among copies tells nothing
    assert result.pbo == 1.0


def test_size_of_the_slices_does_not_matter(monkeypatch):
    returns = np.random.default_rng(15).normal(size=(80, 30))
    whole = overfitting(returns, partitions=10)
    monkeypatch.setattr("trading.statistics.overfitting._SLICE_VALUES", 100)
    sliced = overfitting(returns, partitions=10)
    assert (sliced.pbo, sliced.dominance) == (whole.pbo, whole.dominance)
    assert sliced.slope == pytest.approx(whole.slope)


def test_an_idle_half_earns_nothing():
    generator = np.random.default_rng(16)
    returns = generator.normal(0, 0.01, (64, 4))
    returns[:32, 2] = 0.0
    result = overfitting(returns, partitions=2)
    first, second = (
        h.mean(axis=0) / np.where(h.std(axis=0) > 0, h.std(axis=0, ddof=1), 1) for h in np.split(returns, 2)
    )
    expected = {(int(a.argmax()), float(b[a.argmax()])) for a, b in ((first, second), (second, first))}
    found = set(zip(result.chosen.tolist(), result.out_of_sample.tolist(), strict=True))
    assert {c for c, _ in found} == {c for c, _ in expected}
    assert sorted(o for _, o in found) == pytest.approx(sorted(o for _, o in expected))


def test_a_record_that_does_not_divide_drops_its_oldest_periods():
    returns = np.random.default_rng(17).normal(size=(67, 6))
    result = overfitting(returns, partitions=8)
    assert result.dropped_periods == 3
    assert result.pbo == overfitting(returns[3:], partitions=8).pbo


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda r: r[:, :1], "at least two"),
        (lambda r: r[:15], "16 periods, or fewer partitions"),
        (lambda r: np.where(np.arange(6) == 4, 0.0, r), "trial e has constant returns over the 64 periods"),
        (lambda r: np.where(np.arange(6) == 4, 0.01, r), "trial e has constant returns over"),
        (
            lambda r: np.where((np.arange(6) == 1) & (np.arange(64)[:, None] < 32), 0.3, r),
            "trial b .* other than 0",
        ),
    ],
)
def test_what_has_no_sharpe_ratio_is_refused_by_name(change, message):
    returns = np.random.default_rng(18).normal(size=(64, 6))
    with pytest.raises(BadData, match=message):
        overfitting(change(returns), partitions=8, names="abcdef")


def test_a_hole_is_refused_by_place():
    returns = golden()
    returns[5, 2] = math.nan
    with pytest.raises(BadData, match="period 5 of trial 2"):
        overfitting(returns, partitions=8)


@pytest.mark.parametrize("partitions", [0, 1, 7, 26, -2])
def test_partitions_that_have_no_halves_are_refused(partitions):
    with pytest.raises(FixConfiguration, match=f"partitions is {partitions}"):
        overfitting(golden(), partitions=partitions)


@pytest.mark.parametrize("partitions", [2, 4, 10, 16])
def test_every_half_comes_once(partitions):
    halves = block_halves(partitions, 20_000, None)
    both = {tuple(row) for row in np.vstack([halves, ~halves]).tolist()}
    assert len(both) == 2 * len(halves) == number_of_splits(partitions)
    assert set(halves.sum(axis=1)) == {partitions // 2}


def test_too_many_splits_are_drawn_with_the_seed_given():
    halves = block_halves(24, 1_000, np.random.default_rng(1))
    assert len({tuple(row) for row in halves.tolist()}) == 500
    assert set(halves.sum(axis=1)) == {12}
    assert halves[:, 0].all()
    again = block_halves(24, 1_000, np.random.default_rng(1))
    assert (again == halves).all()
    assert (block_halves(24, 1_000, np.random.default_rng(2)) != halves).any()
    # Each other block is in a half with 11 of 23 of the first block's company.
    share = halves[:, 1:].mean()
    assert share == pytest.approx(11 / 23)
    with pytest.raises(FixConfiguration, match="pass a generator"):
        block_halves(24, 1_000, None)


def test_drawn_splits_estimate_the_exact_figure():
    returns = np.random.default_rng(19).normal(size=(240, 25))
    exact = overfitting(returns, partitions=12)
    drawn = overfitting(returns, partitions=12, maximum_splits=400, generator=np.random.default_rng(0))
    assert drawn.splits == 400
    assert drawn.pbo == pytest.approx(exact.pbo, abs=4 * 0.5 / math.sqrt(200))


@settings(deadline=None)
@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
)
def test_dominance_against_its_definition(chosen, field):
    result = dominance(np.array(chosen, float), np.array(field, float))
    levels = range(-6, 7)
    below = [
        sum(x <= level for x in chosen) * len(field) - sum(x <= level for x in field) * len(chosen)
        for level in levels
    ]
    short = [
        sum(max(level - x, 0) for x in chosen) * len(field)
        - sum(max(level - x, 0) for x in field) * len(chosen)
        for level in levels
    ]
    assert result.first_order == (max(below) <= 0)
    assert result.second_order == (max(short) <= 0)
    assert result.second_order or not result.first_order


def test_tiny_and_huge_returns_keep_their_digits():
    returns = np.random.default_rng(20).normal(size=(64, 5))
    scaled = returns * np.array([1e-180, 1e180, 1.0, 1e-9, 1e9])
    assert overfitting(scaled, partitions=8).pbo == overfitting(returns, partitions=8).pbo


def test_the_field_of_a_large_search_is_thinned_by_whole_splits(monkeypatch):
    returns = np.random.default_rng(21).normal(0, 0.01, (80, 12))
    returns[:, 3] += 0.02
    whole = overfitting(returns, partitions=10)
    monkeypatch.setattr("trading.statistics.overfitting._FIELD_VALUES", 300)
    thinned = overfitting(returns, partitions=10)
    assert thinned.dominance == whole.dominance
    assert thinned.pbo == whole.pbo
