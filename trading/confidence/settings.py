"""Settings of the confidence model: label, split, training, promotion and expiry."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt


@dataclass(frozen=True, slots=True)
class ConfidenceSettings:
    """How confidence is labelled, trained, judged and served.

    Attributes
    ----------
    horizon_bars
        Hourly bars after the entry within which the target must be reached.
    target_atr
        Gain wanted net of costs, in ATR of the decision bar.
    stop_atr
        Loss that ends the attempt, in ATR of the decision bar.
    round_trip_cost_bps
        Fees and slippage of buying and selling; added to the target, basis points.
    training_days
        Days of feature rows that a training reads.
    train_fraction
        Share of the time span that the classifier learns from.
    calibration_fraction
        Share, right after it, that the probabilities are calibrated on; the rest is the test.
    embargo_bars
        Hourly bars left out between slices, on top of the purge of overlapping labels.
    minimum_train_rows, minimum_calibration_rows, minimum_test_rows
        Training is refused below these.
    minimum_class_rows
        Rows of the rarer label that each slice must hold.
    isotonic_minimum_rows
        Calibration rows from which isotonic regression replaces the sigmoid.
    maximum_iterations
        Boosting rounds.
    learning_rate
        Shrinkage of each round.
    maximum_leaves
        Leaves per tree.
    minimum_leaf_rows
        Rows per leaf.
    l2_regularisation
        Penalty on leaf values.
    skill_confidence_level
        Two-sided level of the bootstrap interval of the Brier skill score.
    bootstrap_samples
        Resamples of that interval.
    bootstrap_block_bars
        Hours resampled together, because rows close in time share their future.
    reliability_bins
        Equal-width bins of the reliability table and the calibration error.
    minimum_known_fraction
        Share of features that must be known for a row to be scored.
    maximum_row_age_bars
        Hours after which a symbol's newest feature row is too old to be scored.
    expires_after_bars
        Hours after the scored bar's close until which the value may be used.
    maximum_model_age_days
        Days after the end of its data beyond which a model is no longer served.
    """

    horizon_bars: Annotated[int, Ge(1), Le(168)] = 12
    target_atr: Annotated[float, Gt(0)] = 1.5
    stop_atr: Annotated[float, Gt(0)] = 1.5
    round_trip_cost_bps: Annotated[float, Ge(0)] = 30.0
    training_days: Annotated[int, Ge(14)] = 90
    train_fraction: Annotated[float, Gt(0), Lt(1)] = 0.6
    calibration_fraction: Annotated[float, Gt(0), Lt(1)] = 0.2
    embargo_bars: Annotated[int, Ge(0)] = 12
    minimum_train_rows: Annotated[int, Ge(1)] = 1000
    minimum_calibration_rows: Annotated[int, Ge(1)] = 300
    minimum_test_rows: Annotated[int, Ge(1)] = 300
    minimum_class_rows: Annotated[int, Ge(1)] = 50
    isotonic_minimum_rows: Annotated[int, Ge(1)] = 5000
    maximum_iterations: Annotated[int, Ge(1)] = 120
    learning_rate: Annotated[float, Gt(0), Le(1)] = 0.05
    maximum_leaves: Annotated[int, Ge(2)] = 8
    minimum_leaf_rows: Annotated[int, Ge(1)] = 200
    l2_regularisation: Annotated[float, Ge(0)] = 1.0
    skill_confidence_level: Annotated[float, Gt(0), Lt(1)] = 0.9
    bootstrap_samples: Annotated[int, Ge(100)] = 1000
    bootstrap_block_bars: Annotated[int, Ge(1)] = 24
    reliability_bins: Annotated[int, Ge(2)] = 10
    minimum_known_fraction: Annotated[float, Gt(0), Le(1)] = 0.7
    maximum_row_age_bars: Annotated[int, Ge(1)] = 2
    expires_after_bars: Annotated[int, Ge(1)] = 2
    maximum_model_age_days: Annotated[int, Ge(1)] = 21
