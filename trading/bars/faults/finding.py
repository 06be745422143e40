"""What a judgement of bars says: the kind of fault, how bad it is, the rows and the reason in words."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

import polars as pl

#: What a finding means: ``block`` stops everything downstream, ``warn`` is only shown.
Severity = Literal["block", "warn"]
SAMPLE_ROWS = 20


class FaultKind(StrEnum):
    """What can be wrong with bars, or with the file that they came in."""

    GAP = "gap"
    DUPLICATE = "duplicate"
    UNIT_SWITCH = "unit_switch"
    OFF_GRID = "off_grid"
    SWAPPED_COLUMNS = "swapped_columns"
    SPIKE = "spike"
    STALE_REPEAT = "stale_repeat"
    NEGATIVE_VOLUME = "negative_volume"
    HIGH_BELOW_LOW = "high_below_low"
    IMPOSSIBLE_NUMBER = "impossible_number"
    UNCLOSED_BAR = "unclosed_bar"
    WRONG_SYMBOL = "wrong_symbol"
    PRICE_BREAK = "price_break"
    TRUNCATED_FILE = "truncated_file"
    BAD_CHECKSUM = "bad_checksum"
    UNREADABLE = "unreadable"
    GENERATED = "generated"
    MISLABELLED = "mislabelled"


@dataclass(frozen=True, slots=True)
class Finding:
    """One fault of one symbol.

    Attributes
    ----------
    rows
        The first of the rows concerned, at most 20; empty where the fault is not one of rows.
    count
        How many rows (for a gap: bars) are concerned.
    reason
        What was measured, and what it may be.
    """

    kind: FaultKind
    severity: Severity
    symbol: str
    rows: pl.DataFrame
    count: int
    reason: str


def found(
    rows: pl.DataFrame, kind: FaultKind, severity: Severity, reason: str | Callable[[pl.DataFrame], str]
) -> list[Finding]:
    """One finding per symbol among the offending rows; columns that begin with ``_`` are left out.

    ``reason`` may be made from the symbol's offending rows, with all their columns.
    """
    if rows.is_empty():
        return []
    return [
        Finding(
            kind,
            severity,
            part["symbol"][0],
            part.head(SAMPLE_ROWS).select(pl.exclude("^_.*$")),
            part.height,
            reason if isinstance(reason, str) else reason(part),
        )
        for part in rows.partition_by("symbol", maintain_order=True)
    ]
