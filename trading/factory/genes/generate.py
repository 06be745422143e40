"""The next genomes to try: parents first, then their children, then fresh ones."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from trading.errors import FixConfiguration
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.genes.vary import crossed, mutated

#: Share of the genomes that descend from parents, where there are any; the rest is fresh.
BRED_FRACTION = 0.7
#: Most parents that are tried again unchanged.
ELITE = 10
#: Chance that a child has two parents.
CROSSOVER = 0.7


def generate(
    generator: np.random.Generator,
    count: int,
    *,
    parents: Sequence[Genome] = (),
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
    ratings: bool = True,
) -> list[Genome]:
    """Distinct genomes; the same for an equally seeded generator and the same arguments.

    Parameters
    ----------
    generator
        The only source of chance.
    parents
        Best first. Up to `ELITE` of them come first, unchanged.
    timeframes
        What fresh genomes may decide on, and what children may move to.
    ratings
        Whether rules may read the technical ratings, whose columns cost most to compute.

    Raises
    ------
    FixConfiguration
        If ``count`` distinct genomes cannot be found.
    """
    draw = Draw(generator)
    pool = list(dict.fromkeys(parents))
    chosen = dict.fromkeys(pool[:ELITE])
    bred = round(count * BRED_FRACTION) if pool else 0
    for _ in range(50 * count + 1000):
        if len(chosen) >= count:
            return list(chosen)[:count]
        if len(chosen) < bred:
            genome = child(draw, pool, ratings=ratings, timeframes=timeframes)
        else:
            genome = random_genome(draw, timeframes, ratings)
        chosen.setdefault(genome)
    raise FixConfiguration(f"genomes: only {len(chosen)} distinct ones of {count} found; ask for fewer")


def child(
    draw: Draw,
    pool: Sequence[Genome],
    *,
    ratings: bool = True,
    timeframes: Sequence[Timeframe] = tuple(Timeframe),
) -> Genome:
    """A child of one or two members of the pool, always mutated where it has one parent."""
    parent = draw.pick(pool)
    if len(pool) > 1 and draw.chance(CROSSOVER):
        born = crossed(draw, parent, draw.pick(pool))
        if born != parent:
            return born
    return mutated(draw, parent, ratings, timeframes)
