"""The values that a number in a genome may take."""

from __future__ import annotations

from dataclasses import dataclass

from trading.errors import BadData

_HUGE = 1e15


@dataclass(frozen=True, slots=True)
class Grid:
    """``low``, ``low + step``, … up to ``high``.

    A grid, not a continuum: a column is computed once per distinct value, and two genomes that
    differ in the sixth decimal are one trial, not two.
    """

    low: float
    high: float
    step: float

    @property
    def whole(self) -> bool:
        """Whether every value is an integer."""
        return float(self.low).is_integer() and float(self.step).is_integer()

    @property
    def count(self) -> int:
        """How many values there are."""
        return round((self.high - self.low) / self.step) + 1

    def value(self, index: int) -> float:
        """The value at a grid index: an int on a whole grid."""
        number = round(self.low + index * self.step, 6) + 0.0  # turns -0.0 into 0.0: one value, one text
        return int(number) if self.whole else number

    def nearest(self, number: float) -> float:
        """The value nearest to a number, inside the grid."""
        return self.value(min(max(round((number - self.low) / self.step), 0), self.count - 1))

    def member(self, name: str, number: object) -> float:
        """The number as its grid writes it, so that 30 and 30.0 are one value.

        Raises
        ------
        BadData
            If it is not a number, or not on the grid.
        """
        if isinstance(number, bool) or not isinstance(number, (int, float)):
            raise BadData(f"genome: {name} is {number!r}; it must be a number")
        # NaN, infinities and integers beyond any float have no nearest value.
        if not -_HUGE < number < _HUGE or self.nearest(number) != number:
            raise BadData(
                f"genome: {name} is {number}; it must lie on the grid {self.low} to {self.high} by {self.step}"
            )
        return self.nearest(number)
