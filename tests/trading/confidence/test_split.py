"""The split keeps time in order: purge first, embargo on top of it."""

from __future__ import annotations

from datetime import timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading.confidence.conftest import make_labelled
from trading.confidence.settings import ConfidenceSettings
from trading.confidence.split import split_by_time
from trading.errors import BadData, FixConfiguration


@settings(max_examples=30, deadline=None)
@given(
    hours=st.integers(60, 200),
    embargo=st.integers(0, 20),
    train=st.floats(0.3, 0.6),
    calibration=st.floats(0.1, 0.3),
)
def test_no_slice_shares_a_future_with_the_next(hours, embargo, train, calibration):
    rows = make_labelled(hours, 2, seed=hours, edge=0.0)
    chosen = ConfidenceSettings(embargo_bars=embargo, train_fraction=train, calibration_fraction=calibration)
    split = split_by_time(rows, chosen)
    gap = timedelta(hours=embargo)
    for earlier, later in ((split.train, split.calibration), (split.calibration, split.test)):
        if earlier.is_empty() or later.is_empty():
            continue
        assert earlier["label_end"].max() + gap <= later["close_time"].min()
    assert split.test["close_time"].max() == rows["close_time"].max()


def test_only_the_purge_and_the_embargo_are_lost(noise):
    split = split_by_time(noise, ConfidenceSettings(embargo_bars=12))
    kept = split.train.height + split.calibration.height + split.test.height
    lost_hours = (noise.height - kept) / 10
    assert lost_hours == pytest.approx(2 * (12 + 12), abs=2)


def test_rows_without_a_label_take_no_part(noise):
    none = noise.with_columns(label=pl.lit(None, pl.Int8))
    with pytest.raises(BadData, match="no row has a label"):
        split_by_time(none, ConfidenceSettings())


def test_fractions_must_leave_a_test_slice(noise):
    with pytest.raises(FixConfiguration, match="no test slice"):
        split_by_time(noise, ConfidenceSettings(train_fraction=0.8, calibration_fraction=0.2))
