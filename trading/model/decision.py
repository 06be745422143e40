"""Decisions, checks and risk verdicts: what was considered, and why it went the way it did."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum


class Action(StrEnum):
    """What a decision would do to the position."""

    ENTER = "enter"
    EXIT = "exit"


class Direction(StrEnum):
    """Which way an entry goes. A short is possible on a derivatives market only."""

    LONG = "long"
    SHORT = "short"


class Outcome(StrEnum):
    """Whether a desk wants to act. Skipped candidates are recorded like fired ones."""

    FIRED = "fired"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Check:
    """One test with its value and limit, so that a reader sees how close it was.

    ``value`` and ``limit`` are None when unknown; an unknown value never passes a check that
    guards new exposure.
    """

    name: str
    passed: bool
    value: float | str | None
    limit: float | str | None
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Decision:
    """One candidate that one desk considered at one tick, fired or skipped.

    Attributes
    ----------
    reason_code
        The first failing check of a skipped candidate; the trigger of a fired one.
    quote_amount
        Wanted size in quote currency for an entry; 0 for an exit (exits sell the whole lot held
        by the desk and strategy) and for a skipped candidate.
    reference_price
        Close of the decision bar, as the desk saw it.
    inputs
        The numbers that the desk looked at, by name (JSON-safe scalars).
    direction
        Of an entry, or of the holding that an exit closes.
    stop_price, take_profit_price
        Prices (quote) at which orders that rest at the venue give an entry up or take it home; NaN: none.
    """

    decision_id: str
    tick_id: str
    snapshot_id: str
    desk: str
    strategy_id: str
    symbol: str
    action: Action
    outcome: Outcome
    reason_code: str
    bar_close_ms: int
    quote_amount: Decimal
    reference_price: float
    checks: tuple[Check, ...]
    inputs: dict[str, float | str | bool | None] = field(default_factory=dict)
    direction: Direction = Direction.LONG
    stop_price: float = math.nan
    take_profit_price: float = math.nan


class VerdictKind(StrEnum):
    """What the risk gate said of a fired decision."""

    APPROVED = "approved"
    SHRUNK = "shrunk"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Verdict:
    """The risk gate's answer: every check with value and limit, and the amount allowed."""

    decision_id: str
    kind: VerdictKind
    reason_code: str
    quote_amount: Decimal
    checks: tuple[Check, ...]
