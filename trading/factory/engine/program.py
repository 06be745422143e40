"""Genomes as arrays: comparisons shared by all, rules as postfix programs over them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.factory.engine.columns import columns_of
from trading.factory.genes.genome import Genome
from trading.factory.genes.rules import (
    AllOf,
    AnyOf,
    Column,
    Direction,
    Leaf,
    Relation,
    Rule,
    Slope,
    Threshold,
    leaves,
)
from trading.indicators.columns import FloatArray

#: Codes of a comparison; the kernel knows the same numbers.
ABOVE, BELOW, CROSSES_ABOVE, CROSSES_BELOW, RISING, FALLING = range(6)
_RELATIONS = {
    Relation.ABOVE: ABOVE,
    Relation.BELOW: BELOW,
    Relation.CROSSES_ABOVE: CROSSES_ABOVE,
    Relation.CROSSES_BELOW: CROSSES_BELOW,
}
#: Codes of a program below 0; a number from 0 on pushes the comparison of that number.
AND, OR = -1, -2


@dataclass(frozen=True, slots=True)
class Program:
    """A population, compiled.

    Attributes
    ----------
    columns
        What the comparisons read.
    leaf_codes
        Shape (comparisons, 4), int64: code, column, other column (-1: a level), bars of a slope.
    leaf_levels
        Level of each comparison, shape (comparisons,); NaN where it has none.
    codes
        All programs one after the other, int64.
    offsets
        Shape (genomes, 5): where the programs of long entry, long exit, short entry and short exit
        start, and where the last ends; an empty program is never a yes.
    numbers
        Shape (genomes, 6): stop, target, trailing, gain from which it trails, size, leverage. Without a
        target or trailing stop, what it takes to reach it is infinite.
    hold_minutes
        Time exit, shape (genomes,); -1 where there is none.
    """

    columns: tuple[Column, ...]
    leaf_codes: NDArray[np.int64]
    leaf_levels: FloatArray
    codes: NDArray[np.int64]
    offsets: NDArray[np.int64]
    numbers: FloatArray
    hold_minutes: NDArray[np.int64]


def compile_genomes(genomes: Sequence[Genome]) -> Program:
    """Compile genomes of one timeframe."""
    columns = columns_of(genome.columns for genome in genomes)
    places = {column: place for place, column in enumerate(columns)}
    numbered = _numbered(genomes, places)
    codes: list[int] = []
    offsets = np.zeros((len(genomes), 5), dtype=np.int64)
    for row, genome in enumerate(genomes):
        for program, rule in enumerate(_programs(genome)):
            offsets[row, program] = len(codes)
            if rule is not None:
                codes += _postfix(rule, numbered)
        offsets[row, 4] = len(codes)
    levels = [leaf.value if isinstance(leaf, Threshold) else math.nan for leaf in numbered]
    return Program(
        columns=tuple(columns),
        leaf_codes=np.array([_leaf(leaf, places) for leaf in numbered], dtype=np.int64).reshape(-1, 4),
        leaf_levels=np.array(levels, dtype=np.float64),
        codes=np.array(codes, dtype=np.int64),
        offsets=offsets,
        numbers=np.array([_numbers(genome) for genome in genomes], dtype=np.float64).reshape(-1, 6),
        hold_minutes=np.array(
            [(genome.time_exit_hours or 0) * 60 or -1 for genome in genomes], dtype=np.int64
        ),
    )


def _programs(genome: Genome) -> tuple[Rule | None, ...]:
    long, short = genome.long, genome.short
    return (
        long.entry if long else None,
        long.exit if long else None,
        short.entry if short else None,
        short.exit if short else None,
    )


def _numbered(genomes: Sequence[Genome], places: dict[Column, int]) -> dict[Leaf, int]:
    """The distinct comparisons with their numbers, those of a column next to each other."""
    distinct = {leaf for genome in genomes for rule in genome.rules() for leaf in leaves(rule)}

    def order(leaf: Leaf) -> tuple[tuple[float, ...], ...]:
        code = _leaf(leaf, places)
        level = leaf.value if isinstance(leaf, Threshold) else 0.0
        return (max(code[1:3]), min(code[1:3])), (*code, level)

    return {leaf: number for number, leaf in enumerate(sorted(distinct, key=order))}


def _postfix(rule: Rule, numbered: dict[Leaf, int]) -> list[int]:
    if not isinstance(rule, (AllOf, AnyOf)):
        return [numbered[rule]]
    joint = AND if isinstance(rule, AllOf) else OR
    codes = _postfix(rule.parts[0], numbered)
    for part in rule.parts[1:]:
        codes += [*_postfix(part, numbered), joint]
    return codes


def _leaf(leaf: Leaf, places: dict[Column, int]) -> tuple[int, int, int, int]:
    column = places[leaf.column]
    if isinstance(leaf, Slope):
        return RISING if leaf.direction is Direction.RISING else FALLING, column, -1, leaf.bars
    other = -1 if isinstance(leaf, Threshold) else places[leaf.other]
    return _RELATIONS[leaf.relation], column, other, 0


def _numbers(genome: Genome) -> tuple[float, ...]:
    def reach(value: float | None) -> float:
        return math.inf if value is None else value

    return (
        genome.stop_fraction,
        reach(genome.target_fraction),
        genome.trailing_fraction or 0.0,
        reach(genome.trailing_after_fraction),
        genome.size_fraction,
        float(genome.leverage),
    )
