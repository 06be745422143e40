"""The daily review: points, a grade, what to do, and how much money a strategy may use."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from trading.factory.lifecycle.settings import ReviewSettings
from trading.factory.lifecycle.track import TrackRecord
from trading.factory.lifecycle.weights import clamped, weighted


class Grade(StrEnum):
    """How well a strategy trades; best first."""

    A_PLUS = "A+"
    A = "A"
    B = "B"
    C = "C"
    D = "D"
    NONE = "none"  # too few trades to say


class Action(StrEnum):
    """What the review wants done."""

    KEEP = "keep"
    OPTIMISE = "optimise"  # its neighbours are tried tonight
    MODIFY = "modify"  # so are its children
    REPLACE = "replace"  # its place goes to whoever is next
    PAUSE = "pause"


#: Points of each part; they add up to 100.
POINTS: Mapping[str, float] = MappingProxyType(
    {"sharpe": 40.0, "drawdown": 25.0, "win": 15.0, "degradation": 20.0}
)
#: Lowest score of each grade, what follows, and how the allocation changes.
_LADDER = (
    (Grade.A_PLUS, 85.0, Action.KEEP, 0.20),
    (Grade.A, 70.0, Action.KEEP, 0.05),
    (Grade.B, 50.0, Action.OPTIMISE, 0.0),
    (Grade.C, 30.0, Action.MODIFY, -0.30),
    (Grade.D, 0.0, Action.REPLACE, -0.70),
)


@dataclass(frozen=True, slots=True)
class Review:
    """What a review found.

    Attributes
    ----------
    score
        0 to 100; NaN without a grade.
    points
        Points of each known part.
    missing
        Parts that are not known: the score is of the others alone.
    allocation_before, allocation_after
        Multiples of the desk's ordinary slot.
    reasons
        In words, the deciding one first.
    """

    grade: Grade
    score: float
    points: dict[str, float]
    missing: tuple[str, ...]
    action: Action
    allocation_before: float
    allocation_after: float
    reasons: tuple[str, ...]


def review(
    record: TrackRecord,
    settings: ReviewSettings,
    *,
    backtest_sharpe: float,
    allocation: float = 1.0,
    previous: Grade = Grade.NONE,
) -> Review:
    """Grade a strategy's own trades.

    Parameters
    ----------
    backtest_sharpe
        Annualised Sharpe ratio that its back-test promised; NaN if unknown.
    allocation
        What it may use now.
    previous
        Grade of the review before: a second D in a row pauses.
    """
    if record.trades < settings.minimum_trades:
        reason = f"{record.trades} closed trades in {record.days} days; {settings.minimum_trades} are needed to grade"
        return Review(Grade.NONE, math.nan, {}, (), Action.KEEP, allocation, allocation, (reason,))
    found = weighted(_parts(record, settings, backtest_sharpe), POINTS)
    score = 100 * found.score
    grade, lowest, action, change = next(
        (step for step in _LADDER if score >= step[1]),
        _LADDER[-1],  # nothing known: NaN is above nothing
    )
    reasons = [f"grade {grade}: {score:.1f} points, {lowest:g} or more"]
    if grade is Grade.D:
        reasons = [f"grade {grade}: {score:.1f} points, below {_LADDER[-2][1]:g}"]
    if found.missing:
        reasons.append(f"unknown and left out: {', '.join(found.missing)}")
    if pause := _pause(record, settings, grade, previous):
        action, change = Action.PAUSE, _LADDER[-1][3]
        reasons.insert(0, pause)
    after = min(max(allocation * (1 + change), settings.smallest_allocation), settings.largest_allocation)
    points = {name: POINTS[name] * part for name, part in found.parts.items()}
    return Review(grade, score, points, found.missing, action, allocation, after, tuple(reasons))


def _parts(record: TrackRecord, settings: ReviewSettings, backtest_sharpe: float) -> dict[str, float]:
    span = settings.full_win_fraction - settings.lowest_win_fraction
    return {
        "sharpe": clamped(record.sharpe / settings.full_sharpe),
        "drawdown": clamped(1 - record.max_drawdown_fraction / settings.drawdown_limit_fraction),
        "win": clamped((record.win_fraction - settings.lowest_win_fraction) / span),
        "degradation": clamped(record.sharpe / backtest_sharpe) if backtest_sharpe > 0 else math.nan,
    }


def _pause(record: TrackRecord, settings: ReviewSettings, grade: Grade, previous: Grade) -> str:
    limit = settings.drawdown_limit_fraction
    if record.max_drawdown_fraction >= limit and not record.total_return_fraction > 0:
        return f"drawdown {record.max_drawdown_fraction:.1%} at a loss, {limit:.0%} is the limit"
    if grade is Grade.D and previous is Grade.D:
        return "second D in a row"
    return ""
