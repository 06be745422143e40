"""The genome desk: trades the generated strategies that are on paper, a small slot each.

What it decides at a close is what the back-test with watched stops decides there (see
docs/concepts/backtest-engine.md): stop, trailing stop and target are measured from the average cost, against
closes. A position whose strategy is no longer on paper has lost its exits, so it is closed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated

from annotated_types import Gt, Le

from trading.desks.candidate import (
    Inputs,
    Rule,
    close_of,
    entry,
    exit_,
    held_by,
    return_fraction,
    slot_amount,
    symbols_under_way,
)
from trading.desks.desk import settings_hash
from trading.model.check import at_least, at_most, known, must_be
from trading.model.decision import Decision
from trading.model.interval import Interval
from trading.model.snapshot import PaperStrategy, Position, Snapshot

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class GenomeDeskSettings:
    """Settings of the genome desk.

    Attributes
    ----------
    slot_fraction
        Share of equity that one entry asks for.
    max_positions_per_strategy
        Most positions that one strategy holds at once.
    max_open_positions
        Most positions of all strategies together.
    """

    slot_fraction: Annotated[float, Gt(0), Le(1)] = 0.02
    max_positions_per_strategy: Annotated[int, Gt(0)] = 3
    max_open_positions: Annotated[int, Gt(0)] = 20


class GenomeDesk:
    """Decides on the signals and positions of every paper strategy, each by its own genome."""

    name = "genome"

    def __init__(self, settings: GenomeDeskSettings | None = None) -> None:
        self.settings = settings or GenomeDeskSettings()
        self.configuration_hash = settings_hash(self.name, self.settings)

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        """Exits of held positions, then entries by strategy and symbol; free slots go in that order."""
        held = held_by(self.name, snapshot)
        strategies = {item.strategy_id: item for item in snapshot.strategies}
        decisions = [self._exit(snapshot, item, strategies.get(item.strategy_id)) for item in held]
        open_count = len(held) + symbols_under_way(snapshot)
        for strategy_id in sorted(strategies):
            strategy = strategies[strategy_id]
            own = [item.symbol for item in held if item.strategy_id == strategy_id]
            own_count = len(own)
            for symbol in sorted(set(strategy.entry_symbols)):
                decision = self._entry(snapshot, strategy, symbol, own, own_count, open_count)
                decisions.append(decision)
                if decision.outcome == "fired":
                    own_count, open_count = own_count + 1, open_count + 1
        return decisions

    def _entry(
        self,
        snapshot: Snapshot,
        strategy: PaperStrategy,
        symbol: str,
        own: list[str],
        own_count: int,
        open_count: int,
    ) -> Decision:
        settings, close = self.settings, close_of(snapshot, symbol)
        complete = "complete" if _number(strategy, "stop_fraction") > 0 else "missing stop_fraction"
        present = "missing close" if known(close) is None else "present"
        contradicted = "yes" if symbol in strategy.exit_symbols else "no"
        rules = (
            Rule(must_be("data", present, "present"), "data_missing"),
            Rule(must_be("genome", complete, "complete", "stop known"), "genome_incomplete"),
            Rule(must_be("exit_signal", contradicted, "no"), "exit_signal"),
            Rule(must_be("held", "yes" if symbol in own else "no", "no"), "already_held"),
            Rule(
                at_most("strategy_positions", own_count + 1, settings.max_positions_per_strategy),
                "max_positions_per_strategy",
            ),
            Rule(
                at_most("open_positions", open_count + 1, settings.max_open_positions), "max_open_positions"
            ),
        )
        inputs: Inputs = {"close": close, "allocation": strategy.allocation}
        inputs.update({f"genome.{key}": value for key, value in sorted(strategy.genome.items())})
        return entry(
            self,
            snapshot,
            symbol,
            rules,
            trigger="entry_signal",
            quote_amount=slot_amount(snapshot.portfolio.equity, settings.slot_fraction * strategy.allocation),
            inputs=inputs,
            strategy_id=strategy.strategy_id,
        )

    def _exit(self, snapshot: Snapshot, position: Position, strategy: PaperStrategy | None) -> Decision:
        close = close_of(snapshot, position.symbol)
        gain = return_fraction(position, close)
        # Counted from the open of the tick's bar that the fill lies in, as the back-test does.
        opened_ms = position.opened_at_ms - position.opened_at_ms % Interval.M15.milliseconds
        age_hours = (snapshot.bar_close_ms - opened_ms) / HOUR_MS
        signalled = strategy is not None and position.symbol in strategy.exit_symbols
        on_paper = "no" if strategy is None else "yes"
        triggers = (
            Rule(at_most("close_trailing", close, _trailing_level(position, strategy)), "trailing_stop"),
            Rule(at_most("return_stop", gain, -_number(strategy, "stop_fraction")), "stop_loss"),
            Rule(at_least("return_target", gain, _number(strategy, "target_fraction")), "take_profit"),
            Rule(must_be("exit_signal", "yes" if signalled else "no", "yes"), "exit_signal"),
            Rule(at_least("holding_hours", age_hours, _number(strategy, "time_exit_hours")), "time_exit"),
            Rule(must_be("on_paper", on_paper, "no"), "strategy_retired"),
        )
        return exit_(self, snapshot, position, triggers, inputs={"close": close, "return_fraction": gain})


def _trailing_level(position: Position, strategy: PaperStrategy | None) -> float:
    """Price of the trailing stop; NaN while it is not active, or not above the fixed stop."""
    if strategy is None:
        return math.nan
    cost = float(position.average_cost)
    closes = {item.symbol: item.close for item in strategy.best_closes}
    # An unknown best close is no reason to protect less: the position was once worth its cost.
    best = max(cost, known(closes.get(position.symbol)) or cost)
    if not best >= cost * (1 + _number(strategy, "trailing_after_fraction")):
        return math.nan
    level = best * (1 - _number(strategy, "trailing_fraction"))
    return level if level > cost * (1 - _number(strategy, "stop_fraction")) else math.nan


def _number(strategy: PaperStrategy | None, key: str) -> float:
    """The genome's value as a number; NaN where it is absent, text or not finite."""
    value = strategy.genome.get(key) if strategy is not None else None
    number = known(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return math.nan if number is None else number
