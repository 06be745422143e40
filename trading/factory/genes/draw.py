"""Random choices, and random genomes, from a generator that the caller seeds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np

from trading.factory.genes.features import FEATURES, RATINGS, Feature, Scale
from trading.factory.genes.genome import GRIDS, Genome, Rules, Timeframe
from trading.factory.genes.grid import Grid
from trading.factory.genes.rules import (
    SLOPE_BARS,
    AllOf,
    AnyOf,
    Column,
    Direction,
    Leaf,
    Relation,
    Rule,
    Slope,
    Threshold,
    Versus,
)

_Item = TypeVar("_Item")

#: Chance of each optional part of a fresh genome.
_WITH_EXIT, _WITH_TARGET, _WITH_TRAILING, _WITH_TIME_EXIT = 0.7, 0.8, 0.3, 0.9
#: Shares of the sides: long, short, the rest both.
_LONG, _SHORT = 0.5, 0.3
#: Shares of the leaves: a level, a slope, the rest against another column.
_LEVEL, _SLOPE = 0.5, 0.2
#: Chance that a comparison asks for a crossing.
_CROSSING = 0.4

_BY_SCALE = {
    scale: tuple(feature for feature in FEATURES.values() if feature.scale is scale)
    for scale in Scale
    if scale is not Scale.PURE
}
_WITH_LEVELS = tuple(feature for feature in FEATURES.values() if feature.thresholds is not None)


class Draw:
    """Choices from one stream of uniform numbers, so that a seed fixes every one of them."""

    def __init__(self, generator: np.random.Generator) -> None:
        self._generator = generator

    def below(self, count: int) -> int:
        """A whole number from 0 to ``count`` - 1."""
        return int(self._generator.random() * count)

    def chance(self, probability: float) -> bool:
        """Whether something of this probability happens."""
        return bool(self._generator.random() < probability)

    def between(self, low: float, high: float) -> float:
        """A number in [low, high)."""
        return low + (high - low) * float(self._generator.random())

    def pick(self, items: Sequence[_Item]) -> _Item:
        """One of the items."""
        return items[self.below(len(items))]

    def on(self, grid: Grid) -> float:
        """A value of a grid."""
        return grid.value(self.below(grid.count))


def random_genome(draw: Draw, timeframes: Sequence[Timeframe], ratings: bool = True) -> Genome:
    """A fresh genome on one of the timeframes; without ``ratings`` no rule reads a rating."""
    side = draw.between(0, 1)
    long, short = side < _LONG or side >= _LONG + _SHORT, side >= _LONG
    trailing = draw.chance(_WITH_TRAILING)
    present = {
        "target_fraction": draw.chance(_WITH_TARGET),
        "trailing_fraction": trailing,
        "trailing_after_fraction": trailing,
        "time_exit_hours": draw.chance(_WITH_TIME_EXIT),
    }
    numbers: dict[str, Any] = {
        name: draw.on(grid) if present.get(name, True) else None for name, grid in GRIDS.items()
    }
    return Genome(
        timeframe=draw.pick(timeframes),
        long=random_rules(draw, ratings) if long else None,
        short=random_rules(draw, ratings) if short else None,
        **numbers,
    )


def random_rules(draw: Draw, ratings: bool) -> Rules:
    """Entry of one to three leaves; where there is an exit, of one or two."""
    entry = random_rule(draw, 1 + draw.below(3), ratings)
    return Rules(entry, random_rule(draw, 1 + draw.below(2), ratings) if draw.chance(_WITH_EXIT) else None)


def random_rule(draw: Draw, count: int, ratings: bool) -> Rule:
    """A rule of at most ``count`` leaves: leaves that come out equal are one."""
    distinct: list[Rule] = list(dict.fromkeys(random_leaf(draw, ratings) for _ in range(count)))
    if len(distinct) == 1:
        return distinct[0]
    if len(distinct) > 2 and draw.chance(0.5):
        inner, outer = (AnyOf, AllOf) if draw.chance(0.5) else (AllOf, AnyOf)
        return outer((distinct[0], inner(tuple(distinct[1:]))))
    kind = AllOf if draw.chance(0.75) else AnyOf
    return kind(tuple(distinct))


def random_leaf(draw: Draw, ratings: bool) -> Leaf:
    """One comparison."""
    kind = draw.between(0, 1)
    if kind < _LEVEL:
        feature = draw.pick(_usable(_WITH_LEVELS, ratings))
        assert feature.thresholds is not None  # noqa: S101 - chosen for having them
        return Threshold(random_column(draw, feature), _relation(draw), draw.on(feature.thresholds))
    if kind < _LEVEL + _SLOPE:
        column = random_column(draw, draw.pick(_usable(tuple(FEATURES.values()), ratings)))
        direction = Direction.RISING if draw.chance(0.5) else Direction.FALLING
        return Slope(column, direction, int(draw.on(SLOPE_BARS)))
    family = _BY_SCALE[draw.pick(tuple(_BY_SCALE))]
    one = random_column(draw, draw.pick(family))
    while True:
        other = random_column(draw, draw.pick(family))
        if other != one:
            return Versus(one, _relation(draw), other)


def random_column(draw: Draw, feature: Feature) -> Column:
    """A column of the feature with random parameters."""
    return Column(feature.name, tuple((name, draw.on(grid)) for name, grid in feature.parameters.items()))


def _usable(features: tuple[Feature, ...], ratings: bool) -> tuple[Feature, ...]:
    return features if ratings else tuple(feature for feature in features if feature.name not in RATINGS)


def _relation(draw: Draw) -> Relation:
    crossing, above = draw.chance(_CROSSING), draw.chance(0.5)
    if crossing:
        return Relation.CROSSES_ABOVE if above else Relation.CROSSES_BELOW
    return Relation.ABOVE if above else Relation.BELOW
