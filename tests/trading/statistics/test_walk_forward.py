"""Splits that do not leak, against a brute-force oracle; purge and embargo where they belong."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from trading.errors import BadData, FixConfiguration
from trading.statistics.walk_forward import Fold, purged_folds, walk_forward


@st.composite
def samples(draw):
    count = draw(st.integers(4, 60))
    starts = np.cumsum(draw(st.lists(st.integers(0, 3), min_size=count, max_size=count)))
    lengths = np.array(draw(st.lists(st.integers(0, 9), min_size=count, max_size=count)))
    return starts.astype(np.int64), (starts + lengths).astype(np.int64)


def folds_or_skip(splits) -> list[Fold]:
    try:
        return list(splits)
    except BadData:
        assume(False)
        raise


def overlaps(a: tuple[int, int], b: tuple[int, int]) -> bool:
    return bool(set(range(a[0], a[1] + 1)) & set(range(b[0], b[1] + 1)))


@settings(deadline=None)
@given(samples(), st.integers(1, 4), st.integers(0, 8), st.none() | st.integers(1, 5))
def test_walk_forward_never_leaks_and_wastes_nothing(spans, folds, embargo, rolling):
    starts, ends = spans
    found = folds_or_skip(walk_forward(starts, ends, folds=folds, embargo=embargo, rolling_samples=rolling))
    assert len(found) == folds
    tested = np.concatenate([fold.test for fold in found])
    assert tested.tolist() == list(range(len(starts) - len(tested), len(starts)))
    for fold in found:
        first = starts[fold.test].min()
        # What must be forgotten for `embargo` longer is as an outcome that lasts `embargo` longer.
        allowed = [i for i in range(fold.test[0]) if ends[i] + embargo < first]
        assert fold.train.tolist() == (allowed if rolling is None else allowed[-rolling:])
        assert fold.purged == fold.test[0] - len(allowed)
        for i in fold.train:
            assert not any(overlaps((starts[i], ends[i] + embargo), (starts[j], ends[j])) for j in fold.test)


@settings(deadline=None)
@given(samples(), st.integers(2, 5), st.integers(0, 8))
def test_purged_folds_never_leak_and_waste_nothing(spans, folds, embargo):
    starts, ends = spans
    found = folds_or_skip(purged_folds(starts, ends, folds=folds, embargo=embargo))
    assert np.concatenate([fold.test for fold in found]).tolist() == list(range(len(starts)))
    for fold in found:
        first, last = min(starts[fold.test]), max(ends[fold.test])
        allowed = [
            i
            for i in range(len(starts))
            if i not in fold.test
            and not overlaps((starts[i], ends[i]), (first, last))
            and not last < starts[i] <= last + embargo
        ]
        assert fold.train.tolist() == allowed
        assert fold.purged == len(starts) - len(fold.test) - len(allowed)


def test_purge_reaches_to_the_latest_end_of_the_test_and_the_embargo_follows_it():
    starts = np.arange(12)
    ends = starts + 1
    ends[5] = 8  # the middle test sample lasts longest: its end counts, not that of the last one
    fold = list(purged_folds(starts, ends, folds=3, embargo=2))[1]
    assert fold.test.tolist() == [4, 5, 6, 7]
    # sample 3 ends at 4, where the test begins; 8 starts within the test; 9 and 10 are the embargo
    assert fold.train.tolist() == [0, 1, 2, 11]
    assert fold.purged == 4


def test_an_embargo_within_the_purge_would_be_none():
    starts = np.arange(20)
    ends = starts + 5
    trains = {
        embargo: next(iter(purged_folds(starts, ends, folds=4, embargo=embargo))).train.tolist()
        for embargo in (0, 3)
    }
    assert trains[0] == list(range(10, 20))  # the test 0..4 ends at 9
    assert trains[3] == list(range(13, 20))


def test_walk_forward_by_hand():
    starts = np.arange(9)
    ends = starts + 1
    first, second = walk_forward(starts, ends, folds=2, embargo=1)
    assert (first.train.tolist(), first.test.tolist(), first.purged) == ([0], [3, 4, 5], 2)
    assert (second.train.tolist(), second.test.tolist(), second.purged) == ([0, 1, 2, 3], [6, 7, 8], 2)


def test_samples_of_one_moment_do_not_straddle_training_and_test():
    starts = np.repeat(np.arange(4), 3)  # three symbols a bar, cut within a bar
    folds = list(walk_forward(starts, starts, folds=4))
    for fold in folds:
        assert not set(starts[fold.train]) & set(starts[fold.test])


@pytest.mark.parametrize(
    ("starts", "ends", "options", "error", "message"),
    [
        ([0, 1, 2], [0, 1, 2], {"folds": 0}, FixConfiguration, "at least 2"),
        ([0, 1, 2], [0, 1, 2], {"folds": 3}, BadData, "cannot be cut into 4"),
        ([0, 1, 2], [0, 1, 2], {"folds": 1, "embargo": -1}, FixConfiguration, "embargo is -1"),
        ([0, 1, 2], [0, 1, 2], {"folds": 1, "rolling_samples": 0}, FixConfiguration, "rolling_samples is 0"),
        ([0, 2, 1], [0, 2, 1], {"folds": 1}, BadData, "sample 2 starts before sample 1"),
        ([0, 1, 2], [0, 0, 2], {"folds": 1}, BadData, "sample 1 ends at 0"),
        ([0, 1, 2], [9, 9, 9], {"folds": 1}, BadData, "leave no sample to train"),
        ([0, 1], [0, 1, 2], {"folds": 1}, BadData, "shape"),
    ],
)
def test_what_cannot_be_split_is_refused(starts, ends, options, error, message):
    with pytest.raises(error, match=message):
        list(walk_forward(np.array(starts), np.array(ends), **options))
