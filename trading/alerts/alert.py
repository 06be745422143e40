"""What an alert is."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Severity(StrEnum):
    """How much it matters, least first."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"

    @property
    def rank(self) -> int:
        """0 for the least."""
        return list(Severity).index(self)


@dataclass(frozen=True, slots=True)
class Alert:
    """One message for a person.

    Attributes
    ----------
    key
        What the alert is about (``stale_data:BTCUSDT``); equal keys are repeats of one incident.
    """

    key: str
    severity: Severity
    title: str
    body: str
    created_at_ms: int
