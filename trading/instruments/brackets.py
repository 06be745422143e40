"""Whether a future's margin schedule makes sense."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import pairwise

from trading.errors import BadData
from trading.model.instrument import MarginBracket

#: Largest step of the maintenance margin between two brackets, in quote: a cent of rounding.
_STEP_LIMIT = Decimal("0.01")


def check_schedule(symbol: str, brackets: Sequence[MarginBracket]) -> None:
    """Refuse a schedule that leaves positions without a rule, or with a margin that jumps.

    The brackets follow each other without a hole from 0 on; leverage never rises and the maintenance
    share never falls with the position. Maintenance margin, ``notional * fraction - amount``, is
    continuous: each amount is the one before plus ``floor * (fraction - fraction before)``.

    Raises
    ------
    BadData
        Naming the symbol, the bracket (from 1) and the values.
    """
    if not brackets:
        return
    nothing = replace(
        brackets[0], floor_notional=Decimal(0), cap_notional=Decimal(0), maintenance_amount=Decimal(0)
    )
    for number, (before, item) in enumerate(pairwise([nothing, *brackets]), start=1):
        where = f"margin bracket {number} of {symbol}"
        if item.floor_notional != before.cap_notional or item.cap_notional <= item.floor_notional:
            raise BadData(
                f"{where} holds from {item.floor_notional} to {item.cap_notional}, expected a range that "
                f"starts at {before.cap_notional}; fetch the schedule again"
            )
        if not 1 <= item.max_leverage <= before.max_leverage:
            raise BadData(
                f"{where} allows leverage {item.max_leverage}, expected 1 to {before.max_leverage}; "
                "fetch the schedule again"
            )
        if not before.maintenance_fraction <= item.maintenance_fraction < 1 or not item.maintenance_fraction:
            raise BadData(
                f"{where} asks for the share {item.maintenance_fraction}, expected at least "
                f"{before.maintenance_fraction}, above 0 and below 1; fetch the schedule again"
            )
        step = (item.maintenance_fraction - before.maintenance_fraction) * item.floor_notional
        expected = before.maintenance_amount + step
        if abs(item.maintenance_amount - expected) > _STEP_LIMIT:
            raise BadData(
                f"{where} deducts {item.maintenance_amount}, expected {expected}, or the margin would jump "
                f"at {item.floor_notional}; fetch the schedule again"
            )
