"""Margins of futures positions: the schedule, maintenance margin and liquidation price."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from apps.sandbox.trading.orders import ZERO
from apps.sandbox.trading.usdm.positions import Position
from trading.model.instrument import MarginBracket

#: Largest leverage and maintenance share up to a position value (quote); the sandbox's own figures.
_STEPS = (
    (50_000, 100, "0.005"),
    (250_000, 50, "0.01"),
    (1_000_000, 25, "0.02"),
    (5_000_000, 20, "0.025"),
    (20_000_000, 10, "0.05"),
    (50_000_000, 5, "0.1"),
    (100_000_000, 2, "0.25"),
    (200_000_000, 1, "0.5"),
)


def _schedule(steps: Iterable[tuple[int, int, str]]) -> tuple[MarginBracket, ...]:
    found: list[MarginBracket] = []
    floor, fraction, amount = ZERO, ZERO, ZERO
    for cap, leverage, text in steps:
        amount += floor * (Decimal(text) - fraction)
        fraction = Decimal(text)
        found.append(MarginBracket(floor, Decimal(cap), leverage, fraction, amount))
        floor = Decimal(cap)
    return tuple(found)


#: Margin schedule of every contract of the sandbox.
BRACKETS = _schedule(_STEPS)
#: What a liquidation takes of what is left, as a share of the position's value.
CLEARANCE_FRACTION = Decimal("0.012")


def bracket(notional: Decimal) -> MarginBracket:
    """The step that a position value (quote) falls into; the last one beyond the end."""
    return next((item for item in BRACKETS if notional <= item.cap_notional), BRACKETS[-1])


def largest_notional(leverage: int) -> Decimal:
    """Largest position value (quote) that a leverage may be used for."""
    return max((item.cap_notional for item in BRACKETS if item.max_leverage >= leverage), default=ZERO)


def maintenance(notional: Decimal) -> Decimal:
    """Margin (quote) below which a position of a value is liquidated."""
    step = bracket(notional)
    return notional * step.maintenance_fraction - step.maintenance_amount


def liquidation_price(position: Position, margin: Decimal, mark: Decimal) -> Decimal:
    """Price at which the margin is down to the maintenance margin; 0 when no price above zero does it.

    Parameters
    ----------
    margin
        Wallet (quote) that stands for the position, less what other positions need and have lost.
    mark
        Price that tells the step of the schedule.

    Notes
    -----
    From ``margin + amount * P - cost = |amount| * P * fraction - deduction``, solved for P.
    """
    if not position.amount:
        return ZERO
    step = bracket(position.worth(mark))
    slope = abs(position.amount) * step.maintenance_fraction - position.amount
    return max(ZERO, (margin - position.cost + step.maintenance_amount) / slope)
