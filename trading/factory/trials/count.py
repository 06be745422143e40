"""How many independent trials a ledger of trials is worth.

Two counts, from the returns' fingerprints:

* by luck: the number of independent trials whose best is expected to be as good as that of these trials,
  with the correlations that they have. It is the count for the deflated Sharpe ratio.
* by clusters: how many different things were tried (`trading.statistics.clusters`).

Windows of different nights overlap. Each trial is centred and scaled inside its own window; on the calendar
of all windows it is zero elsewhere, so that a product of two trials is the correlation of their Sharpe
ratios' luck over the days that they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from itertools import groupby

import numpy as np
import numpy.typing as npt

from trading.factory.trials.fingerprint import Fingerprint
from trading.statistics.clusters import cluster_trials
from trading.statistics.sample import Floats
from trading.statistics.standardised import standardised
from trading.statistics.trials import equivalent_trials

#: Simulated searches; the standard error of their mean best is at most 1 / √1,000 = 0.03 standard errors.
DRAWS = 1_000
#: Numbers made at once.
_SLICE_VALUES = 4_000_000
#: Trials clustered exactly; beyond, a sample is.
EXACT_TRIALS = 15_000
#: Trials that are compared with the sample's founders to see how many of the rest would found a cluster.
_PROBES = 2_000


@dataclass(frozen=True, slots=True)
class TrialCount:
    """What a ledger of trials amounts to.

    Attributes
    ----------
    recorded
        Every trial, crashed, idle and repeated ones too.
    able
        Those whose returns vary: only they could have won.
    equivalent
        Independent trials by luck, at least 1.
    maximum
        Best Sharpe ratio that luck alone is expected to show among them, in standard errors.
    """

    recorded: int
    able: int
    equivalent: float
    maximum: float


def best_of_luck(
    fingerprints: Iterable[Fingerprint], *, seed: int = 0, draws: int = DRAWS
) -> tuple[int, Floats]:
    """How many trials can win, and the best of each simulated search, shape (draws,).

    Every calendar day has its own luck, fixed by seed and day: bests of two sets of trials combine by their
    elementwise maximum, so that a ledger is read partition by partition and the count never falls.
    Without a trial that varies the bests are -inf.
    """
    best = np.full(draws, -np.inf)
    able = 0
    for first_day, days, group in _windows(fingerprints):
        luck = _luck(first_day, days, seed, draws)
        step = max(1, _SLICE_VALUES // draws)
        for first in range(0, len(group), step):
            columns = standardised(_matrix(group[first : first + step])).columns
            able += columns.shape[1]
            if columns.shape[1]:
                np.maximum(best, (luck @ columns).max(axis=1), out=best)
    return able, best


def counted(recorded: int, able: int, best: Floats) -> TrialCount:
    """The count that belongs to the bests of all trials."""
    maximum = max(0.0, float(best.mean())) if able else 0.0
    return TrialCount(recorded, able, equivalent_trials(maximum), maximum)


def count_clusters(
    fingerprints: Sequence[Fingerprint],
    *,
    same_correlation: float = 0.7,
    seed: int = 0,
    exact_trials: int = EXACT_TRIALS,
) -> int:
    """Number of clusters of trials, in their order.

    Up to ``exact_trials`` it is exact. Beyond, a seeded sample of that size is clustered, and the share of
    further trials that join none of its founders is taken to found a cluster each: the answer leans high,
    because a longer search finds the founders of some of them. Windows of different days are one calendar.
    """
    returns = _calendar(fingerprints)
    count = int(returns.shape[1])
    if count <= exact_trials:
        return cluster_trials(returns, same_correlation=same_correlation).number if count else 0
    order = np.random.default_rng(seed).permutation(count)
    sample = np.sort(order[:exact_trials])
    probes = order[exact_trials : exact_trials + _PROBES]
    clusters = cluster_trials(returns[:, sample], same_correlation=same_correlation)
    founders = standardised(returns[:, sample[clusters.founders]]).columns
    rest = standardised(returns[:, probes]).columns
    strangers = float(np.mean((founders.T @ rest).max(axis=0) < same_correlation))
    return clusters.number + round(strangers * (count - exact_trials))


def _windows(fingerprints: Iterable[Fingerprint]) -> Iterator[tuple[date, int, list[Fingerprint]]]:
    """Fingerprints by window; one of fewer than two days has no Sharpe ratio."""
    long_enough = [item for item in fingerprints if item.days >= 2 and item.scale > 0]
    long_enough.sort(key=lambda item: (item.first_day, item.days))
    for (first_day, days), group in groupby(long_enough, key=lambda item: (item.first_day, item.days)):
        yield first_day, days, list(group)


def _matrix(group: Sequence[Fingerprint]) -> Floats:
    """Steps of fingerprints of one window, shape (days, trials); their scale changes no correlation."""
    steps: npt.NDArray[np.int8] = np.frombuffer(b"".join(item.steps for item in group), dtype=np.int8)
    return steps.reshape(len(group), -1).T.astype(np.float64)


def _luck(first_day: date, days: int, seed: int, draws: int) -> Floats:
    """Standard normal numbers of shape (draws, days): those of a calendar day are always the same."""
    first = first_day.toordinal()
    return np.stack(
        [
            np.random.default_rng([seed, ordinal]).standard_normal(draws)
            for ordinal in range(first, first + days)
        ],
        axis=1,
    )


def _calendar(fingerprints: Sequence[Fingerprint]) -> Floats:
    """Trials that vary, centred and scaled in their own window, on the calendar of all: (days, trials)."""
    able = [item for item in fingerprints if item.days >= 2 and item.scale > 0]
    if not able:
        return np.zeros((2, 0))
    first = min(item.first_day for item in able)
    last = max(item.first_day.toordinal() + item.days for item in able)
    columns = np.zeros((last - first.toordinal(), len(able)), order="F")
    for place, item in enumerate(able):
        start = (item.first_day - first).days
        steps = np.frombuffer(item.steps, dtype=np.int8).astype(np.float64)
        columns[start : start + item.days, place] = steps - steps.mean()
    lengths = np.linalg.norm(columns, axis=0)
    varying: Floats = columns[:, lengths > 0] / lengths[lengths > 0]
    return varying
