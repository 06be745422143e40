"""What the nightly suite found."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Outcome:
    """One expectation of one table.

    Attributes
    ----------
    table, column
        What it is about; the column is empty for the table as a whole.
    about
        In words.
    expectation
        Great Expectations' name of it.
    observed, limits
        As text; ``observed`` says what went wrong when the expectation could not be evaluated.
    """

    table: str
    column: str
    about: str
    expectation: str
    succeeded: bool
    observed: str
    limits: str


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """The suite over one day.

    Attributes
    ----------
    index
        ``index.html`` of the Data Docs of the day.
    left_out
        Why expectations were not made: no month to compare with, or nothing stored.
    """

    day: date
    outcomes: tuple[Outcome, ...]
    left_out: tuple[str, ...]
    index: Path

    @property
    def failed(self) -> tuple[Outcome, ...]:
        """The expectations that were not met."""
        return tuple(outcome for outcome in self.outcomes if not outcome.succeeded)

    @property
    def succeeded(self) -> bool:
        """Whether every expectation was met."""
        return not self.failed
