"""Calibration is monotone, bounded, and admits when there is nothing to calibrate."""

from __future__ import annotations

import numpy as np
import pytest

from trading.confidence import scores
from trading.confidence.calibration import fit_calibrator


def _overconfident(seed: int, rows: int = 2000, direction: float = 1.0):
    rng = np.random.default_rng(seed)
    truth = rng.normal(0, 0.8, rows)
    outcome = (rng.random(rows) < 1 / (1 + np.exp(-direction * truth))).astype(np.float64)
    return 1 / (1 + np.exp(-3 * truth)), outcome  # log odds three times too large


@pytest.mark.parametrize(("minimum", "kind"), [(100, "isotonic"), (10_000, "sigmoid")])
def test_it_is_monotone_and_corrects_overconfidence(minimum, kind):
    raw, outcome = _overconfident(1)
    calibrator = fit_calibrator(raw, outcome, minimum)
    assert calibrator.kind == kind
    grid = calibrator(np.linspace(0, 1, 500))
    assert (np.diff(grid) >= 0).all()
    assert grid.min() >= 1 / 2002
    assert grid.max() <= 1 - 1 / 2002
    fresh, fresh_outcome = _overconfident(2)
    before = scores.calibration_error(fresh, fresh_outcome, 10)
    after = scores.calibration_error(calibrator(fresh), fresh_outcome, 10)
    assert after < 0.05 < 0.15 < before


def test_the_sigmoid_recovers_the_slope():
    raw, outcome = _overconfident(3, rows=20_000)
    calibrator = fit_calibrator(raw, outcome, 10**6)
    assert calibrator.x[0] == pytest.approx(1 / 3, abs=0.03)
    assert calibrator.y[0] == pytest.approx(0.0, abs=0.06)


def test_a_reversed_order_becomes_the_base_rate_and_is_never_flipped():
    raw, outcome = _overconfident(1, direction=-1.0)
    calibrator = fit_calibrator(raw, outcome, 10_000)
    assert calibrator.kind == "constant"
    assert calibrator(np.array([0.0, 0.9, np.nan]))[:2].tolist() == [outcome.mean()] * 2
    assert np.isnan(calibrator(np.array([np.nan]))).all()
