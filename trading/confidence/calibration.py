"""Turn a classifier's raw probability into a calibrated one, on rows it never learned from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from trading.confidence.scores import Floats


@dataclass(frozen=True, slots=True)
class Calibrator:
    """A monotone map from raw to calibrated probability.

    Attributes
    ----------
    kind
        ``isotonic`` (piecewise linear through the points), ``sigmoid`` (logistic in the log odds)
        or ``constant`` (the raw probability ordered outcomes the wrong way round, so it carries
        nothing: every row gets the base rate).
    x, y
        Points of the isotonic map; slope and intercept of the sigmoid; the constant in ``y``.
    floor
        No probability is below this or above 1 - floor: a few hundred rows never prove certainty.
    """

    kind: Literal["isotonic", "sigmoid", "constant"]
    x: tuple[float, ...]
    y: tuple[float, ...]
    floor: float

    def __call__(self, raw: Floats) -> Floats:
        """Calibrated probabilities of raw ones; same shape, NaN stays NaN."""
        if self.kind == "isotonic":
            mapped = np.interp(raw, self.x, self.y)
        elif self.kind == "sigmoid":
            mapped = 1 / (1 + np.exp(-(self.x[0] * _log_odds(raw) + self.y[0])))
        else:
            mapped = np.where(np.isnan(raw), np.nan, self.y[0])
        return np.clip(mapped, self.floor, 1 - self.floor)


def fit_calibrator(raw: Floats, outcome: Floats, isotonic_minimum_rows: int) -> Calibrator:
    """Fit on a calibration slice: isotonic from ``isotonic_minimum_rows`` rows, else a sigmoid."""
    floor = 1 / (len(raw) + 2)
    if len(raw) >= isotonic_minimum_rows:
        from sklearn.isotonic import IsotonicRegression

        fitted = IsotonicRegression(out_of_bounds="clip", increasing=True).fit(raw, outcome)
        x, y = fitted.X_thresholds_.tolist(), fitted.y_thresholds_.tolist()
        return Calibrator("isotonic", tuple(x), tuple(y), floor)
    slope, intercept = _logistic(_log_odds(raw), outcome)
    if slope <= 0:
        return Calibrator("constant", (), (float(outcome.mean()),), floor)
    return Calibrator("sigmoid", (slope,), (intercept,), floor)


def _log_odds(probability: Floats) -> Floats:
    bounded = np.clip(probability, 1e-6, 1 - 1e-6)
    odds: Floats = np.log(bounded / (1 - bounded))
    return odds


def _logistic(x: Floats, outcome: Floats) -> tuple[float, float]:
    """Platt scaling: maximum-likelihood slope and intercept, on targets softened by Platt's prior."""
    positives, negatives = outcome.sum(), (1 - outcome).sum()
    target = np.where(outcome > 0.5, (positives + 1) / (positives + 2), 1 / (negatives + 2))
    design = np.column_stack([x, np.ones_like(x)])
    weights, loss = np.zeros(2), _cross_entropy(design @ np.zeros(2), target)
    for _ in range(50):
        fitted = 1 / (1 + np.exp(-design @ weights))
        gradient = design.T @ (target - fitted)
        curvature = (design * (fitted * (1 - fitted))[:, None]).T @ design + 1e-9 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while (tried := _cross_entropy(design @ (weights + step), target)) > loss and np.abs(
            step
        ).max() > 1e-9:
            step = step / 2  # a full Newton step may overshoot
        weights, loss = weights + step, tried
        if float(np.abs(step).max()) < 1e-9:
            break
    return float(weights[0]), float(weights[1])


def _cross_entropy(log_odds: Floats, target: Floats) -> float:
    return float(np.sum(np.logaddexp(0, log_odds) - target * log_odds))
