"""What goes wrong with the events of one stream, as the settings plan it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from apps.sandbox.trading.faults import Draws
from apps.sandbox.trading.settings import TradingFaults

Event = dict[str, Any]
_LATE_BY = 3


@dataclass(slots=True)
class _Held:
    event: Event
    others: int


class EventFaults:
    """Sends events twice, late or out of order.

    Parameters
    ----------
    draws
        Shared by every connection of an account, so that a new one does not meet the same fate again.
    stream
        Name of the account's stream.
    """

    def __init__(self, settings: TradingFaults, draws: Draws, stream: str) -> None:
        self._settings = settings
        self._draws = draws
        self._stream = stream
        self._held: list[_Held] = []

    def drops(self) -> bool:
        """Whether the connection ends before the next event."""
        return self._drawn("drop", self._settings.stream_drop_fraction)

    def passed_on(self, event: Event) -> list[Event]:
        """What goes out when an event happens."""
        ready = self._after_another()
        if self._drawn("late", self._settings.event_late_fraction):
            self._held.append(_Held(event, _LATE_BY))
            return ready
        if self._drawn("reorder", self._settings.event_reordered_fraction):
            self._held.append(_Held(event, 1))
            return ready
        twice = self._drawn("duplicate", self._settings.event_duplicate_fraction)
        return [event, event, *ready] if twice else [event, *ready]

    def flushed(self) -> list[Event]:
        """Everything held back, when nothing else has come for a while."""
        held, self._held = self._held, []
        return [item.event for item in held]

    def _after_another(self) -> list[Event]:
        for item in self._held:
            item.others -= 1
        ready = [item.event for item in self._held if item.others <= 0]
        self._held = [item for item in self._held if item.others > 0]
        return ready

    def _drawn(self, purpose: str, fraction: float) -> bool:
        return bool(fraction) and self._draws.next(f"{self._stream}/{purpose}") < fraction
