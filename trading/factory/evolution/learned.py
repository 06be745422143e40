"""The second proposer: what good trials have in common that bad ones lack.

Trials are split into the good and the rest; each trait gets the logarithm of how much more often the good
have it. A proposal is the best rated of a few draws. Preferring what is likely among the good and unlikely
among the rest is preferring the largest expected improvement (Bergstra, Bardenet, Bengio & Kégl 2011, the
tree-structured Parzen estimator); traits are taken as independent, as in a naive Bayes classifier.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from trading.factory.evolution.traits import traits
from trading.factory.genes.genome import Genome
from trading.indicators.columns import FloatArray


class Learner:
    """Rates genomes by the trials it was shown; a trial is shown once and may be relabelled at any time.

    Memory grows with the trials shown: some 30 numbers for each.
    """

    def __init__(self) -> None:
        self._number: dict[str, int] = {}
        self._traits: list[NDArray[np.int32]] = []
        self._weights: FloatArray = np.empty(0)

    @property
    def known(self) -> int:
        """How many trials it was shown."""
        return len(self._traits)

    def show(self, genomes: Sequence[Genome]) -> None:
        """Remember what trials are like."""
        for genome in genomes:
            words = sorted(traits(genome))
            numbers = [self._number.setdefault(word, len(self._number)) for word in words]
            self._traits.append(np.array(numbers, dtype=np.int32))

    def learn(self, good: NDArray[np.bool_]) -> None:
        """Weigh traits anew; ``good`` says it of every trial shown, shape (known,).

        Counts start at one half (Jeffreys' prior), so that a trait seen once says little.
        """
        owner = np.repeat(good, [len(words) for words in self._traits])
        flat = np.concatenate([np.empty(0, dtype=np.int32), *self._traits])
        size = len(self._number)
        shares = [
            (np.bincount(flat[owner == kind], minlength=size) + 0.5) / (np.count_nonzero(good == kind) + 1.0)
            for kind in (True, False)
        ]
        odds = [np.log(share) - np.log1p(-share) for share in shares]
        self._weights = odds[0] - odds[1]

    def rating(self, genome: Genome) -> float:
        """Sum of the weights of its traits: higher is more like the good. A trait never seen weighs 0."""
        unknown = self._weights.size
        numbers = sorted(self._number.get(word, unknown) for word in traits(genome))
        return float(self._weights[[number for number in numbers if number < unknown]].sum())

    def propose(self, draw: Callable[[], Genome], looks: int) -> Genome:
        """The best rated of ``looks`` draws."""
        return max((draw() for _ in range(looks)), key=self.rating)


def best_fraction(values: FloatArray, fraction: float) -> NDArray[np.bool_]:
    """Marks the highest values, that share of all; NaN is never among them, shape (n,) to (n,)."""
    known = np.flatnonzero(~np.isnan(values))
    count = min(round(fraction * values.size), known.size)
    marked = np.zeros(values.size, dtype=np.bool_)
    marked[known[np.lexsort((known, -values[known]))[:count]]] = True
    return marked
