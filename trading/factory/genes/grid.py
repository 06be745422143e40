"""The values that a number in a genome may take."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from trading.errors import BadData


@dataclass(frozen=True, slots=True)
class Grid:
    """``low``, ``low + step``, … up to ``high``.

    A grid, not a continuum: a column is computed once per distinct value, and two genomes that
    differ in the sixth decimal are one trial, not two.
    """

    low: float
    high: float
    step: float
    #: Its values in their order, each as a key of itself: an int on a whole grid.
    _values: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _members: Mapping[float, float] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        count = round((self.high - self.low) / self.step) + 1
        values = tuple(self._written(index) for index in range(count))
        object.__setattr__(self, "_values", values)
        object.__setattr__(self, "_members", {value: value for value in values})

    @property
    def whole(self) -> bool:
        """Whether every value is an integer."""
        return float(self.low).is_integer() and float(self.step).is_integer()

    @property
    def count(self) -> int:
        """How many values there are."""
        return len(self._values)

    def value(self, index: int) -> float:
        """The value at a grid index: an int on a whole grid."""
        return self._values[index]

    def nearest(self, number: float) -> float:
        """The value nearest to a number, inside the grid."""
        return self._values[min(max(round((number - self.low) / self.step), 0), len(self._values) - 1)]

    def _written(self, index: int) -> float:
        number = round(self.low + index * self.step, 6) + 0.0  # turns -0.0 into 0.0: one value, one text
        return int(number) if self.whole else number

    def member(self, name: str, number: object) -> float:
        """The number as its grid writes it, so that 30 and 30.0 are one value.

        Raises
        ------
        BadData
            If it is not a number, or not on the grid.
        """
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadData(f"genome: {name} is {number!r}; it must be a number")
        found = self._members.get(number)
        if found is None:
            raise BadData(
                f"genome: {name} is {number}; it must lie on the grid {self.low} to {self.high} by {self.step}"
            )
        return found
