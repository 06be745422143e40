"""Rows by a list of keys that may be long."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from warehouse.ledger.backend import Transaction

_KEYS_PER_QUERY = 500


def in_chunks(
    tx: Transaction, select: str, keys: Collection[str], params: Mapping[str, Any] | None = None
) -> Iterator[dict[str, Any]]:
    """The rows of a query that ends in ``in``, for every key once, some hundred keys at a time."""
    wanted = sorted(set(keys))
    for start in range(0, len(wanted), _KEYS_PER_QUERY):
        named = {f"key{number}": key for number, key in enumerate(wanted[start : start + _KEYS_PER_QUERY])}
        places = ", ".join(f":{name}" for name in named)
        yield from tx.query(f"{select} ({places})", {**(params or {}), **named})
