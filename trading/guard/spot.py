"""Coins on a spot account as the guard's policy sees holdings: what is the desks', in whole lots, at the market's price."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.execution.filters import broken_filters, floor_to
from trading.model.account import VenueBalance, VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.order import OrderType, Side

_TRADING = "TRADING"


@dataclass(frozen=True, slots=True)
class SpotPlan:
    """Which coins the guard may protect and sell.

    Attributes
    ----------
    quote
        Currency in which holdings are valued and for which they are sold.
    keep
        Base quantity of each currency that is nobody's position, such as savings; never sold.
    """

    quote: str
    keep: Mapping[str, Decimal]

    def ours(self, balance: VenueBalance) -> Decimal:
        """What of a balance belongs to positions, locked by orders or not."""
        return max(balance.free + balance.locked - self.keep.get(balance.currency, Decimal(0)), Decimal(0))

    def available(self, balance: VenueBalance) -> Decimal:
        """What of it could be sold at once."""
        return max(balance.free - self.keep.get(balance.currency, Decimal(0)), Decimal(0))


def holdings(
    balances: Iterable[VenueBalance],
    instruments: Mapping[str, Instrument],
    prices: Mapping[str, Decimal],
    spot: SpotPlan,
) -> list[VenuePosition]:
    """Each coin as a long position: whole lots of what is ours, at the last price.

    What the venue would not take (dust, a pair that does not trade or has no price) is left out: neither
    a stop nor a sale can be had for it.
    """
    pairs = {item.base: item for item in instruments.values() if item.quote == spot.quote}
    found = []
    for balance in balances:
        pair = pairs.get(balance.currency)
        price = None if pair is None else prices.get(pair.symbol)
        if pair is None or price is None or pair.status != _TRADING:
            continue
        # In the lot's digits, to which the policy rounds its stages.
        quantity = floor_to(spot.ours(balance), pair.lot_step).quantize(pair.lot_step)
        largest = min(quantity, pair.max_quantity) if pair.max_quantity else quantity
        if not broken_filters(pair, largest, price):
            found.append(VenuePosition(pair.symbol, quantity, price, price))
    return found


def in_the_way(orders: Iterable[VenueOrder], symbol: str, *, stops: bool) -> Sequence[VenueOrder]:
    """Sales at work that hold coins of a pair, plain ones first; the stops only where asked for."""
    sales = [order for order in orders if order.symbol == symbol and order.side is Side.SELL]
    plain = [order for order in sales if order.order_type is not OrderType.STOP]
    return plain + [order for order in sales if stops and order.order_type is OrderType.STOP]
