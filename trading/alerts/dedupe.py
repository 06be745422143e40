"""Whether an alert goes out: repeats and floods are held back, and the reason is kept."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

from annotated_types import Ge, Gt

from trading.alerts.alert import Alert, Severity
from trading.model.interval import MINUTE_MS


@dataclass(frozen=True, slots=True)
class AlertSettings:
    """When alerts are held back.

    Attributes
    ----------
    duplicate_window_minutes
        An alert is a repeat while one of its key, at least as severe, went out this recently.
    rate_window_minutes, max_alerts_per_window
        No more alerts than this go out in any such window; critical ones always do.
    """

    duplicate_window_minutes: Annotated[float, Ge(0)] = 60.0
    rate_window_minutes: Annotated[float, Gt(0)] = 5.0
    max_alerts_per_window: Annotated[int, Gt(0)] = 10


@dataclass(frozen=True, slots=True)
class SentAlert:
    """An alert that went out: history for the next one."""

    key: str
    severity: Severity
    sent_at_ms: int


class Routing(StrEnum):
    """What becomes of an alert."""

    SEND = "send"
    DUPLICATE = "duplicate"
    RATE_LIMITED = "rate_limited"


def route(alert: Alert, sent: Iterable[SentAlert], settings: AlertSettings) -> Routing:
    """Send or hold back one alert, given those that went out recently.

    A repeat that is more severe than what went out before is news, and is sent.

    Parameters
    ----------
    sent
        Alerts that went out, in any order; suppressed ones do not count, so that a lasting incident
        is told again after each window. Those after ``alert.created_at_ms`` are ignored.
    """
    ages = [(item, alert.created_at_ms - item.sent_at_ms) for item in sent]
    duplicate_ms = settings.duplicate_window_minutes * MINUTE_MS
    for item, age_ms in ages:
        if item.key == alert.key and 0 <= age_ms < duplicate_ms and item.severity.rank >= alert.severity.rank:
            return Routing.DUPLICATE
    if alert.severity is Severity.CRITICAL:
        return Routing.SEND
    rate_ms = settings.rate_window_minutes * MINUTE_MS
    recent = sum(0 <= age_ms < rate_ms for _, age_ms in ages)
    return Routing.RATE_LIMITED if recent >= settings.max_alerts_per_window else Routing.SEND
