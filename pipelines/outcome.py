"""What a daily run or a backfill reports to the person who started it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date

#: Called as a run goes on: (what is being done, steps done, steps in all).
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class RunLine:
    """One Dagster run: its job, id, duration and end."""

    job: str
    run_id: str
    seconds: float
    succeeded: bool
    error: str = ""


@dataclass(frozen=True, slots=True)
class CheckLine:
    """One asset check evaluation of the runs."""

    asset: str
    check: str
    passed: bool
    blocking: bool
    severity: str
    description: str

    @property
    def effect(self) -> str:
        """What a failure did: a blocking check whose finding is mild only warns."""
        return "stopped what follows" if self.blocking and self.severity == "ERROR" else "warned"


@dataclass(frozen=True, slots=True)
class DailyOutcome:
    """What `run_daily` did.

    Attributes
    ----------
    bar_close_ms
        Close of the bar that was, or would have been, decided on.
    tick_id
        None when nothing was decided: a run failed, a check blocked, or the day is history.
    traded
        Whether the day is the latest closed one; an older day is computed and never traded.
    """

    day: date
    bar_close_ms: int
    tick_id: str | None
    traded: bool
    runs: tuple[RunLine, ...]
    checks: tuple[CheckLine, ...]
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether every run ended well and, on the latest day, a decision was made."""
        return all(run.succeeded for run in self.runs) and (self.tick_id is not None or not self.traded)


@dataclass(frozen=True, slots=True)
class BackfillOutcome:
    """What `run_backfill` did."""

    first_day: date
    last_day: date
    runs: tuple[RunLine, ...]
    checks: tuple[CheckLine, ...]
    seconds: float

    @property
    def succeeded(self) -> bool:
        """Whether every run ended well."""
        return all(run.succeeded for run in self.runs)
