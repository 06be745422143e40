"""Breaks: what ledger and venue disagree on, with the figures of both sides."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class BreakKind(StrEnum):
    """What disagrees."""

    POSITION = "position"
    COIN = "coin"
    CASH = "cash"
    ORDER_DIFFERS = "order_differs"
    ORDER_MISSING = "order_missing"
    ORDER_ALIVE = "order_alive"
    ORPHAN_ORDER = "orphan_order"
    FOREIGN_ORDER = "foreign_order"
    FILL_DIFFERS = "fill_differs"
    FILL_REFUSED = "fill_refused"
    MOVE_DIFFERS = "move_differs"
    OFFSET = "offset"


class BreakSeverity(StrEnum):
    """Whether a break forbids new risk while it is open, or people only hear of it."""

    BLOCKS = "blocks"
    ALERTS = "alerts"


@dataclass(frozen=True, slots=True)
class Break:
    """One disagreement. Kind and subject are its identity while it lasts; the figures may change.

    Attributes
    ----------
    subject
        The symbol, currency, order, fill or movement that it is about.
    symbol
        Where a blocking break forbids new risk; empty for the whole account.
    ours, theirs
        The figures of ledger and venue; ``absent`` where a side has nothing.
    """

    kind: BreakKind
    subject: str
    symbol: str
    severity: BreakSeverity
    ours: str
    theirs: str

    @property
    def key(self) -> tuple[BreakKind, str]:
        """Identity of the break while it lasts."""
        return self.kind, self.subject


ABSENT = "absent"


def shown(value: Decimal | None) -> str:
    """An exact figure as text without trailing zeros; ``absent`` for none."""
    if value is None:
        return ABSENT
    text = format(value, "f")
    text = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if text in {"", "-0"} else text
