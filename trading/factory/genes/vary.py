"""Children of genomes: numbers drift and average, rules change by a leaf or change owner."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from trading.errors import BadData
from trading.factory.genes.draw import Draw, random_leaf, random_rules
from trading.factory.genes.genome import GRIDS, Genome, Rules, Timeframe
from trading.factory.genes.grid import Grid
from trading.factory.genes.rules import (
    SLOPE_BARS,
    AllOf,
    AnyOf,
    Column,
    Leaf,
    Rule,
    Slope,
    Threshold,
    Versus,
)

#: Chance that any one number moves.
MUTATION = 0.15
#: Reach of a moving whole number, and of any other as factors.
_WHOLE_REACH = 5
_LOWEST_FACTOR, _HIGHEST_FACTOR = 0.8, 1.2
#: Chances that a rule changes its shape, and that the timeframe changes.
_RESHAPE, _RETIME = 0.15, 0.05

_TIMEFRAMES = tuple(Timeframe)


def mutated(
    draw: Draw, genome: Genome, ratings: bool = True, timeframes: Sequence[Timeframe] = _TIMEFRAMES
) -> Genome:
    """A child that differs from its parent.

    Every number moves with probability `MUTATION`: whole ones by up to five, others by a factor of 0.8
    to 1.2, onto their grid. A rule may gain, lose or replace a leaf, or swap "all" and "any".
    The timeframe may move to its neighbour among ``timeframes``; one that is not among them stays.
    """
    while True:
        child = replace(
            genome,
            timeframe=_neighbour(draw, genome.timeframe, timeframes)
            if draw.chance(_RETIME)
            else genome.timeframe,
            long=_mutated_rules(draw, genome.long, ratings),
            short=_mutated_rules(draw, genome.short, ratings),
            **_mutated_numbers(draw, genome),
        )
        if child != genome:
            return child


def crossed(draw: Draw, one: Genome, other: Genome) -> Genome:
    """A child of two parents.

    Numbers that both have are averaged; what one lacks comes from either. Each rule comes whole from
    one of them; where both parents have the same side, entry and exit may come from different ones.
    """
    numbers: dict[str, Any] = {}
    trailing = one if draw.chance(0.5) else other
    for name, grid in GRIDS.items():
        mine, theirs = getattr(one, name), getattr(other, name)
        if mine is not None and theirs is not None:
            numbers[name] = grid.nearest((mine + theirs) / 2)
        elif name.startswith("trailing"):
            numbers[name] = getattr(trailing, name)
        else:
            numbers[name] = mine if draw.chance(0.5) else theirs
    first, second = (one, other) if draw.chance(0.5) else (other, one)
    long, short = (
        _crossed_rules(draw, first.long, second.long),
        _crossed_rules(draw, first.short, second.short),
    )
    return replace(first, long=long if first.long else None, short=short if first.short else None, **numbers)


def _crossed_rules(draw: Draw, first: Rules | None, second: Rules | None) -> Rules | None:
    if first is None or second is None:
        return first
    entry = first.entry if draw.chance(0.5) else second.entry
    return Rules(entry, first.exit if draw.chance(0.5) else second.exit)


def _mutated_numbers(draw: Draw, genome: Genome) -> dict[str, Any]:
    numbers = {name: getattr(genome, name) for name in GRIDS}
    for name, grid in GRIDS.items():
        if numbers[name] is not None and draw.chance(MUTATION):
            numbers[name] = _moved(draw, grid, numbers[name])
    return numbers


def _moved(draw: Draw, grid: Grid, value: float) -> float:
    """The nearest value on the grid to a move; one step aside where the move is too small to leave it."""
    if grid.whole:
        target = value + draw.below(2 * _WHOLE_REACH + 1) - _WHOLE_REACH
    else:
        target = value * draw.between(_LOWEST_FACTOR, _HIGHEST_FACTOR)
    moved = grid.nearest(target)
    if moved != value:
        return moved
    return grid.nearest(value + (grid.step if draw.chance(0.5) else -grid.step))


def _mutated_rules(draw: Draw, rules: Rules | None, ratings: bool) -> Rules | None:
    if rules is None:
        return None
    leave = rules.exit
    if draw.chance(_RESHAPE / 2):
        leave = None if leave is not None else random_rules(draw, ratings).entry
    return Rules(
        _mutated_rule(draw, rules.entry, ratings),
        _mutated_rule(draw, leave, ratings) if leave is not None else None,
    )


def _mutated_rule(draw: Draw, rule: Rule, ratings: bool) -> Rule:
    if not draw.chance(_RESHAPE):
        return _drifted(draw, rule)
    try:
        return _reshaped(draw, rule, ratings)
    except BadData:  # the tree became too deep or too wide, or two leaves became one
        return _drifted(draw, rule)


def _reshaped(draw: Draw, rule: Rule, ratings: bool) -> Rule:
    if isinstance(rule, (AllOf, AnyOf)):
        kind: type[AllOf] | type[AnyOf] = type(rule)
        at = draw.below(len(rule.parts))
        rest = rule.parts[:at] + rule.parts[at + 1 :]
        change = draw.below(4)
        if change == 0:
            return rest[0] if len(rest) == 1 else kind(rest)
        if change == 1:
            return kind((*rest, random_leaf(draw, ratings)))
        if change == 2:
            return AnyOf(rule.parts) if kind is AllOf else AllOf(rule.parts)
        return kind((*rest, _reshaped(draw, rule.parts[at], ratings)))
    fresh = random_leaf(draw, ratings)
    change = draw.below(3)
    if change == 0:
        return fresh
    return AllOf((rule, fresh)) if change == 1 else AnyOf((rule, fresh))


def _drifted(draw: Draw, rule: Rule) -> Rule:
    if isinstance(rule, (AllOf, AnyOf)):
        parts = tuple(_drifted(draw, part) for part in rule.parts)
        try:
            return type(rule)(parts)
        except BadData:  # two leaves drifted onto each other
            return rule
    return _drifted_leaf(draw, rule)


def _drifted_leaf(draw: Draw, leaf: Leaf) -> Leaf:
    column = _drifted_column(draw, leaf.column)
    if isinstance(leaf, Slope):
        bars = _moved(draw, SLOPE_BARS, leaf.bars) if draw.chance(MUTATION) else leaf.bars
        return Slope(column, leaf.direction, int(bars))
    if isinstance(leaf, Threshold):
        grid = column.feature.thresholds
        assert grid is not None  # noqa: S101 - a threshold has a grid
        value = _moved(draw, grid, leaf.value) if draw.chance(MUTATION) else leaf.value
        return Threshold(column, leaf.relation, value)
    other = _drifted_column(draw, leaf.other)
    return Versus(column, leaf.relation, other) if column != other else leaf


def _drifted_column(draw: Draw, column: Column) -> Column:
    grids = column.feature.parameters
    values = tuple(
        (name, _moved(draw, grids[name], value) if draw.chance(MUTATION) else value)
        for name, value in column.parameters
    )
    return Column(column.name, values)


def _neighbour(draw: Draw, timeframe: Timeframe, among: Sequence[Timeframe]) -> Timeframe:
    step = 1 if draw.chance(0.5) else -1
    if timeframe not in among:
        return timeframe
    ordered = [item for item in _TIMEFRAMES if item in among]
    return ordered[min(max(ordered.index(timeframe) + step, 0), len(ordered) - 1)]
