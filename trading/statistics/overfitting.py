"""Probability of backtest overfitting by combinatorially symmetric cross-validation (CSCV).

Bailey, Borwein, López de Prado & Zhu, "The Probability of Backtest Overfitting", Journal of Computational
Finance 20(4), 2017. The record is cut into equal consecutive blocks; for every half of them the trial with
the best Sharpe ratio in that half is looked up in the other half.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.errors import BadData
from trading.statistics.dominance import Dominance, dominance
from trading.statistics.halves import block_halves
from trading.statistics.sample import Floats, constant_columns
from trading.statistics.standardised import require_matrix

#: Sharpe ratios computed at once: few enough to stay in the processor's cache.
_SLICE_VALUES = 20_000
#: Outcomes of all trials that the dominance looks at; beyond, splits are thinned evenly.
_FIELD_VALUES = 1_000_000
#: Sharpe ratios this close are a tie: copies of a trial differ only by rounding.
_TIE = 1e-9


@dataclass(frozen=True, slots=True)
class Overfitting:
    """What cross-validation says about choosing the best of some trials. Sharpe ratios are per period.

    Attributes
    ----------
    pbo
        Probability of backtest overfitting, 0 to 1: share of splits in which the trial that was best in
        sample is at or below the median out of sample.
    median_logit
        Median over the splits of ln(w / (1 - w)), w the relative rank out of sample, rank / (trials + 1);
        below 0 the choice hurts.
    probability_of_loss
        Share of splits in which the chosen trial's Sharpe ratio out of sample is below 0.
    slope, intercept, r_squared
        Performance degradation: least squares of the chosen trials' Sharpe ratio out of sample on that in
        sample. NaN where all splits choose the same ratio. Every split divides one record, so the slope
        leans to -1 even for a real edge; read it beside ``probability_of_loss``.
    dominance
        Of the chosen trials' outcomes over those of all trials, of which at most about a million are taken,
        from evenly spread splits.
    splits, trials, partitions, block_periods
        What it was computed from.
    dropped_periods
        Oldest periods left out because the record is no multiple of ``partitions``.
    logits, in_sample, out_of_sample, chosen
        By split, shape (splits,), in no particular order: the logit, the chosen trial's Sharpe ratios and
        its column.
    """

    pbo: float
    median_logit: float
    probability_of_loss: float
    slope: float
    intercept: float
    r_squared: float
    dominance: Dominance
    splits: int
    trials: int
    partitions: int
    block_periods: int
    dropped_periods: int
    logits: Floats
    in_sample: Floats
    out_of_sample: Floats
    chosen: npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Blocks:
    """Sums by block and trial, shape (partitions, trials), of returns less each trial's overall mean."""

    periods: int
    mean: Floats
    sums: Floats
    squares: Floats
    active: Floats
    names: Sequence[str]


def overfitting(
    returns: Floats,
    *,
    partitions: int = 16,
    maximum_splits: int = 200_000,
    generator: np.random.Generator | None = None,
    names: Sequence[str] | None = None,
) -> Overfitting:
    """Probability of backtest overfitting of trials over the same periods.

    Parameters
    ----------
    returns
        Shape (periods, trials), oldest period first: returns or profits, finite, at least two trials.
    partitions
        Number of blocks, even; 16 is usual and gives 12,870 splits.
    maximum_splits
        Above this number of splits a subset is drawn, by ``generator``.
    names
        Of the trials, for errors; their positions if not given.

    Returns
    -------
    Overfitting
        A trial that earned exactly 0 in every period of a half was idle there: its Sharpe ratio in that half
        is 0. Tied ranks are averaged.

    Raises
    ------
    BadData
        If there are fewer than two trials or two periods a block, a return is missing or infinite, or a
        trial is constant over the record or constant and not 0 over a half: it has no Sharpe ratio.
    FixConfiguration
        If ``partitions`` is odd or out of range, or a generator is needed and missing.
    """
    halves = block_halves(partitions, maximum_splits, generator)
    blocks = _blocks(returns, partitions, names)
    trials = returns.shape[1]
    step = max(1, _SLICE_VALUES // trials)
    # The field of all outcomes is thinned evenly, by whole splits, where it would not fit.
    every = math.ceil(2 * len(halves) * trials / _FIELD_VALUES)
    slices, field = [], []
    for first in range(0, len(halves), step):
        half = halves[first : first + step].astype(np.float64)
        one, other = _sharpes(blocks, half), _sharpes(blocks, 1 - half)
        slices += [_choose(one, other), _choose(other, one)]
        thinned = slice(-first % every, None, every)
        field += [one[thinned].ravel(), other[thinned].ravel()]
    chosen, in_sample, out_of_sample, rank = (np.concatenate(parts) for parts in zip(*slices, strict=True))
    logits = np.log(rank / (trials + 1 - rank))
    slope, intercept, r_squared = _line(in_sample, out_of_sample)
    return Overfitting(
        pbo=float(np.mean(rank <= (trials + 1) / 2)),
        median_logit=float(np.median(logits)),
        probability_of_loss=float(np.mean(out_of_sample < 0)),
        slope=slope,
        intercept=intercept,
        r_squared=r_squared,
        dominance=dominance(out_of_sample, np.concatenate(field)),
        splits=2 * len(halves),
        trials=trials,
        partitions=partitions,
        block_periods=blocks.periods,
        dropped_periods=returns.shape[0] - blocks.periods * partitions,
        logits=logits,
        in_sample=in_sample,
        out_of_sample=out_of_sample,
        chosen=chosen,
    )


def _blocks(returns: Floats, partitions: int, names: Sequence[str] | None) -> _Blocks:
    require_matrix(returns)
    periods, trials = returns.shape
    block_periods = periods // partitions
    if trials < 2:
        raise BadData("one trial has nothing to be chosen from; overfitting needs at least two")
    if block_periods < 2:
        raise BadData(
            f"{periods} periods in {partitions} partitions leave {block_periods} a block; at least 2 are needed: "
            f"{2 * partitions} periods, or fewer partitions"
        )
    names = names or [str(position) for position in range(trials)]
    used = returns[periods - block_periods * partitions :]
    if (constant := constant_columns(used)).any():
        raise BadData(
            f"trial {names[int(constant.argmax())]} has constant returns over the {len(used)} periods used, "
            "so it has no Sharpe ratio; leave it out"
        )
    used = used / np.abs(used).max(axis=0)  # no ratio depends on the unit, and squares stay within float64
    mean = used.mean(axis=0)
    # From returns less their mean, the difference of sums of squares keeps its digits.
    centred = (used - mean).reshape(partitions, block_periods, trials)
    active = (used != 0).reshape(partitions, block_periods, trials).any(axis=1)
    return _Blocks(
        block_periods, mean, centred.sum(axis=1), np.square(centred).sum(axis=1), active.astype(float), names
    )


def _sharpes(blocks: _Blocks, halves: Floats) -> Floats:
    """Sharpe ratio of every trial in every half, shape (halves, trials)."""
    periods = blocks.periods * halves.shape[1] // 2
    sums = halves @ blocks.sums
    squares = halves @ blocks.squares
    sums /= periods
    scatter = squares - periods * np.square(sums)
    flat = scatter <= 1e-12 * squares
    if flat.any():
        idle = halves @ blocks.active == 0
        if (flat & ~idle).any():
            first = int((flat & ~idle).any(axis=0).argmax())
            raise BadData(
                f"trial {blocks.names[first]} has constant returns other than 0 over half of the blocks, so it "
                "has no Sharpe ratio there; leave it out"
            )
        scatter[flat] = math.inf
    scatter /= periods - 1
    sums += blocks.mean
    sums /= np.sqrt(scatter, out=scatter)
    return sums


def _choose(inside: Floats, outside: Floats) -> tuple[npt.NDArray[np.intp], Floats, Floats, Floats]:
    """The best trial inside each half, its ratio inside and outside, and its rank outside, 1 the worst."""
    chosen = inside.argmax(axis=1)
    splits = np.arange(len(chosen))
    outcome = outside[splits, chosen]
    tie = _TIE * np.maximum(1e-3, np.abs(outcome))
    below = np.count_nonzero(outside < (outcome - tie)[:, None], axis=1)
    not_above = np.count_nonzero(outside <= (outcome + tie)[:, None], axis=1)
    return chosen, inside[splits, chosen], outcome, (below + not_above + 1) / 2


def _line(x: Floats, y: Floats) -> tuple[float, float, float]:
    """Slope, intercept and R² of least squares of y on x; NaN where x does not vary."""
    across, up = x - x.mean(), y - y.mean()
    spread = float(across @ across)
    if not spread > 1e-18 * float(x @ x):
        return math.nan, math.nan, math.nan
    slope = float(across @ up) / spread
    height = float(up @ up)
    r_squared = slope**2 * spread / height if height > 0 else math.nan
    return slope, float(y.mean()) - slope * float(x.mean()), r_squared
