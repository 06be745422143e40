"""Repeats and floods are held back; escalations and critical alerts are not."""

import pytest

from trading.alerts.alert import Alert, Severity
from trading.alerts.dedupe import AlertSettings, Routing, SentAlert, route

SETTINGS = AlertSettings(duplicate_window_minutes=60, rate_window_minutes=5, max_alerts_per_window=3)
NOW = 10**12
MINUTE = 60_000


def alert(severity: Severity = Severity.WARNING, key: str = "stale:AAA") -> Alert:
    return Alert(key, severity, "title", "body", NOW)


def sent(minutes_ago: float, severity: Severity = Severity.WARNING, key: str = "stale:AAA") -> SentAlert:
    return SentAlert(key, severity, NOW - int(minutes_ago * MINUTE))


def test_the_first_alert_goes_out() -> None:
    assert route(alert(), [], SETTINGS) is Routing.SEND


@pytest.mark.parametrize(
    ("minutes_ago", "expected"),
    [(0, Routing.DUPLICATE), (59.999, Routing.DUPLICATE), (60, Routing.SEND), (-1, Routing.SEND)],
)
def test_a_repeat_within_the_window_is_held_back(minutes_ago: float, expected: Routing) -> None:
    assert route(alert(), [sent(minutes_ago)], SETTINGS) is expected


def test_another_key_is_no_repeat() -> None:
    assert route(alert(), [sent(1, key="stale:BBB")], SETTINGS) is Routing.SEND


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        (Severity.WARNING, Severity.CRITICAL, Routing.SEND),
        (Severity.INFO, Severity.WARNING, Routing.SEND),
        (Severity.CRITICAL, Severity.CRITICAL, Routing.DUPLICATE),
        (Severity.CRITICAL, Severity.INFO, Routing.DUPLICATE),
    ],
)
def test_an_escalation_is_news(before: Severity, now: Severity, expected: Routing) -> None:
    assert route(alert(now), [sent(1, before)], SETTINGS) is expected


@pytest.mark.parametrize(
    ("ages", "expected"),
    [
        ((0, 1), Routing.SEND),
        ((0, 1, 4.999), Routing.RATE_LIMITED),
        ((0, 1, 5), Routing.SEND),
        ((0, 1, -1), Routing.SEND),
    ],
)
def test_a_flood_is_held_back_until_the_window_has_room(ages: tuple[float, ...], expected: Routing) -> None:
    history = [sent(age, key=f"other:{age}") for age in ages]
    assert route(alert(), history, SETTINGS) is expected
    assert route(alert(Severity.CRITICAL), history, SETTINGS) is Routing.SEND


def test_a_repeat_in_a_flood_is_named_a_repeat() -> None:
    history = [sent(1), *(sent(1, key=str(number)) for number in range(5))]
    assert route(alert(), history, SETTINGS) is Routing.DUPLICATE
