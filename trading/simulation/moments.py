"""Moments of the settings: dates and times as text, read as UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

from trading.errors import FixConfiguration
from trading.model.interval import DAY_MS


def day_named(text: str, setting: str) -> date:
    """Day written as an ISO date; ``setting`` is named when it cannot be read."""
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FixConfiguration(f"market.{setting} is {text!r}; write a date as 2024-06-01") from error


def moment_named(text: str, setting: str) -> int:
    """Moment (ms) written in ISO 8601, UTC without an offset."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FixConfiguration(
            f"market.{setting} has {text!r}; write a moment as 2026-01-02T03:04"
        ) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1000


def midnight_ms(day: date) -> int:
    """First moment (ms) of a UTC day."""
    return (day - date(1970, 1, 1)) // timedelta(days=1) * DAY_MS
