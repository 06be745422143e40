"""Rules as trees: comparisons at the leaves, "all of" and "any of" above them.

Every rule is a question about one closed bar, answered yes or no. A comparison with a missing value is
no, also where the missing value is the bar before (a crossing) or some bars back (a slope).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from trading.errors import BadData
from trading.factory.genes.features import FEATURES, Feature, Scale
from trading.factory.genes.grid import Grid
from trading.factory.genes.text import plain_json

#: Levels of "all of" and "any of" above a leaf, and leaves of one rule.
MAXIMUM_DEPTH = 3
MAXIMUM_LEAVES = 8
#: Bars that a slope may span.
SLOPE_BARS = Grid(1, 12, 1)


class Relation(StrEnum):
    """How a column stands to a level or to another column; all strict."""

    ABOVE = "above"
    BELOW = "below"
    CROSSES_ABOVE = "crosses_above"  # above now, at or below it one bar before
    CROSSES_BELOW = "crosses_below"


class Direction(StrEnum):
    """Which way a column moved over some bars."""

    RISING = "rising"
    FALLING = "falling"


@dataclass(frozen=True, slots=True)
class Column:
    """A feature with its parameters.

    Raises
    ------
    BadData
        If the name is unknown, or a parameter missing, unknown or off its grid.
    """

    name: str
    parameters: tuple[tuple[str, float], ...] = ()

    def __post_init__(self) -> None:
        if self.name not in FEATURES:
            raise BadData(f"genome: column is {self.name!r}; it must be one of {sorted(FEATURES)}")
        grids, given = self.feature.parameters, dict(self.parameters)
        if given.keys() != grids.keys():
            wrong = sorted(given.keys() ^ grids.keys())
            raise BadData(f"genome: column {self.name}: parameters missing or unknown: {wrong}")
        clean = tuple((key, grid.member(f"{self.name}.{key}", given[key])) for key, grid in grids.items())
        object.__setattr__(self, "parameters", clean)

    @classmethod
    def of(cls, name: str, **parameters: float) -> Column:
        """A column by keyword: ``Column.of("rsi", length=14)``."""
        return cls(name, tuple(parameters.items()))

    @property
    def feature(self) -> Feature:
        """What the column is."""
        return FEATURES[self.name]

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"name": self.name} | dict(self.parameters)

    def __str__(self) -> str:
        values = ", ".join(f"{value:g}" for _, value in self.parameters)
        return f"{self.name}({values})" if values else self.name


@dataclass(frozen=True, slots=True)
class Threshold:
    """A column against a fixed level of its feature's grid."""

    column: Column
    relation: Relation
    value: float

    def __post_init__(self) -> None:
        grid = self.column.feature.thresholds
        if grid is None:
            raise BadData(
                f"genome: {self.column} is compared with {self.value}; a {self.column.feature.scale} has no "
                "fixed levels, compare it with another column"
            )
        object.__setattr__(self, "value", grid.member(f"level of {self.column}", self.value))

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"column": self.column.plain(), "is": self.relation.value, "value": self.value}

    def __str__(self) -> str:
        return f"{self.column} {_WORDS[self.relation]} {self.value:g}"


@dataclass(frozen=True, slots=True)
class Versus:
    """A column against another one of the same scale."""

    column: Column
    relation: Relation
    other: Column

    def __post_init__(self) -> None:
        one, two = self.column.feature.scale, self.other.feature.scale
        if one is not two or one is Scale.PURE:
            raise BadData(
                f"genome: {self.column} ({one}) is compared with {self.other} ({two}); only columns of one "
                "scale, and not pure numbers, compare"
            )
        if self.column == self.other:
            raise BadData(f"genome: {self.column} is compared with itself")

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"column": self.column.plain(), "is": self.relation.value, "other": self.other.plain()}

    def __str__(self) -> str:
        return f"{self.column} {_WORDS[self.relation]} {self.other}"


@dataclass(frozen=True, slots=True)
class Slope:
    """A column that is higher (lower) than it was ``bars`` bars before."""

    column: Column
    direction: Direction
    bars: int

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "bars", int(SLOPE_BARS.member(f"bars of a slope of {self.column}", self.bars))
        )

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"column": self.column.plain(), "is": self.direction.value, "bars": self.bars}

    def __str__(self) -> str:
        return f"{self.column} {self.direction} over {self.bars}"


@dataclass(frozen=True, slots=True)
class _Combination:
    """Two or more different rules in canonical order; a rule of the same kind inside is taken apart.

    Raises
    ------
    BadData
        If fewer than two different rules remain, or the tree is too deep or has too many leaves.
    """

    parts: tuple[Rule, ...]

    def __post_init__(self) -> None:
        flat: dict[str, Rule] = {}
        for part in self.parts:
            inner = part.parts if type(part) is type(self) else (part,)
            flat |= {plain_json(rule.plain()): rule for rule in inner}
        if len(flat) < 2:
            raise BadData(
                f"genome: {_NAMES[type(self)]!r} has {len(flat)} different rules; it needs two or more"
            )
        object.__setattr__(self, "parts", tuple(flat[key] for key in sorted(flat)))
        if depth(self) > MAXIMUM_DEPTH:
            raise BadData(f"genome: a rule is {depth(self)} levels deep; at most {MAXIMUM_DEPTH}")
        count = len(list(leaves(self)))
        if count > MAXIMUM_LEAVES:
            raise BadData(f"genome: a rule has {count} leaves; at most {MAXIMUM_LEAVES}")

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {_NAMES[type(self)]: [part.plain() for part in self.parts]}


@dataclass(frozen=True, slots=True)
class AllOf(_Combination):
    """Yes when every part is."""

    def __str__(self) -> str:
        return " and ".join(f"({part})" if isinstance(part, AnyOf) else str(part) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf(_Combination):
    """Yes when at least one part is."""

    def __str__(self) -> str:
        return " or ".join(f"({part})" if isinstance(part, AllOf) else str(part) for part in self.parts)


Leaf = Threshold | Versus | Slope
Rule = Leaf | AllOf | AnyOf

_NAMES: Mapping[type, str] = {AllOf: "all", AnyOf: "any"}
_WORDS = {
    Relation.ABOVE: ">",
    Relation.BELOW: "<",
    Relation.CROSSES_ABOVE: "crosses above",
    Relation.CROSSES_BELOW: "crosses below",
}


def leaves(rule: Rule | _Combination) -> Iterator[Leaf]:
    """The comparisons of a rule, left to right."""
    if isinstance(rule, _Combination):
        for part in rule.parts:
            yield from leaves(part)
    else:
        yield rule


def depth(rule: Rule | _Combination) -> int:
    """Levels of combinations above the deepest leaf: 0 for a leaf."""
    return 1 + max(map(depth, rule.parts)) if isinstance(rule, _Combination) else 0


def columns(rule: Rule) -> Iterator[Column]:
    """The columns that a rule reads, repeats included."""
    for leaf in leaves(rule):
        yield leaf.column
        if isinstance(leaf, Versus):
            yield leaf.other
