"""Train, calibrate and judge the confidence classifier on three slices of time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import polars as pl

from trading.confidence import scores
from trading.confidence.calibration import Calibrator, fit_calibrator
from trading.confidence.features import FEATURES
from trading.confidence.scores import Floats, ReliabilityBin
from trading.confidence.settings import ConfidenceSettings
from trading.confidence.split import Split, split_by_time
from trading.errors import BadData


@dataclass(frozen=True, slots=True)
class SliceFacts:
    """Size, time range and class balance of a slice."""

    rows: int
    positive_fraction: float
    first: datetime
    last: datetime


@dataclass(frozen=True, slots=True)
class Evaluation:
    """What the model did on the test slice, which neither learning nor calibration saw.

    ``base_rate`` is the positive share of the calibration slice: the constant that skill is
    measured against. ``skill_low`` and ``skill_high`` bound the skill at the set level; NaN when
    the test slice is too short for an interval.
    """

    brier: float
    base_rate: float
    brier_of_base_rate: float
    skill: float
    skill_low: float
    skill_high: float
    calibration_error: float
    adaptive_calibration_error: float
    auc: float
    log_loss: float
    reliability: tuple[ReliabilityBin, ...]


@dataclass(frozen=True, slots=True)
class TrainedConfidence:
    """A classifier, its calibrator and the evidence for it.

    Attributes
    ----------
    classifier
        The fitted scikit-learn classifier.
    features
        The features it reads, in order: those that vary in the train slice.
    trained_through
        End of the newest label behind the model, the test slice included: nothing up to here is
        unseen, so the model may only score rows that close at or after it.
    """

    classifier: Any
    calibrator: Calibrator
    features: tuple[str, ...]
    settings: ConfidenceSettings
    seed: int
    train: SliceFacts
    calibration: SliceFacts
    test: SliceFacts
    evaluation: Evaluation
    trained_through: datetime

    @property
    def has_skill(self) -> bool:
        """Whether the lower bound of the test skill is above 0: the condition for promotion."""
        return self.evaluation.skill_low > 0  # NaN compares false

    def probability(self, feature_rows: pl.DataFrame) -> Floats:
        """Calibrated probability of the label per row, shape (rows,). Missing features are allowed."""
        if feature_rows.is_empty():
            return np.empty(0)
        return self.calibrator(_raw(self.classifier, feature_rows, self.features))


def train(rows: pl.DataFrame, settings: ConfidenceSettings, seed: int) -> TrainedConfidence:
    """Train on labelled feature rows: equal rows, settings and seed give an equal model.

    Parameters
    ----------
    rows
        What `forward_labels` returns, any order, any number of symbols.

    Raises
    ------
    BadData
        If a slice has too few rows or too few of one label: names the slice and what it has.
    """
    split = split_by_time(rows, settings)
    _require_enough(split, settings)
    features = _known_features(split.train)
    from sklearn.ensemble import HistGradientBoostingClassifier

    classifier = HistGradientBoostingClassifier(
        max_iter=settings.maximum_iterations,
        learning_rate=settings.learning_rate,
        max_leaf_nodes=settings.maximum_leaves,
        min_samples_leaf=settings.minimum_leaf_rows,
        l2_regularization=settings.l2_regularisation,
        early_stopping=False,  # its validation rows would be drawn at random, across time
        random_state=seed,
    )
    with _one_thread():
        classifier.fit(_matrix(split.train, features), _outcome(split.train))
    raw = _raw(classifier, split.calibration, features)
    calibrator = fit_calibrator(raw, _outcome(split.calibration), settings.isotonic_minimum_rows)
    tested = calibrator(_raw(classifier, split.test, features))
    return TrainedConfidence(
        classifier=classifier,
        calibrator=calibrator,
        features=features,
        settings=settings,
        seed=seed,
        train=_facts(split.train),
        calibration=_facts(split.calibration),
        test=_facts(split.test),
        evaluation=_evaluate(tested, split, settings, seed),
        trained_through=_last_label_end(split.test),
    )


def evidence(trained: TrainedConfidence) -> dict[str, Any]:
    """Everything known about the model except the model, as JSON-safe values."""
    record: dict[str, Any] = {
        name: _json_safe(asdict(getattr(trained, name)))
        for name in ("train", "calibration", "test", "evaluation", "settings")
    }
    return record | {
        "features": list(trained.features),
        "seed": trained.seed,
        "calibrator": trained.calibrator.kind,
        "has_skill": trained.has_skill,
        "trained_through": trained.trained_through.isoformat(),
    }


def _evaluate(probability: Floats, split: Split, settings: ConfidenceSettings, seed: int) -> Evaluation:
    outcome = _outcome(split.test)
    base_rate = float(_outcome(split.calibration).mean())
    hours = split.test["close_time"].dt.epoch("s").to_numpy() // 3600
    skill = scores.brier_skill(
        probability,
        outcome,
        base_rate,
        hours // settings.bootstrap_block_bars,
        level=settings.skill_confidence_level,
        samples=settings.bootstrap_samples,
        seed=seed,
    )
    bins = settings.reliability_bins
    return Evaluation(
        brier=scores.brier(probability, outcome),
        base_rate=base_rate,
        brier_of_base_rate=scores.brier(np.full(len(outcome), base_rate), outcome),
        skill=skill.skill,
        skill_low=skill.low,
        skill_high=skill.high,
        calibration_error=scores.calibration_error(probability, outcome, bins),
        adaptive_calibration_error=scores.adaptive_calibration_error(probability, outcome, bins),
        auc=scores.area_under_curve(probability, outcome),
        log_loss=scores.log_loss(probability, outcome),
        reliability=tuple(scores.reliability_table(probability, outcome, bins)),
    )


def _require_enough(split: Split, settings: ConfidenceSettings) -> None:
    wanted = (
        ("train", split.train, settings.minimum_train_rows),
        ("calibration", split.calibration, settings.minimum_calibration_rows),
        ("test", split.test, settings.minimum_test_rows),
    )
    for name, rows, minimum in wanted:
        if rows.height < minimum:
            raise BadData(
                f"confidence training: the {name} slice has {rows.height} labelled rows of at least "
                f"{minimum}; backfill more days or lower minimum_{name}_rows"
            )
        ones = int(rows["label"].cast(pl.Int64).sum())
        if min(ones, rows.height - ones) < settings.minimum_class_rows:
            raise BadData(
                f"confidence training: the {name} slice has {ones} of {rows.height} rows with label 1; "
                f"each label needs {settings.minimum_class_rows}: change target_atr, stop_atr or horizon_bars"
            )


def _known_features(rows: pl.DataFrame) -> tuple[str, ...]:
    """Features with at least two values; one that is wholly unknown or constant teaches nothing."""
    known = tuple(name for name in FEATURES if rows[name].drop_nulls().n_unique() > 1)
    if not known:
        raise BadData("confidence training: no feature varies in the train slice; rebuild the features")
    return known


def _facts(rows: pl.DataFrame) -> SliceFacts:
    return SliceFacts(
        rows.height, float(_outcome(rows).mean()), rows["close_time"][0], rows["close_time"][-1]
    )


def _last_label_end(rows: pl.DataFrame) -> datetime:
    last: datetime = rows["label_end"].sort()[-1]
    return last


def _raw(classifier: Any, rows: pl.DataFrame, features: tuple[str, ...]) -> Floats:
    with _one_thread():
        probability: Floats = classifier.predict_proba(_matrix(rows, features))[:, 1].astype(np.float64)
    return probability


def _one_thread() -> AbstractContextManager[Any]:
    """One thread: sums do not depend on how many cores there are, and busy cores are not waited for."""
    from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

    limits: AbstractContextManager[Any] = threadpool_limits(limits=1)
    return limits


def _matrix(rows: pl.DataFrame, features: tuple[str, ...]) -> Floats:
    missing = [name for name in features if name not in rows.columns]
    if missing:
        raise BadData(f"feature rows lack {missing}; rebuild the features with this version")
    return rows.select(pl.col(name).cast(pl.Float64).fill_null(np.nan) for name in features).to_numpy()


def _outcome(rows: pl.DataFrame) -> Floats:
    return rows["label"].cast(pl.Float64).to_numpy()


def _json_safe(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_safe(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json_safe(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    return None if isinstance(value, float) and not np.isfinite(value) else value
