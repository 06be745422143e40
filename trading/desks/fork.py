"""The fork desk: buys beaten-down coins whose indicators fork upward (early recovery).

An entry needs the fork score at its mark, the score adjusted by the rating kick at its own mark,
no sell rating, model confidence, a BTC that is not bearish and a free slot. Candidates that pass
everything compete for the free slots by score. The desk never goes short.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Annotated

from annotated_types import Ge, Gt, Le

from trading.desks.candidate import (
    Inputs,
    Rule,
    close_of,
    entry,
    exit_,
    held_by,
    market_rules,
    protective_price,
    return_fraction,
    slot_amount,
    symbols_under_way,
)
from trading.desks.desk import settings_hash
from trading.model.check import at_least, at_most, known, must_be, not_one_of
from trading.model.decision import Check, Decision, Direction
from trading.model.snapshot import LATER, Position, Snapshot, SymbolView

HOUR_MS = 3_600_000


@dataclass(frozen=True, slots=True)
class ForkDeskSettings:
    """Settings of the fork desk.

    Attributes
    ----------
    minimum_fork_score
        Mark that the fork score must reach (its maximum is about 1.3).
    fork_passed_required
        Also demand the screener's own pass: recovery of RSI or StochRSI.
    minimum_adjusted_score
        Mark that the score plus the rating kick must reach.
    minimum_confidence
        Smallest model probability (0-1) for an entry.
    confidence_required
        Whether an entry needs a model confidence. An expired or low one refuses either way.
    slot_fraction
        Share of equity that one entry asks for.
    max_open_positions
        Most positions that the desk holds at once.
    take_profit_fraction, stop_loss_fraction
        Return against average cost at which a position is closed, up and down.
    max_holding_hours
        A position older than this is closed.
    protective_stop_multiple
        Distance of the stop order that rests at the venue, as a multiple of ``stop_loss_fraction``: wide enough
        that the desk, which looks at every close, normally comes first. 0 rests none.
    protective_target_multiple
        The same of a take-profit order, as a multiple of ``take_profit_fraction``.
    """

    minimum_fork_score: Annotated[float, Gt(0)] = 0.85
    fork_passed_required: bool = True
    minimum_adjusted_score: float = 0.73
    minimum_confidence: Annotated[float, Ge(0), Le(1)] = 0.55
    confidence_required: bool = True
    slot_fraction: Annotated[float, Gt(0), Le(1)] = 0.10
    max_open_positions: Annotated[int, Gt(0)] = 8
    take_profit_fraction: Annotated[float, Gt(0)] = 0.03
    stop_loss_fraction: Annotated[float, Gt(0), Le(1)] = 0.06
    max_holding_hours: Annotated[float, Gt(0)] = 72.0
    protective_stop_multiple: Annotated[float, Ge(0)] = field(default=1.5, metadata=LATER)
    protective_target_multiple: Annotated[float, Ge(0)] = field(default=0.0, metadata=LATER)


class ForkDesk:
    """Decides on every symbol of the snapshot and every position of its own."""

    name = "fork"

    def __init__(self, settings: ForkDeskSettings | None = None) -> None:
        self.settings = settings or ForkDeskSettings()
        self.configuration_hash = settings_hash(self.name, self.settings)

    def decide(self, snapshot: Snapshot) -> list[Decision]:
        """Exits of held positions by symbol, then entries: ranked candidates first, best score first."""
        held = held_by(self.name, snapshot)
        exits = [self._exit(snapshot, position) for position in held]
        rules = {symbol: self._rules(snapshot, symbol, held) for symbol in sorted(snapshot.symbols)}
        eligible = [
            symbol
            for symbol, items in rules.items()
            if all(rule.check.passed for rule in (*market_rules(snapshot, symbol), *items))
        ]
        # The sort is stable over symbols in order, so equal scores rank alphabetically.
        eligible.sort(key=lambda symbol: -snapshot.symbols[symbol].fork_adjusted)
        free = self.settings.max_open_positions - len(held) - symbols_under_way(snapshot)
        for rank, symbol in enumerate(eligible, start=1):
            rules[symbol].append(Rule(at_most("rank", rank, free, "free slots"), "no_free_slot"))
        order = eligible + [symbol for symbol in rules if symbol not in set(eligible)]
        return exits + [self._entry(snapshot, symbol, rules[symbol]) for symbol in order]

    def _entry(self, snapshot: Snapshot, symbol: str, rules: list[Rule]) -> Decision:
        settings, close = self.settings, close_of(snapshot, symbol)
        stop = settings.protective_stop_multiple * settings.stop_loss_fraction
        target = settings.protective_target_multiple * settings.take_profit_fraction
        return entry(
            self,
            snapshot,
            symbol,
            rules,
            trigger="fork_entry",
            quote_amount=slot_amount(snapshot.portfolio.equity, settings.slot_fraction),
            inputs=_inputs(snapshot, snapshot.symbols[symbol]),
            stop_price=protective_price(close, Direction.LONG, -stop),
            take_profit_price=protective_price(close, Direction.LONG, target),
        )

    def _rules(self, snapshot: Snapshot, symbol: str, held: list[Position]) -> list[Rule]:
        """Every rule but the ranking, in the order in which the first failure is the reason."""
        settings, view = self.settings, snapshot.symbols[symbol]
        others = [position.symbol for position in held]
        after = len(held) + symbols_under_way(snapshot) + 1
        rules = [
            Rule(_data_present(snapshot, view), "data_missing"),
            Rule(at_least("fork_score", view.fork_score, settings.minimum_fork_score), "fork_score_low"),
            Rule(
                at_least("adjusted_score", view.fork_adjusted, settings.minimum_adjusted_score),
                "rating_kick_low",
            ),
            Rule(not_one_of("rating_label", view.rating_tag, ("sell", "strong_sell")), "rating_sell"),
            *self._confidence(snapshot, view),
            Rule(not_one_of("btc_condition", snapshot.btc_condition, ("bearish", "unknown")), "btc_bearish"),
            Rule(must_be("held", "yes" if symbol in others else "no", "no"), "already_held"),
            Rule(at_most("open_positions", after, settings.max_open_positions), "max_open_positions"),
        ]
        if settings.fork_passed_required:
            passed = must_be("fork_passed", "yes" if view.fork_passed else "no", "yes", "recovery seen")
            rules.insert(2, Rule(passed, "fork_not_passed"))
        return rules

    def _confidence(self, snapshot: Snapshot, view: SymbolView) -> list[Rule]:
        settings = self.settings
        if known(view.confidence) is None and not settings.confidence_required:
            note = Check("confidence", True, None, settings.minimum_confidence, "≥ no model, not required")
            return [Rule(note, "confidence_missing")]
        present = "missing" if known(view.confidence) is None else "present"
        return [
            Rule(must_be("confidence_known", present, "present"), "confidence_missing"),
            Rule(
                at_least(
                    "confidence_expires_ms", view.confidence_expires_ms, snapshot.bar_close_ms, "bar close"
                ),
                "confidence_expired",
            ),
            Rule(at_least("confidence", view.confidence, settings.minimum_confidence), "confidence_low"),
        ]

    def _exit(self, snapshot: Snapshot, position: Position) -> Decision:
        settings, view = self.settings, snapshot.symbols.get(position.symbol)
        gain = return_fraction(position, close_of(snapshot, position.symbol))
        age_hours = (snapshot.bar_close_ms - position.opened_at_ms) / HOUR_MS
        tag = view.rating_tag if view is not None else None
        return exit_(
            self,
            snapshot,
            position,
            (
                Rule(at_most("return_stop", gain, -settings.stop_loss_fraction), "stop_loss"),
                Rule(at_least("return_target", gain, settings.take_profit_fraction), "take_profit"),
                Rule(at_least("holding_hours", age_hours, settings.max_holding_hours), "max_holding_time"),
                Rule(must_be("rating_label", tag, "strong_sell"), "rating_strong_sell"),
            ),
            inputs={"close": close_of(snapshot, position.symbol), "return_fraction": gain},
        )


def _data_present(snapshot: Snapshot, view: SymbolView) -> Check:
    values = {
        "close": close_of(snapshot, view.symbol),
        "fork_score": view.fork_score,
        "fork_adjusted": view.fork_adjusted,
    }
    missing = [name for name, value in values.items() if not math.isfinite(value)]
    return must_be("data", f"missing {', '.join(missing)}" if missing else "present", "present")


def _inputs(snapshot: Snapshot, view: SymbolView) -> Inputs:
    numbers: Inputs = {
        "close": view.close,
        "fork_score": view.fork_score,
        "fork_adjusted": view.fork_adjusted,
        "fork_passed": view.fork_passed,
        "rating_tag": view.rating_tag,
        "confidence": view.confidence,
        "confidence_model": view.confidence_model,
        "confidence_expires_ms": view.confidence_expires_ms,
        "spread_bps": view.spread_bps,
        "btc_condition": snapshot.btc_condition,
    }
    return numbers | {f"fork.{name}": value for name, value in sorted(view.fork_components.items())}
