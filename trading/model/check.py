"""Constructors of checks: each states its comparison once, so that value, limit and sign agree.

The comparison sign leads ``Check.detail`` (``"≥"``, ``"≤ of equity"``), which is what lets a reader,
or `trading.execution.explain`, say what would have had to change.
"""

from __future__ import annotations

import math
from collections.abc import Collection
from decimal import Decimal

from trading.model.decision import Check

AT_LEAST = "≥"
AT_MOST = "≤"
BELOW = "<"
ABOVE = ">"
ONE_OF = "one of"
NOT_ONE_OF = "not one of"
MUST_BE = "must be"


def known(value: float | Decimal | None) -> float | None:
    """The value as a float, or None where it is missing, NaN or infinite."""
    if value is None or not math.isfinite(value):
        return None
    return float(value)


def _compare(name: str, sign: str, value: float | Decimal | None, limit: float | Decimal, note: str) -> Check:
    number, bound = known(value), known(limit)
    if value is None or number is None or bound is None:
        passed = False
    elif sign == AT_LEAST:
        passed = bool(value >= limit)
    elif sign == AT_MOST:
        passed = bool(value <= limit)
    else:
        passed = bool(value < limit)
    return Check(name, passed, number, bound, f"{sign} {note}".strip())


def at_least(name: str, value: float | Decimal | None, limit: float | Decimal, note: str = "") -> Check:
    """Passes when ``value >= limit``; an unknown value fails. Decimals are compared exactly."""
    return _compare(name, AT_LEAST, value, limit, note)


def at_most(name: str, value: float | Decimal | None, limit: float | Decimal, note: str = "") -> Check:
    """Passes when ``value <= limit``; an unknown value fails. Decimals are compared exactly."""
    return _compare(name, AT_MOST, value, limit, note)


def below(name: str, value: float | Decimal | None, limit: float | Decimal, note: str = "") -> Check:
    """Passes when ``value < limit``; an unknown value fails. Decimals are compared exactly."""
    return _compare(name, BELOW, value, limit, note)


def one_of(name: str, value: str | None, allowed: Collection[str], note: str = "") -> Check:
    """Passes when the text is among the allowed ones; missing or empty text fails."""
    limit = ", ".join(sorted(allowed))
    return Check(name, bool(value) and value in allowed, value or None, limit, f"{ONE_OF} {note}".strip())


def not_one_of(name: str, value: str | None, forbidden: Collection[str], note: str = "") -> Check:
    """Passes when the text is known and not among the forbidden ones; missing or empty text fails."""
    limit = ", ".join(sorted(forbidden))
    passed = bool(value) and value not in forbidden
    return Check(name, passed, value or None, limit, f"{NOT_ONE_OF} {note}".strip())


def must_be(name: str, value: str | None, wanted: str, note: str = "") -> Check:
    """Passes when the text equals the wanted one; missing text fails."""
    return Check(name, value == wanted, value, wanted, f"{MUST_BE} {note}".strip())
