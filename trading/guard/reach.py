"""All that the guard may ask of a venue: a part of `trading.ports.Account` that can only reduce risk."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import Protocol

from trading.model.account import VenueOrder, VenuePosition
from trading.model.order import Side


class Reach(Protocol):
    """Looking at orders and positions, cancelling and reducing; see `trading.ports.Account` for each.

    The guard calls it from several threads at once.
    """

    name: str
    derivatives: bool

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work."""
        ...

    def positions(self) -> list[VenuePosition]:
        """Every open derivative position; on a spot account the coins that are guarded as positions."""
        ...

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order."""
        ...

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Send a market order that can only make a holding smaller."""
        ...

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Send a stop order that can only make a holding smaller."""
        ...

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time."""
        ...
