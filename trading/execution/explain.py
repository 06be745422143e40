"""Why it did not trade, in words: what would have had to be different."""

from __future__ import annotations

from collections.abc import Sequence

from trading.model.decision import Check

_SIGNS = ("≥", "≤", "<", ">", "not one of", "one of", "must be")


def counterfactual(checks: Sequence[Check], *, any_of: bool = False) -> str:
    """What would have had to change for a trade, from the failed checks.

    Parameters
    ----------
    any_of
        True for the triggers of an exit, where one hit is enough; entries need every check.

    Returns
    -------
    str
        One sentence, for example ``would have traded had fork_score been ≥ 0.85 (was 0.71)``.
        Values carry as many digits as it takes to tell them from their limit.
    """
    failed = [check for check in checks if not check.passed]
    if not failed or (any_of and len(failed) < len(checks)):
        return "nothing stood in the way"
    if any_of:
        return "would have traded had any of these held: " + "; ".join(_clause(check) for check in failed)
    return "would have traded had " + " and ".join(_clause(check) for check in failed)


def _clause(check: Check) -> str:
    sign = next((sign for sign in _SIGNS if check.detail.startswith(sign)), "")
    note = check.detail[len(sign) :].strip()
    words = {"must be": "", "": ""}.get(sign, f"{sign} ")
    value, limit = _texts(check.value, check.limit)
    wanted = f"{check.name} been {words}{limit}" if check.limit is not None else f"{check.name} passed"
    return f"{wanted}{f' {note}' if note else ''} (was {value})"


def _texts(value: float | str | None, limit: float | str | None) -> tuple[str, str]:
    """Value and limit as text, with enough digits that different numbers look different."""
    for digits in range(4, 18):
        first, second = _text(value, digits), _text(limit, digits)
        if first != second or value == limit:
            break
    return first, second


def _text(value: float | str | None, digits: int) -> str:
    if value is None:
        return "unknown"
    if isinstance(value, str):
        return value
    # Whole numbers (a timestamp, a count) are shown in full: "1.7e+12" tells nobody anything.
    return str(int(value)) if float(value).is_integer() else format(value, f".{digits}g")
