"""Canonical JSON of what is plain already: rules and genomes are written tens of thousands of times a night."""

from __future__ import annotations

import json
from typing import Any

_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def plain_json(value: Any) -> str:
    """`trading.model.canonical.canonical_json` of text, finite numbers, None, and lists and dicts of them.

    The bytes are the same, without the pass that makes other values plain.

    Raises
    ------
    TypeError, ValueError
        If a value is of another kind, or a number not finite.
    """
    return _ENCODER.encode(value)
