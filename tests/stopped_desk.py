"""A desk for tests that always trades, and protects what it buys at the venue."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.turnstile_desk import Turnstile
from trading.model.decision import Action, Decision
from trading.model.snapshot import Snapshot


@dataclass(frozen=True)
class Stopped(Turnstile):
    """A turnstile whose entries are given up, or taken home, so far from the close of their bar."""

    name: str = "stopped"
    stop_fraction: float = 0.2
    target_fraction: float = 0.3

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        return [
            replace(
                each,
                stop_price=each.reference_price * (1 - self.stop_fraction),
                take_profit_price=each.reference_price * (1 + self.target_fraction),
            )
            if each.action is Action.ENTER
            else each
            for each in super().decide(snapshot)
        ]
