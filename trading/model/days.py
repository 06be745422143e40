"""UTC days and their bounds in milliseconds since the epoch."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta


def start_ms(day: date) -> int:
    """Midnight UTC at the start of a day."""
    return int(datetime.combine(day, time(), UTC).timestamp() * 1000)


def end_ms(day: date) -> int:
    """Midnight UTC at the end of a day, exclusive."""
    return start_ms(day + timedelta(days=1))


def day_at(moment_ms: int) -> date:
    """The UTC day that a moment lies in."""
    return datetime.fromtimestamp(moment_ms / 1000, UTC).date()


def days_between(first: date, last: date) -> list[date]:
    """Every day from first to last, both included."""
    return [first + timedelta(days=offset) for offset in range((last - first).days + 1)]
