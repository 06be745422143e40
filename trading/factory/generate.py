"""The day's genomes: the parents, their children, and fresh random ones."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

from trading.errors import FixConfiguration
from trading.factory.genome import FAMILIES, Genome, genes
from trading.model.canonical import digest

#: Share of the genomes that descend from parents, where there are any; the rest is random.
BRED_FRACTION = 0.7
#: Most parents that are tried again unchanged.
ELITE = 10
#: Chance that a child has two parents, and that one of its genes then moves.
CROSSOVER = 0.7
MUTATION = 0.15

_KINDS = tuple(FAMILIES.values())


class _Draw:
    """Random choices from a seed text, by the one generator method whose stream Python guarantees."""

    def __init__(self, seed_text: str) -> None:
        self._random = random.Random(int(digest("genomes", seed_text), 16))  # noqa: S311 - not a secret

    def below(self, count: int) -> int:
        return int(self._random.random() * count)

    def chance(self, probability: float) -> bool:
        return self._random.random() < probability


def generate(seed_text: str, count: int, parents: Sequence[Genome] = ()) -> list[Genome]:
    """Distinct genomes, the same for the same seed text (the day, say), count and parents.

    Up to `ELITE` parents come first, unchanged, so that a strategy on paper is judged anew each
    day. Then children: crossover averages the genes of two parents of a family and swaps the exits of
    two of different families; mutation moves a gene by up to a fifth of its range.

    Raises
    ------
    FixConfiguration
        If ``count`` distinct genomes cannot be found.
    """
    draw = _Draw(seed_text)
    pool = sorted(set(parents), key=lambda genome: genome.strategy_id)
    chosen: dict[str, Genome] = {genome.json: genome for genome in list(dict.fromkeys(parents))[:ELITE]}
    bred = round(count * BRED_FRACTION) if pool else 0
    for attempt in range(50 * count + 1000):
        if len(chosen) >= count:
            return list(chosen.values())[:count]
        breeding = len(chosen) < bred and attempt < 3 * bred  # few parents have few distinct children
        genome = _child(draw, pool) if breeding else _random(draw)
        chosen.setdefault(genome.json, genome)
    raise FixConfiguration(f"trials_per_day {count}: only {len(chosen)} distinct genomes found; lower it")


def _random(draw: _Draw) -> Genome:
    kind = _KINDS[draw.below(len(_KINDS))]
    values: dict[str, Any] = {name: gene.value(draw.below(gene.count)) for name, gene in genes(kind).items()}
    return kind(**values)


def _child(draw: _Draw, pool: Sequence[Genome]) -> Genome:
    parent = pool[draw.below(len(pool))]
    values = {name: getattr(parent, name) for name in genes(type(parent))}
    if draw.chance(CROSSOVER):
        values = _crossed(draw, parent, pool[draw.below(len(pool))])
    names = list(values)
    moving = [name for name in names if draw.chance(MUTATION)] or [names[draw.below(len(names))]]
    for name in moving:
        gene = genes(type(parent))[name]
        reach = max(1, gene.count // 5)
        moved = gene.index(values[name]) + draw.below(2 * reach + 1) - reach
        values[name] = gene.value(min(max(moved, 0), gene.count - 1))
    return type(parent)(**values)


def _crossed(draw: _Draw, one: Genome, other: Genome) -> dict[str, Any]:
    shared = genes(Genome) if type(one) is not type(other) else genes(type(one))
    values = {name: getattr(one, name) for name in genes(type(one))}
    for name, gene in shared.items():
        mine, theirs = gene.index(values[name]), gene.index(getattr(other, name))
        if type(one) is type(other):
            values[name] = gene.value((mine + theirs + draw.below(2)) // 2)
        elif draw.chance(0.5):
            values[name] = gene.value(theirs)
    return values
