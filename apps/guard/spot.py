"""A spot account whose coins the guard protects and, where the policy says so, sells."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from functools import partial
from typing import Protocol

from apps.guard.countdowns import quietly
from apps.guard.rules import Rules
from trading.errors import HaltTrading
from trading.execution.filters import floor_to
from trading.guard.reach import Reach
from trading.guard.spot import SpotPlan, holdings, in_the_way
from trading.model.account import VenueBalance, VenueOrder, VenuePosition
from trading.model.order import OrderType, Side


class Wallet(Reach, Protocol):
    """A spot account that shows its balances."""

    def balances(self) -> list[VenueBalance]:
        """Every currency with anything in it."""
        ...


class SpotHoldings:
    """Implements `trading.guard.reach.Reach` over a spot account: its coins are positions.

    Coins that an order holds cannot be sold by another. Plain sales make way for a stop. A stop makes way
    for a sale only, at the moment of the sale; what is left unsold gets its stop back at once, at its old
    price, also when the sale was refused or nobody knows whether it went through.

    Parameters
    ----------
    prices
        Reads the last price of every pair. Raises `RetryLater` while the venue does not answer.
    """

    derivatives = False

    def __init__(
        self, inner: Wallet, rules: Rules, prices: Callable[[], Mapping[str, Decimal]], spot: SpotPlan
    ) -> None:
        self.name = inner.name
        self._inner = inner
        self._rules = rules
        self._prices = prices
        self._spot = spot
        # One change of the balances at a time: each looks at what the one before has left.
        self._turn = threading.Lock()

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work. A sale can only reduce, since nothing is sold that is not held."""
        return [
            replace(order, reduce_only=True) if order.side is Side.SELL else order
            for order in self._inner.open_orders()
        ]

    def positions(self) -> list[VenuePosition]:
        """Every coin that is ours."""
        return holdings(self._inner.balances(), self._rules.all(), self._prices(), self._spot)

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order."""
        self._inner.cancel_order(order)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Sell at the market, in place of the stops that hold the coins.

        Raises
        ------
        HaltTrading
            If there is nothing to sell, or the venue refuses.
        """
        with self._turn:
            removed = self._make_way(symbol, quantity, stops=True)
            try:
                self._inner.reduce(symbol, side, self._sellable(symbol, quantity), client_order_id)
            finally:
                self._restore(symbol, removed, client_order_id)

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop, in place of plain sales that hold the coins. Raises as `reduce` does."""
        with self._turn:
            self._make_way(symbol, quantity, stops=False)
            size = self._sellable(symbol, quantity)
            self._inner.protect(symbol, side, size, stop_price, client_order_id)

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time."""
        return self._inner.count_down(symbols, milliseconds)

    def _make_way(self, symbol: str, quantity: Decimal, *, stops: bool) -> list[VenueOrder]:
        """Cancel sales until the quantity is free; returns the stops among them."""
        removed = []
        for order in in_the_way(self._inner.open_orders(), symbol, stops=stops):
            if self._available(symbol) >= quantity:
                break
            self._inner.cancel_order(order)
            if order.order_type is OrderType.STOP:
                removed.append(order)
        return removed

    def _restore(self, symbol: str, stops: list[VenueOrder], client_order_id: str) -> None:
        """Give what is left its stops back, the nearest to the market first; the policy looks again anyway."""
        for number, stop in enumerate(sorted(stops, key=_stop_price, reverse=True)):
            quietly(partial(self._place_again, symbol, stop, f"{client_order_id}-{number}"))

    def _place_again(self, symbol: str, stop: VenueOrder, client_order_id: str) -> None:
        size = self._sellable(symbol, stop.quantity - stop.executed)
        self._inner.protect(symbol, Side.SELL, size, _stop_price(stop), client_order_id)

    def _sellable(self, symbol: str, quantity: Decimal) -> Decimal:
        pair = self._rules.of(symbol)
        largest = min(quantity, pair.max_quantity) if pair.max_quantity else quantity
        size = floor_to(min(largest, self._available(symbol)), pair.lot_step)
        if size <= 0:
            raise HaltTrading(f"{symbol}: nothing of {quantity} is free to sell")
        return size

    def _available(self, symbol: str) -> Decimal:
        currency = self._rules.of(symbol).base
        return sum(
            (self._spot.available(item) for item in self._inner.balances() if item.currency == currency),
            Decimal(0),
        )


def _stop_price(order: VenueOrder) -> Decimal:
    return order.stop_price or Decimal(0)
