"""Training finds what is there, finds nothing in noise, and refuses too little."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import polars as pl
import pytest

from trading.confidence.scoring import score
from trading.confidence.settings import ConfidenceSettings
from trading.confidence.training import evidence, train
from trading.errors import BadData
from warehouse.datasets.research import ML_CONFIDENCE

SETTINGS = ConfidenceSettings(maximum_iterations=25, learning_rate=0.2, bootstrap_samples=200)


@pytest.fixture(scope="module")
def trained(learnable):
    return train(learnable, SETTINGS, seed=7)


def test_a_learnable_world_has_skill_and_is_calibrated(trained):
    found = trained.evaluation
    assert trained.has_skill
    assert found.auc > 0.65
    assert 0 < found.skill_low < found.skill < found.skill_high
    assert found.calibration_error < 0.08
    assert found.brier < found.brier_of_base_rate


def test_noise_has_no_skill_though_the_training_slice_was_learned(noise):
    model = train(noise, SETTINGS, seed=7)
    assert not model.has_skill
    assert model.evaluation.auc == pytest.approx(0.5, abs=0.06)


def test_shuffled_labels_have_no_skill(learnable):
    shuffled = learnable.with_columns(
        label=pl.Series(np.random.default_rng(3).permutation(learnable["label"]))
    )
    assert not train(shuffled, SETTINGS, seed=7).has_skill


def test_the_same_seed_gives_the_same_model_whatever_the_row_order(trained, learnable):
    again = train(learnable.sample(fraction=1.0, shuffle=True, seed=1), SETTINGS, seed=7)
    sample = learnable.head(200)
    assert (trained.probability(sample) == again.probability(sample)).all()
    assert evidence(trained) == evidence(again)


def test_evidence_is_plain_json_and_names_slices_features_and_bins(trained):
    record = json.loads(json.dumps(evidence(trained), allow_nan=False))
    assert record["train"]["rows"] > record["test"]["rows"] > 300
    assert record["has_skill"] is True
    assert len(record["features"]) == 21
    assert sum(b["rows"] for b in record["evaluation"]["reliability"]) == record["test"]["rows"]


def test_rows_after_the_test_slice_cannot_change_what_was_learned(trained, learnable):
    # Labels of the test slice feed the verdict only: flip them, and the model stays the same.
    in_test = pl.col("close_time") >= trained.test.first
    flipped = learnable.with_columns(
        label=pl.when(in_test).then(1 - pl.col("label")).otherwise(pl.col("label")).cast(pl.Int8)
    )
    other = train(flipped, SETTINGS, seed=7)
    assert (other.probability(learnable.head(100)) == trained.probability(learnable.head(100))).all()
    assert not other.has_skill


def test_a_feature_that_is_wholly_unknown_or_constant_is_left_out(learnable):
    rows = learnable.with_columns(pl.lit(None, pl.Float64).alias("rating_4h"), pl.lit(1.0).alias("return_1"))
    model = train(rows, SETTINGS, seed=7)
    assert not {"rating_4h", "return_1"} & set(model.features)
    assert len(model.features) == 19
    assert model.has_skill
    nothing = learnable.with_columns(pl.lit(None, pl.Float64).alias(name) for name in model.features)
    with pytest.raises(BadData, match="no feature varies"):
        train(nothing.with_columns(rating_4h=pl.lit(0.0), return_1=pl.lit(0.0)), SETTINGS, seed=7)


def test_too_little_data_is_refused_with_the_slice_named(learnable):
    with pytest.raises(BadData, match=r"train slice has .* minimum_train_rows"):
        train(learnable.head(600), SETTINGS, seed=1)


def test_one_class_is_refused(learnable):
    with pytest.raises(BadData, match="with label 1; each label needs"):
        train(learnable.with_columns(label=pl.lit(0, pl.Int8)), SETTINGS, seed=1)


def test_the_cache_has_the_newest_row_per_symbol_with_model_and_expiry(trained, learnable):
    as_of = trained.trained_through
    moved = learnable.with_columns(
        pl.col("open_time", "close_time") + (as_of - learnable["close_time"].max())
    )
    late = moved.with_columns(pl.col("open_time", "close_time") + timedelta(hours=1)).tail(10)
    cache = score(
        trained, pl.concat([moved, late]), model_name="m", model_version="3", as_of=as_of, settings=SETTINGS
    )
    assert dict(cache.schema) == ML_CONFIDENCE.schema
    assert cache["symbol"].to_list() == sorted(set(learnable["symbol"]))
    assert (cache["as_of"] == as_of).all()
    assert (cache["expires_at"] == as_of + timedelta(hours=SETTINGS.expires_after_bars)).all()
    assert cache["confidence"].is_between(0, 1).all()
    newest = moved.filter(pl.col("close_time") == as_of).sort("symbol")
    assert cache["confidence"].to_list() == trained.probability(newest).tolist()


def test_the_cache_is_silent_where_it_knows_nothing(trained, learnable):
    as_of = trained.trained_through
    rows = learnable.tail(10).with_columns(close_time=pl.lit(as_of).cast(pl.Datetime("ms", "UTC")))
    blank = rows.with_columns(pl.lit(None, pl.Float64).alias(name) for name in trained.features[:7])

    def cached(frame, moment):
        return score(trained, frame, model_name="m", model_version="3", as_of=moment, settings=SETTINGS)

    assert cached(blank, as_of)["confidence"].null_count() == 10
    stale = timedelta(hours=SETTINGS.maximum_row_age_bars)
    assert cached(rows, as_of + stale).is_empty()
    assert cached(rows, as_of + timedelta(days=SETTINGS.maximum_model_age_days, hours=1)).is_empty()
    assert cached(rows, as_of - timedelta(hours=1)).is_empty()  # the model has seen this row's future
    assert dict(cached(rows, as_of + stale).schema) == ML_CONFIDENCE.schema
