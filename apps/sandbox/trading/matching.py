"""How the market fills orders: pure arithmetic in Decimal.

The book is made from the bars. Whoever takes meets levels a basis point apart, each with the same
quantity; whoever rests is filled at its own price by its share of the minute's volume.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from apps.sandbox.trading.orders import STOPS, ZERO, Order
from trading.execution.filters import ceil_to, floor_to
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS
from trading.model.order import Side

_LEVELS = 20
_LEVEL_STEP = Decimal("0.0001")


@dataclass(frozen=True, slots=True)
class Stretch:
    """A bar, or what is left of it after an order came: prices (quote) and volume (base)."""

    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class Execution:
    """A price and a quantity at which an order trades."""

    price: Decimal
    quantity: Decimal
    maker: bool


def seen(since_ms: int, price: Decimal, bar: Stretch, open_ms: int) -> Stretch:
    """What of the bar that opened at ``open_ms`` has met an order that came at a moment and price."""
    if since_ms <= open_ms:
        return bar
    share = Decimal(max(0, open_ms + MINUTE_MS - since_ms)) / MINUTE_MS
    return Stretch(price, max(price, bar.close), min(price, bar.close), bar.close, bar.volume * share)


def touches(side: Side, kind: str, stop: Decimal, low: Decimal, high: Decimal) -> bool:
    """Whether prices from ``low`` to ``high`` reach a stop price from the side that the type waits on."""
    from_below = (side is Side.BUY) == (kind in STOPS)
    return high >= stop if from_below else low <= stop


def triggered_price(side: Side, kind: str, stop: Decimal, stretch: Stretch) -> Decimal | None:
    """Where the market stands when a stop price is reached: the open where that is beyond it.

    None when the stretch does not reach it.
    """
    if not touches(side, kind, stop, stretch.low, stretch.high):
        return None
    return stretch.open if touches(side, kind, stop, stretch.open, stretch.open) else stop


def taken(
    side: Side,
    last: Decimal,
    quantity: Decimal,
    *,
    level_quantity: Decimal,
    instrument: Instrument,
    limit: Decimal | None = None,
    funds: Decimal | None = None,
) -> list[Execution]:
    """What an order takes from the book, best level first.

    Parameters
    ----------
    last
        The last price. Sellers are met there, buyers a tick above.
    level_quantity
        Base quantity at each level; 0 takes nothing.
    limit
        Worst price allowed.
    funds
        Quote to spend at most.
    """
    tick, lot = instrument.tick_size, instrument.lot_step
    step = max(tick, ceil_to(last * _LEVEL_STEP, tick))
    price = last + tick if side is Side.BUY else last
    left, money = quantity, funds
    found: list[Execution] = []
    for _ in range(_LEVELS):
        if price <= 0 or left <= 0 or (limit is not None and _worse(side, price, limit)):
            break
        size = min(left, floor_to(level_quantity, lot))
        if money is not None:
            size = min(size, floor_to(money / price, lot))
        if size <= 0:
            break
        found.append(Execution(price, size, maker=False))
        left -= size
        money = None if money is None else money - size * price
        price = price + step if side is Side.BUY else price - step
    return found


def rested(order: Order, stretch: Stretch, available: Decimal, lot_step: Decimal) -> Execution | None:
    """What a stretch of the market fills of an order on the book; ``available`` is the volume it can get."""
    if order.price is None:
        return None
    reached = stretch.low <= order.price if order.side is Side.BUY else stretch.high >= order.price
    size = min(order.remaining, floor_to(available, lot_step))
    return Execution(order.price, size, maker=True) if reached and size > ZERO else None


def marketable(side: Side, price: Decimal, last: Decimal, tick_size: Decimal) -> bool:
    """Whether an order at a price would trade at once."""
    return price >= last + tick_size if side is Side.BUY else price <= last


def priority(order: Order) -> tuple[bool, Decimal, int]:
    """Order of the book: better prices first, then who came first; sides apart."""
    price = order.price or ZERO
    return (order.side is Side.SELL, -price if order.side is Side.BUY else price, order.order_id)


def _worse(side: Side, price: Decimal, limit: Decimal) -> bool:
    return price > limit if side is Side.BUY else price < limit
