"""Scores against published vectors, scikit-learn and plain loops."""

from __future__ import annotations

import math

import numpy as np
import pytest

from trading.confidence import scores

P = np.array([0.1, 0.4, 0.35, 0.8, 0.7, 0.9, 0.2, 0.6])
Y = np.array([0.0, 0, 1, 1, 1, 1, 0, 0])


def test_golden_brier_and_calibration_error():
    assert scores.brier(P, Y) == pytest.approx(0.1415625, abs=1e-12)
    assert scores.calibration_error(P, Y, 5) == pytest.approx(0.21875, abs=1e-12)
    assert scores.calibration_error(P, Y, 10) == pytest.approx(0.21875, abs=1e-12)


def test_golden_wilson():
    assert scores.wilson_interval(7, 10) == pytest.approx((0.396778, 0.892209), abs=1e-6)
    assert scores.wilson_interval(0, 20) == pytest.approx((0, 0.161125), abs=1e-6)


def test_bins_are_open_below_and_closed_above_with_zero_in_the_first():
    table = scores.reliability_table(np.array([0.0, 0.2, 0.2000001, 1.0]), np.array([0.0, 1, 1, 1]), 5)
    assert [(b.low, b.rows) for b in table] == [(0.0, 2), (0.2, 1), (0.8, 1)]


def test_adaptive_error_has_equal_bins():
    # Two bins of four: forecasts .1 .2 .35 .4 saw 1 of 4, .6 .7 .8 .9 saw 3 of 4; both means are off by 0.
    assert scores.adaptive_calibration_error(P, Y, 2) == pytest.approx((abs(0.25 - 0.2625) + 0) / 2)


def test_scikit_learn_agrees():
    from sklearn.metrics import brier_score_loss, log_loss, roc_auc_score

    rng = np.random.default_rng(4)
    p = np.round(rng.uniform(0.02, 0.98, 500), 2)  # rounded, so that there are ties
    y = (rng.random(500) < p).astype(np.float64)
    assert scores.brier(p, y) == pytest.approx(brier_score_loss(y, p), rel=1e-12)
    assert scores.area_under_curve(p, y) == pytest.approx(roc_auc_score(y, p), rel=1e-12)
    assert scores.log_loss(p, y) == pytest.approx(log_loss(y, p), rel=1e-12)


def test_skill_is_against_the_given_constant():
    block = np.arange(8)
    skill = scores.brier_skill(P, Y, 0.5, block, level=0.9, samples=200, seed=1)
    assert skill.skill == pytest.approx(1 - 0.1415625 / 0.25)
    assert skill.low < skill.skill < skill.high
    constant = scores.brier_skill(np.full(8, 0.5), Y, 0.5, block, level=0.9, samples=200, seed=1)
    assert (constant.skill, constant.low, constant.high) == (0.0, 0.0, 0.0)


def test_blocks_widen_the_interval_of_rows_that_move_together():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(20), 50)
    y = np.repeat((rng.random(20) < 0.5).astype(np.float64), 50)
    p = np.clip(0.5 + 0.2 * np.repeat(rng.normal(0, 1, 20), 50), 0.05, 0.95)
    together = scores.brier_skill(p, y, 0.5, day, level=0.9, samples=500, seed=1)
    apart = scores.brier_skill(p, y, 0.5, np.arange(1000), level=0.9, samples=500, seed=1)
    assert together.high - together.low > 4 * (apart.high - apart.low)


def test_too_few_blocks_have_no_interval():
    skill = scores.brier_skill(P, Y, 0.5, np.zeros(8, dtype=np.int64), level=0.9, samples=100, seed=1)
    assert math.isfinite(skill.skill)
    assert math.isnan(skill.low)


def test_one_class_has_no_area_under_the_curve():
    assert math.isnan(scores.area_under_curve(P, np.zeros(8)))
