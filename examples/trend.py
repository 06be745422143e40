"""Follow the 4-hour rating."""

from dataclasses import dataclass

from trading.desks.candidate import Rule, close_of, entry, exit_, held_by, return_fraction, slot_amount
from trading.desks.desk import settings_hash
from trading.model.check import at_least, at_most, must_be, not_one_of
from trading.model.decision import Decision
from trading.model.snapshot import Snapshot


@dataclass(frozen=True)
class TrendDesk:
    minimum_rating: float = 0.5
    target_fraction: float = 0.05
    stop_fraction: float = 0.02
    slot_fraction: float = 0.05
    name: str = "trend"

    @property
    def configuration_hash(self) -> str:
        return settings_hash(self.name, self)

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        held = held_by(self.name, snapshot)
        decisions = []
        for position in held:
            gain = return_fraction(position, close_of(snapshot, position.symbol))
            triggers = [
                Rule(at_most("return_stop", gain, -self.stop_fraction), "stop_loss"),
                Rule(at_least("return_target", gain, self.target_fraction), "take_profit"),
                Rule(at_most("rating_4h", self.rating(snapshot, position.symbol), 0.0), "rating_turned"),
            ]
            decisions.append(exit_(self, snapshot, position, triggers))
        for symbol in sorted(snapshot.symbols):
            owned = any(position.symbol == symbol for position in held)
            rules = [
                Rule(at_least("rating_4h", self.rating(snapshot, symbol), self.minimum_rating), "rating_low"),
                Rule(
                    not_one_of("btc_condition", snapshot.btc_condition, ("bearish", "unknown")), "btc_bearish"
                ),
                Rule(must_be("held", "yes" if owned else "no", "no"), "already_held"),
            ]
            amount = slot_amount(snapshot.portfolio.equity, self.slot_fraction)
            decisions.append(entry(self, snapshot, symbol, rules, trigger="trend", quote_amount=amount))
        return decisions

    def rating(self, snapshot: Snapshot, symbol: str) -> float | None:
        view = snapshot.symbols.get(symbol)
        return view.ratings.get("4h") if view is not None else None
