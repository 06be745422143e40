"""Canonical JSON and the ids derived from it: equal values give equal bytes, everywhere."""

from __future__ import annotations

import hashlib
import json
import math
from decimal import Context, Decimal
from enum import Enum
from typing import Any

# The default context would round amounts of more than 28 digits; the ledger holds 38.
_DIGITS = Context(prec=80)


def _plain(value: Any) -> Any:
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, Decimal):
        return format(value.normalize(_DIGITS), "f") if value else "0"
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, (set, frozenset)):
        return sorted(_plain(item) for item in value)
    return value


def canonical_json(value: Any) -> str:
    """Serialise to one line of JSON: sorted keys, no spaces, Decimals as plain strings, NaN as null.

    Raises
    ------
    TypeError
        If a value has no canonical form (a datetime, say): convert it first.
    """
    return json.dumps(
        _plain(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )


def digest(*parts: Any) -> str:
    """SHA-256 (64 hex digits) of the canonical JSON of the parts."""
    return hashlib.sha256(canonical_json(list(parts)).encode()).hexdigest()


def decision_id(*, desk: str, symbol: str, bar_close_ms: int, action: str, configuration_hash: str) -> str:
    """Deterministic id of a decision (32 hex digits): the same tick always gives the same id."""
    return digest("decision", desk, symbol, bar_close_ms, action, configuration_hash)[:32]


def client_order_id(decision: str, leg: int = 0) -> str:
    """Venue-legal client order id (at most 36 characters of [a-z0-9-]), one per leg of a decision."""
    return f"tm-{digest('order', decision, leg)[:32]}"
