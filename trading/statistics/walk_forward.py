"""Splits in time that do not leak: purged walk-forward and purged cross-validation, with embargo.

López de Prado, "Advances in Financial Machine Learning", 2018, chapter 7. A sample is known by the span of
time that its outcome depends on, from ``starts`` to ``ends``, both inclusive, in any integer unit of time
(bars, milliseconds). A training sample whose span touches that of the test would have seen its answer.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import BadData, FixConfiguration

Times = npt.NDArray[np.int64]
Positions = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Fold:
    """Positions of the training and test samples, ascending, and how many lie between and were given up."""

    train: Positions
    test: Positions
    purged: int


def walk_forward(
    starts: Times, ends: Times, *, folds: int, embargo: int = 0, rolling_samples: int | None = None
) -> Iterator[Fold]:
    """Train on the past, test on what follows, and move on.

    The samples are cut into ``folds`` + 1 runs of equal length; each but the first is tested once, after
    training on everything before it, or on the last ``rolling_samples`` of that.

    Parameters
    ----------
    starts, ends
        First and last time of each sample's outcome, shape (samples,); ``starts`` never falls.
    folds
        Number of tests.
    embargo
        Time that must pass, on top of the purge, between the end of a training outcome and the start of the
        first test outcome.

    Yields
    ------
    Fold
        Every training outcome ended more than ``embargo`` before the first test outcome starts.

    Raises
    ------
    FixConfiguration, BadData
        If an argument is out of range, there are too few samples, or purge and embargo leave none to train.
    """
    _require(starts, ends, embargo)
    if rolling_samples is not None and rolling_samples < 1:
        raise FixConfiguration(f"rolling_samples is {rolling_samples}; train on at least 1")
    for test in _runs(len(starts), folds + 1, least=2)[1:]:
        before = np.arange(test[0])
        train = before[ends[: test[0]] < starts[test[0]] - embargo]
        yield _fold(train, test, given_up=before.size - train.size, rolling_samples=rolling_samples)


def purged_folds(starts: Times, ends: Times, *, folds: int, embargo: int = 0) -> Iterator[Fold]:
    """Test each of ``folds`` equal runs once, training on what lies before and after it.

    The purge takes out every sample whose outcome touches the time from the start of the first test outcome
    to the latest end of any test outcome. The embargo comes after that time, not within it: for ``embargo``
    longer nothing that starts is trained on, because it still remembers the test.

    Parameters, errors and the unit of time are those of `walk_forward`.
    """
    _require(starts, ends, embargo)
    for test in _runs(len(starts), folds, least=2):
        first, last = int(starts[test[0]]), int(ends[test].max())
        outside = np.ones(len(starts), dtype=bool)
        outside[test] = False
        train = np.flatnonzero(outside & ((ends < first) | (starts > last + embargo)))
        yield _fold(train, test, given_up=int(outside.sum()) - train.size)


def _fold(train: Positions, test: Positions, *, given_up: int, rolling_samples: int | None = None) -> Fold:
    if train.size == 0:
        raise BadData(
            f"purge and embargo leave no sample to train for the test of samples {test[0]} to {test[-1]}; "
            "use more samples, fewer folds, shorter outcomes or a shorter embargo"
        )
    return Fold(train if rolling_samples is None else train[-rolling_samples:], test, given_up)


def _runs(samples: int, count: int, *, least: int) -> list[Positions]:
    """Consecutive runs of equal length, to one sample."""
    if count < least:
        raise FixConfiguration(
            f"folds leave {count} runs of samples; at least {least} are needed: use more folds"
        )
    if samples < count:
        raise BadData(f"{samples} samples cannot be cut into {count} runs; use more samples or fewer folds")
    return np.array_split(np.arange(samples), count)


def _require(starts: Times, ends: Times, embargo: int) -> None:
    if embargo < 0:
        raise FixConfiguration(f"embargo is {embargo}; time to wait is at least 0")
    if starts.shape != ends.shape or starts.ndim != 1:
        raise BadData(f"starts have shape {starts.shape}, ends {ends.shape}; both must be (samples,)")
    if (backwards := np.flatnonzero(ends < starts)).size:
        at = backwards[0]
        raise BadData(f"sample {at} ends at {ends[at]}, before its start {starts[at]}")
    if (falls := np.flatnonzero(np.diff(starts) < 0)).size:
        raise BadData(f"sample {falls[0] + 1} starts before sample {falls[0]}; sort the samples by start")
