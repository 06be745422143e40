"""What a genome is like, as a set of words: what the second proposer learns from."""

from __future__ import annotations

from collections.abc import Iterator

from trading.factory.genes.genome import GRIDS, Genome, Rules
from trading.factory.genes.grid import Grid
from trading.factory.genes.rules import Column, Leaf, Slope, Threshold, leaves

#: Parts that the range of a number is cut into.
_PARTS = 4


def traits(genome: Genome) -> frozenset[str]:
    """Words for timeframe, side, exits, sizes, and for every comparison: coarse, and with its numbers."""
    return frozenset(_traits(genome))


def _traits(genome: Genome) -> Iterator[str]:
    yield f"timeframe {genome.timeframe}"
    yield f"side {genome.side}"
    for name, grid in GRIDS.items():
        value = getattr(genome, name)
        yield f"{name} {'none' if value is None else _part(grid, value)}"
    for side, rules in (("long", genome.long), ("short", genome.short)):
        if rules is not None:
            yield from _of_rules(side, rules)


def _of_rules(side: str, rules: Rules) -> Iterator[str]:
    yield f"{side} exit {'by rule' if rules.exit else 'none'}"
    for purpose, rule in (("entry", rules.entry), ("exit", rules.exit)):
        if rule is None:
            continue
        for leaf in leaves(rule):
            coarse, fine = _of_leaf(leaf)
            yield f"{side} {purpose} {coarse}"
            yield f"{side} {purpose} {fine}"


def _of_leaf(leaf: Leaf) -> tuple[str, str]:
    if isinstance(leaf, Slope):
        return f"{leaf.column.name} {leaf.direction}", f"{_of_column(leaf.column)} {leaf.direction}"
    if isinstance(leaf, Threshold):
        grid = leaf.column.feature.thresholds
        assert grid is not None  # noqa: S101 - a threshold has a grid
        coarse = f"{leaf.column.name} {leaf.relation}"
        return coarse, f"{coarse} level {_part(grid, leaf.value)}"
    coarse = f"{leaf.column.name} {leaf.relation} {leaf.other.name}"
    return coarse, f"{_of_column(leaf.column)} {leaf.relation} {_of_column(leaf.other)}"


def _of_column(column: Column) -> str:
    grids = column.feature.parameters
    return " ".join([column.name, *(f"{key}{_part(grids[key], value)}" for key, value in column.parameters)])


def _part(grid: Grid, value: float) -> int:
    """Which of the equal parts of its range a value lies in, from 0."""
    index = round((value - grid.low) / grid.step)
    return index * _PARTS // grid.count
