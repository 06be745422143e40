"""Prices and quantities as the venue takes them: on its grid, and never larger than what is held."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from apps.guard.rules import Rules
from trading.execution.filters import ceil_to, floor_to
from trading.guard.reach import Reach
from trading.model.account import VenueOrder, VenuePosition
from trading.model.order import Side


class OnGrid:
    """Implements `trading.guard.reach.Reach` over another, quantising on the way.

    A stop goes to the tick that is nearer to the market, so that it never protects later than asked. What
    is closed is rounded up to the lot; the venue caps it at the position, since it can only reduce.
    """

    def __init__(self, inner: Reach, rules: Rules) -> None:
        self.name = inner.name
        self.derivatives = inner.derivatives
        self._inner = inner
        self._rules = rules

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work."""
        return self._inner.open_orders()

    def positions(self) -> list[VenuePosition]:
        """Every open derivative position."""
        return self._inner.positions()

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order."""
        self._inner.cancel_order(order)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Close a part of a position, rounded up to the lot."""
        lot = self._rules.of(symbol).lot_step
        self._inner.reduce(symbol, side, ceil_to(quantity, lot), client_order_id)

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop on the tick that is nearer to the market."""
        instrument = self._rules.of(symbol)
        round_to = ceil_to if side is Side.SELL else floor_to
        price = max(round_to(stop_price, instrument.tick_size), instrument.tick_size)
        size = ceil_to(quantity, instrument.lot_step)
        self._inner.protect(symbol, side, size, price, client_order_id)

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time."""
        return self._inner.count_down(symbols, milliseconds)
