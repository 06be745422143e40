"""Which orders open risk, which guard a position, and what is left without a stop."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.model.account import VenueOrder, VenuePosition
from trading.model.order import OrderType, Side


class Meaning(StrEnum):
    """What an order at work means to a halt.

    ``LOOSE_STOP`` is a stop against a position that the venue would also let open a new one: it goes
    once a stop that can only reduce stands in its place.
    """

    ENTRY = "entry"
    REDUCES = "reduces"
    LOOSE_STOP = "loose_stop"


@dataclass(frozen=True, slots=True)
class Holding:
    """A position's key: one-way accounts have one a symbol, hedged ones up to two."""

    symbol: str
    hedge_side: str

    @property
    def text(self) -> str:
        """The key as text."""
        return f"{self.symbol}/{self.hedge_side}"


def holding_of(position: VenuePosition) -> Holding:
    """The key of a position."""
    return Holding(position.symbol, position.hedge_side)


def closing_side(position: VenuePosition) -> Side:
    """The side that makes a position smaller."""
    return Side.SELL if position.quantity > 0 else Side.BUY


def remaining(order: VenueOrder) -> Decimal:
    """Base quantity that may still fill."""
    return order.quantity - order.executed


def meaning(
    order: VenueOrder, positions: Sequence[VenuePosition] | None, *, derivatives: bool
) -> Meaning | None:
    """What an order means; None where that depends on positions that are not known.

    On a spot account a sale can only reduce, since nothing is sold that is not held.
    """
    if order.reduce_only or (not derivatives and order.side is Side.SELL):
        return Meaning.REDUCES
    if not derivatives or order.order_type is not OrderType.STOP:
        return Meaning.ENTRY
    if positions is None:
        return None
    guards = any(
        position.symbol == order.symbol
        and position.quantity
        and closing_side(position) is order.side
        and remaining(order) <= abs(position.quantity)
        for position in positions
    )
    return Meaning.LOOSE_STOP if guards else Meaning.ENTRY


def unprotected(position: VenuePosition, orders: Iterable[VenueOrder]) -> Decimal:
    """Base quantity of a position that no stop covers.

    A stop counts when it can only reduce and works before the liquidation price would.
    """
    covered = sum(
        (
            remaining(order)
            for order in orders
            if order.symbol == position.symbol
            and order.reduce_only
            and order.order_type is OrderType.STOP
            and order.side is closing_side(position)
            and _before_liquidation(position, order.stop_price)
        ),
        Decimal(0),
    )
    return max(abs(position.quantity) - covered, Decimal(0))


def stop_price(position: VenuePosition, stop_fraction: Decimal) -> Decimal:
    """Where a new stop goes: a share from the mark, or half-way to the liquidation if that is nearer."""
    mark, liquidation = position.mark_price, _liquidation(position)
    away = mark * stop_fraction
    if liquidation is not None:
        away = min(away, abs(mark - liquidation) / 2)
    return mark - away if position.quantity > 0 else mark + away


def _before_liquidation(position: VenuePosition, price: Decimal | None) -> bool:
    if price is None:
        return False
    liquidation = _liquidation(position)
    if liquidation is None:
        return True
    return price > liquidation if position.quantity > 0 else price < liquidation


def _liquidation(position: VenuePosition) -> Decimal | None:
    """The liquidation price where it says something: ahead of the market, on the side of a loss."""
    price = position.liquidation_price
    if price is None or price <= 0:
        return None
    ahead = price < position.mark_price if position.quantity > 0 else price > position.mark_price
    return price if ahead else None
