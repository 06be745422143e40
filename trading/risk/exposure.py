"""What is at risk before and while the gate hands out room: exact amounts in quote currency."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from trading.execution.filters import to_decimal
from trading.ledger.accounting import short_cost
from trading.model.check import known
from trading.model.decision import Decision, Direction
from trading.model.snapshot import Snapshot

Key = tuple[str, str, str]


def price_of(snapshot: Snapshot, symbol: str) -> Decimal | None:
    """Close of the decision bar, exactly; None when missing, NaN or not above 0."""
    view = snapshot.symbols.get(symbol)
    if view is None or known(view.close) is None or view.close <= 0:
        return None
    return to_decimal(view.close)


@dataclass(frozen=True, slots=True)
class Exposure:
    """Amounts at risk, entries approved so far included. Exits give nothing back before they fill.

    Attributes
    ----------
    by_symbol
        Value held or approved per symbol, all desks together; None where the price is unknown.
    total
        Value of all positions, open buy orders and approved entries; None when any is unknown.
    cash
        Cash not spoken for by open buy orders, approved entries and shorts.
    open_keys
        (desk, strategy, symbol) of every position held, under way or approved.
    directions
        (symbol, direction) of every position held, whoever holds it, or approved.
    """

    equity: Decimal
    cash: Decimal
    by_symbol: Mapping[str, Decimal | None]
    total: Decimal | None
    open_keys: frozenset[Key]
    directions: frozenset[tuple[str, Direction]] = frozenset()

    def with_entry(self, decision: Decision, quote_amount: Decimal, cash_needed: Decimal) -> Exposure:
        """The exposure after an approved entry; the symbol's value and the total must be known."""
        held = self.by_symbol.get(decision.symbol, Decimal(0))
        if held is None or self.total is None:
            raise ValueError(f"{decision.symbol}: an entry was approved on an unknown exposure")
        return replace(
            self,
            cash=self.cash - cash_needed,
            by_symbol={**self.by_symbol, decision.symbol: held + quote_amount},
            total=self.total + quote_amount,
            open_keys=self.open_keys | {key_of(decision)},
            directions=self.directions | {(decision.symbol, decision.direction)},
        )


def key_of(decision: Decision) -> Key:
    """Whose position a decision is about: (desk, strategy, symbol)."""
    return (decision.desk, decision.strategy_id, decision.symbol)


def exposure_of(snapshot: Snapshot) -> Exposure:
    """Exposure before the tick's decisions, positions valued at the decision bar's close."""
    portfolio = snapshot.portfolio
    by_symbol: dict[str, Decimal | None] = {}
    keys: set[Key] = set()
    directions: set[tuple[str, Direction]] = set()
    for position in portfolio.positions:
        if position.quantity == 0:
            continue
        price = price_of(snapshot, position.symbol)
        before = by_symbol.get(position.symbol, Decimal(0))
        value = None if price is None else abs(position.quantity) * price
        by_symbol[position.symbol] = None if value is None or before is None else before + value
        keys.add((position.desk, position.strategy_id, position.symbol))
        directions.add((position.symbol, Direction.SHORT if position.quantity < 0 else Direction.LONG))
    held_symbols = set(by_symbol)
    for symbol in (*portfolio.pending_symbols, *portfolio.unknown_symbols):
        if symbol not in held_symbols:
            keys.add(("pending", "", symbol))
    total: Decimal | None = portfolio.pending_buy_amount
    for value in by_symbol.values():
        total = None if value is None or total is None else total + value
    return Exposure(
        equity=portfolio.equity,
        # What a short brought in is not ours to spend, and as much again stands behind it.
        cash=portfolio.cash - portfolio.pending_buy_amount - 2 * short_cost(portfolio.positions),
        by_symbol=by_symbol,
        total=total,
        open_keys=frozenset(keys),
        directions=frozenset(directions),
    )
