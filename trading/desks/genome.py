"""The genome desk: trades the generated strategies that are on paper, a small slot each, both ways.

What it decides at a close is what the back-test with watched stops decides there (see
docs/concepts/backtest-engine.md): stop, trailing stop and target are measured from the average cost, against
closes. A position whose strategy is no longer on paper has lost its exits, so it is closed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.desks.candidate import (
    Inputs,
    Rule,
    close_of,
    direction_of,
    entry,
    exit_,
    held_by,
    protective_price,
    return_fraction,
    slot_amount,
    symbols_under_way,
)
from trading.desks.desk import settings_hash
from trading.desks.trailing import gene, trailing_level
from trading.model.check import at_least, at_most, known, must_be
from trading.model.decision import Decision, Direction, Outcome
from trading.model.interval import Interval
from trading.model.snapshot import LATER, PaperStrategy, Position, Snapshot

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class GenomeDeskSettings:
    """Settings of the genome desk.

    Attributes
    ----------
    slot_fraction
        Most that one entry asks for, as a share of equity, times the strategy's allocation. A genome whose own
        size times leverage is smaller asks for that.
    max_positions_per_strategy
        Most positions that one strategy holds at once.
    max_open_positions
        Most positions of all strategies together.
    protective_stop_multiple
        Distance of the stop order that rests at the venue, as a multiple of the genome's stop: wide enough that
        the desk, which looks at every close, normally comes first. 0 rests none.
    protective_target_multiple
        The same of a take-profit order, as a multiple of the genome's target where it has one.
    """

    slot_fraction: Annotated[float, Gt(0), Le(1)] = 0.02
    max_positions_per_strategy: Annotated[int, Gt(0)] = 3
    max_open_positions: Annotated[int, Gt(0)] = 20
    protective_stop_multiple: Annotated[float, Ge(0)] = field(default=1.5, metadata=LATER)
    protective_target_multiple: Annotated[float, Ge(0)] = field(default=0.0, metadata=LATER)


@dataclass(frozen=True, slots=True)
class _Book:
    """What a strategy and all of them together hold while entries are handed out."""

    own_symbols: frozenset[str]
    own_count: int
    open_count: int


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
            own = frozenset(item.symbol for item in held if item.strategy_id == strategy_id)
            own_count = sum(item.strategy_id == strategy_id for item in held)
            for symbol, direction in _wanted(strategy):
                book = _Book(own, own_count, open_count)
                decision = self._entry(snapshot, strategy, symbol, direction, book)
                decisions.append(decision)
                if decision.outcome is Outcome.FIRED:
                    own_count, open_count = own_count + 1, open_count + 1
        return decisions

    def _entry(
        self, snapshot: Snapshot, strategy: PaperStrategy, symbol: str, direction: Direction, book: _Book
    ) -> Decision:
        settings, close = self.settings, close_of(snapshot, symbol)
        stop = settings.protective_stop_multiple * gene(strategy, "stop_fraction")
        target = settings.protective_target_multiple * gene(strategy, "target_fraction")
        inputs: Inputs = {"close": close, "allocation": strategy.allocation}
        inputs.update({f"genome.{key}": value for key, value in sorted(strategy.genome.items())})
        return entry(
            self,
            snapshot,
            symbol,
            self._rules(strategy, symbol, direction, close, book),
            trigger="entry_signal",
            quote_amount=self._amount(snapshot, strategy),
            inputs=inputs,
            strategy_id=strategy.strategy_id,
            direction=direction,
            stop_price=protective_price(close, direction, -stop),
            take_profit_price=protective_price(close, direction, target),
        )

    def _rules(
        self, strategy: PaperStrategy, symbol: str, direction: Direction, close: float, book: _Book
    ) -> tuple[Rule, ...]:
        settings = self.settings
        complete = "complete" if gene(strategy, "stop_fraction") > 0 else "missing stop_fraction"
        present = "missing close" if known(close) is None else "present"
        contradicted = "yes" if symbol in _exit_symbols(strategy, direction) else "no"
        return (
            Rule(must_be("data", present, "present"), "data_missing"),
            Rule(must_be("genome", complete, "complete", "stop known"), "genome_incomplete"),
            Rule(must_be("exit_signal", contradicted, "no"), "exit_signal"),
            Rule(must_be("held", "yes" if symbol in book.own_symbols else "no", "no"), "already_held"),
            Rule(
                at_most("strategy_positions", book.own_count + 1, settings.max_positions_per_strategy),
                "max_positions_per_strategy",
            ),
            Rule(
                at_most("open_positions", book.open_count + 1, settings.max_open_positions),
                "max_open_positions",
            ),
        )

    def _amount(self, snapshot: Snapshot, strategy: PaperStrategy) -> Decimal:
        """What the back-test would put in, as a share of equity, but no more than the slot."""
        value = gene(strategy, "size_fraction") * gene(strategy, "leverage")
        share = min(self.settings.slot_fraction, value) if value > 0 else self.settings.slot_fraction
        return slot_amount(snapshot.portfolio.equity, share * strategy.allocation)

    def _exit(self, snapshot: Snapshot, position: Position, strategy: PaperStrategy | None) -> Decision:
        close, direction = close_of(snapshot, position.symbol), direction_of(position)
        gain = return_fraction(position, close)
        # Counted from the open of the tick's bar that the fill lies in, as the back-test does.
        opened_ms = position.opened_at_ms - position.opened_at_ms % Interval.M15.milliseconds
        age_hours = (snapshot.bar_close_ms - opened_ms) / HOUR_MS
        signalled = strategy is not None and position.symbol in _exit_symbols(strategy, direction)
        on_paper = "no" if strategy is None else "yes"
        trailed = at_most if direction is Direction.LONG else at_least
        triggers = (
            Rule(trailed("close_trailing", close, trailing_level(position, strategy)), "trailing_stop"),
            Rule(at_most("return_stop", gain, -gene(strategy, "stop_fraction")), "stop_loss"),
            Rule(at_least("return_target", gain, gene(strategy, "target_fraction")), "take_profit"),
            Rule(must_be("exit_signal", "yes" if signalled else "no", "yes"), "exit_signal"),
            Rule(at_least("holding_hours", age_hours, gene(strategy, "time_exit_hours")), "time_exit"),
            Rule(must_be("on_paper", on_paper, "no"), "strategy_retired"),
        )
        return exit_(self, snapshot, position, triggers, inputs={"close": close, "return_fraction": gain})


def _wanted(strategy: PaperStrategy) -> Iterator[tuple[str, Direction]]:
    """Entries that the strategy's rules ask for, by symbol; of one symbol the long first."""
    longs, shorts = set(strategy.entry_symbols), set(strategy.short_entry_symbols)
    for symbol in sorted(longs | shorts):
        if symbol in longs:
            yield symbol, Direction.LONG
        if symbol in shorts:
            yield symbol, Direction.SHORT


def _exit_symbols(strategy: PaperStrategy, direction: Direction) -> tuple[str, ...]:
    return strategy.exit_symbols if direction is Direction.LONG else strategy.short_exit_symbols
