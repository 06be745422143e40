"""Children of the population, and the seeds and fresh genomes that a search starts from."""

from __future__ import annotations

from collections.abc import Sequence

from trading.factory.evolution.generation import Origin, Proposal
from trading.factory.genes.draw import Draw
from trading.factory.genes.generate import CROSSOVER
from trading.factory.genes.genome import Genome
from trading.factory.genes.vary import crossed, mutated


def child(draw: Draw, parents: Sequence[tuple[str, Genome]], *, ratings: bool) -> Proposal:
    """A child of one or two parents, which are given best first with their ids.

    Each parent is the better of two drawn at random. Two parents are crossed with a chance of `CROSSOVER`;
    a child that equals a parent, and one of a single parent, is mutated.
    """
    name, parent = _tournament(draw, parents)
    if draw.chance(CROSSOVER):
        other_name, other = _tournament(draw, parents)
        born = crossed(draw, parent, other)
        if born not in (parent, other):
            return Proposal(born, Origin.CROSSED, (name, other_name))
    return Proposal(mutated(draw, parent, ratings), Origin.MUTATED, (name,))


def _tournament(draw: Draw, parents: Sequence[tuple[str, Genome]]) -> tuple[str, Genome]:
    return parents[min(draw.below(len(parents)), draw.below(len(parents)))]
