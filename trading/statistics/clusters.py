"""How many different things were tried: trials that move together are one.

Each trial joins the trial it follows most closely among the founders of earlier clusters, if their returns
correlate by at least ``same_correlation``; else it founds a cluster. This is clustering by leaders
(Hartigan, 1975). It was chosen over k-means with silhouettes (López de Prado's ONC) and over a dendrogram
because the count of a growing ledger must never fall, because pure noise must count in full (silhouettes
find clusters in it), and because 50,000 trials have no room for a matrix of all pairs. The order is that of
the trials: the oldest found.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import FixConfiguration
from trading.statistics.sample import Floats
from trading.statistics.standardised import Standardised, standardised

#: Trials compared with all founders at once; only speed depends on it.
_BLOCK_TRIALS = 256


@dataclass(frozen=True, slots=True)
class TrialClusters:
    """Clusters of trials.

    Attributes
    ----------
    labels
        Cluster of each trial, shape (trials,), numbered in the order of founding; -1 for a trial whose
        returns are constant: it never traded, correlates with nothing and cannot win.
    founders
        First trial of each cluster, shape (clusters,).
    """

    labels: npt.NDArray[np.intp]
    founders: npt.NDArray[np.intp]

    @property
    def number(self) -> int:
        """Number of clusters: the effective number of independent trials."""
        return int(self.founders.size)


def cluster_trials(returns: Floats, *, same_correlation: float = 0.7) -> TrialClusters:
    """Cluster trials by the correlation of their returns.

    Parameters
    ----------
    returns
        Shape (periods, trials), finite, in the order of trial.
    same_correlation
        From which correlation on two trials are one, above 0 and at most 1. Higher counts more trials. A
        mirrored trial (correlation -1) is another trial: the better of both is a choice too.

    Returns
    -------
    TrialClusters
        Founders correlate with each other by less than ``same_correlation``. Adding trials at the end never
        changes the labels of those before.

    Raises
    ------
    FixConfiguration
        If ``same_correlation`` is out of range.
    BadData
        If a return is missing or infinite, or there are fewer than two periods.
    """
    if not 0 < same_correlation <= 1:
        raise FixConfiguration(f"same_correlation is {same_correlation}; it must be above 0 and at most 1")
    trials = standardised(returns)
    # Rounding must not make two copies of a trial different at a limit of 1.
    joined, founding = _join(trials, same_correlation - 1e-9)
    labels = np.full(returns.shape[1], -1, dtype=np.intp)
    labels[trials.positions] = joined
    return TrialClusters(labels, trials.positions[founding])


def cluster_returns(returns: Floats, clusters: TrialClusters) -> Floats:
    """One record per cluster, shape (periods, clusters): its trials weighted by inverse variance.

    The variance of these records' Sharpe ratios is the one that belongs to the number of clusters in
    `deflated_sharpe` (López de Prado & Lewis, Quantitative Finance 19(9), 2019).
    """
    members = clusters.labels >= 0
    weights = np.zeros((returns.shape[1], clusters.number))
    weights[members, clusters.labels[members]] = 1 / returns[:, members].var(axis=0)
    records: Floats = returns @ (weights / weights.sum(axis=0))
    return records


def _join(trials: Standardised, limit: float) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    """Label of every column, and the founding columns."""
    columns = trials.columns
    count = columns.shape[1]
    labels = np.empty(count, dtype=np.intp)
    founding: list[int] = []
    founders = np.empty_like(columns, order="F")
    for first in range(0, count, _BLOCK_TRIALS):
        block = columns[:, first : first + _BLOCK_TRIALS]
        older = len(founding)
        nearest, closeness = _nearest(founders[:, :older], block)
        for offset in range(block.shape[1]):
            column = block[:, offset]
            label, correlation = nearest[offset], closeness[offset]
            younger = founders[:, older : len(founding)].T @ column
            if younger.size and younger.max() > correlation:
                label, correlation = older + int(younger.argmax()), float(younger.max())
            if correlation < limit:
                label = len(founding)
                founders[:, label] = column
                founding.append(first + offset)
            labels[first + offset] = label
    return labels, np.array(founding, dtype=np.intp)


def _nearest(founders: Floats, block: Floats) -> tuple[npt.NDArray[np.intp], Floats]:
    """Founder that each column of the block correlates with most, and by how much; -inf without founders."""
    if founders.shape[1] == 0:
        return np.zeros(block.shape[1], dtype=np.intp), np.full(block.shape[1], -np.inf)
    correlations = founders.T @ block
    nearest = correlations.argmax(axis=0)
    return nearest, correlations[nearest, np.arange(block.shape[1])]
