"""A desk for tests: it always trades, and what it does follows from the bar alone."""

from __future__ import annotations

from dataclasses import dataclass

from trading.desks.candidate import Rule, entry, exit_, held_by, slot_amount
from trading.desks.desk import settings_hash
from trading.model.check import must_be
from trading.model.decision import Decision
from trading.model.interval import Interval
from trading.model.snapshot import Snapshot


@dataclass(frozen=True)
class Turnstile:
    """Sells what it holds, and buys every second symbol: the even ones at one bar, the odd at the next."""

    slot_fraction: float = 0.1
    name: str = "turnstile"

    @property
    def configuration_hash(self) -> str:
        return settings_hash(self.name, self)

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        held = held_by(self.name, snapshot)
        owned = {position.symbol for position in held}
        leaving = Rule(must_be("turn", "now", "now"), "turn_over")
        decisions = [exit_(self, snapshot, position, [leaving]) for position in held]
        bar = snapshot.bar_close_ms // Interval.M15.milliseconds
        for index, symbol in enumerate(sorted(snapshot.symbols)):
            rules = [
                Rule(must_be("turn", "now" if (index + bar) % 2 == 0 else "later", "now"), "not_its_turn"),
                Rule(must_be("held", "yes" if symbol in owned else "no", "no"), "already_held"),
            ]
            amount = slot_amount(snapshot.portfolio.equity, self.slot_fraction)
            decisions.append(entry(self, snapshot, symbol, rules, trigger="turn", quote_amount=amount))
        return decisions
