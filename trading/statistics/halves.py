"""Every way to take half of the blocks: the splits of combinatorially symmetric cross-validation."""

from __future__ import annotations

import math
from itertools import combinations, islice

import numpy as np
import numpy.typing as npt

from trading.errors import FixConfiguration

#: More blocks than this have more halves (2.7 million pairs) than any search for luck needs.
LARGEST_PARTITIONS = 24


def number_of_splits(partitions: int) -> int:
    """Number of ways to take half of ``partitions`` blocks."""
    return math.comb(partitions, partitions // 2)


def block_halves(
    partitions: int, maximum_splits: int, generator: np.random.Generator | None
) -> npt.NDArray[np.bool_]:
    """Halves of the blocks that hold the first block; their complements are the other half of all splits.

    Parameters
    ----------
    partitions
        Number of blocks, even, 2 to `LARGEST_PARTITIONS`.
    maximum_splits
        If there are more splits than this, half as many distinct halves are drawn: a half and its complement
        always come together, so that the drawn splits stay symmetric.
    generator
        Source of the draw; needed only then.

    Returns
    -------
    ndarray of bool
        Shape (splits / 2, partitions), True in the half.

    Raises
    ------
    FixConfiguration
        If the number of blocks is odd or out of range, or a generator is needed and missing.
    """
    if partitions % 2 or not 2 <= partitions <= LARGEST_PARTITIONS:
        raise FixConfiguration(
            f"partitions is {partitions}; halves need an even number of blocks, 2 to {LARGEST_PARTITIONS} (16 is usual)"
        )
    if number_of_splits(partitions) <= maximum_splits:
        return _all_halves(partitions)
    if generator is None or maximum_splits < 2:
        raise FixConfiguration(
            f"partitions {partitions} give {number_of_splits(partitions)} splits, more than maximum_splits "
            f"{maximum_splits}; pass a generator to draw at least 2 of them, or use fewer partitions"
        )
    return _drawn_halves(partitions, maximum_splits // 2, generator)


def _all_halves(partitions: int) -> npt.NDArray[np.bool_]:
    chosen = np.array(list(combinations(range(1, partitions), partitions // 2 - 1)), dtype=np.intp)
    return _marked(chosen.reshape(number_of_splits(partitions) // 2, -1), partitions)


def _drawn_halves(partitions: int, count: int, generator: np.random.Generator) -> npt.NDArray[np.bool_]:
    pairs = number_of_splits(partitions) // 2
    ranks = sorted(generator.choice(pairs, size=count, replace=False, shuffle=False).tolist())
    every = combinations(range(1, partitions), partitions // 2 - 1)
    chosen, passed = [], 0
    for rank in ranks:
        chosen.append(next(islice(every, rank - passed, None)))
        passed = rank + 1
    return _marked(np.array(chosen, dtype=np.intp), partitions)


def _marked(chosen: npt.NDArray[np.intp], partitions: int) -> npt.NDArray[np.bool_]:
    """Rows of True at the first block and the chosen ones."""
    halves = np.zeros((chosen.shape[0], partitions), dtype=bool)
    halves[:, 0] = True
    np.put_along_axis(halves, chosen, True, axis=1)
    return halves
