"""The venue's filters: quantising to tick and lot in Decimal, once, and what an order would break."""

from __future__ import annotations

from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from trading.model.instrument import Instrument
from trading.model.order import Side


def to_decimal(value: float) -> Decimal:
    """The shortest decimal that reads back as the float: 0.1 becomes exactly 0.1.

    Raises
    ------
    ValueError
        If the value is NaN or infinite: an unknown number must never become an amount.
    """
    converted = Decimal(repr(float(value)))
    if not converted.is_finite():
        raise ValueError(f"{value!r} is unknown and cannot become an amount; check it before sizing")
    return converted


def floor_to(value: Decimal, step: Decimal) -> Decimal:
    """The largest multiple of ``step`` not above ``value``; a step of 0 leaves it as it is."""
    if step == 0:
        return value
    return (value / step).to_integral_value(ROUND_FLOOR) * step


def ceil_to(value: Decimal, step: Decimal) -> Decimal:
    """The smallest multiple of ``step`` not below ``value``; a step of 0 leaves it as it is."""
    if step == 0:
        return value
    return (value / step).to_integral_value(ROUND_CEILING) * step


def price_against(price: Decimal, side: Side, tick_size: Decimal) -> Decimal:
    """The price on the tick grid, rounded against us: up for a buy, down for a sell (one tick at least)."""
    if side is Side.BUY:
        return ceil_to(price, tick_size)
    return max(floor_to(price, tick_size), tick_size)


def quantity_for(quote_amount: Decimal, price: Decimal, instrument: Instrument) -> Decimal:
    """Largest quantity on the lot grid whose value at ``price`` does not exceed ``quote_amount``."""
    if price <= 0 or quote_amount <= 0:
        return Decimal(0)
    quantity = floor_to(quote_amount / price, instrument.lot_step)
    if quantity * price > quote_amount:  # the quotient may have been rounded up at the 28th digit
        quantity -= instrument.lot_step
    return max(quantity, Decimal(0))


def broken_filters(instrument: Instrument, quantity: Decimal, price: Decimal | None) -> tuple[str, ...]:
    """Every filter that an order breaks, with its value and limit; empty when it may be sent.

    ``price`` None (unknown) leaves the notional untested, for reductions only.
    """
    broken = []
    if quantity <= 0:
        broken.append(f"quantity {quantity} is not above 0")
    if floor_to(quantity, instrument.lot_step) != quantity:
        broken.append(f"quantity {quantity} is not a multiple of lot_step {instrument.lot_step}")
    if quantity < instrument.min_quantity:
        broken.append(f"quantity {quantity} is below min_quantity {instrument.min_quantity}")
    if instrument.max_quantity and quantity > instrument.max_quantity:
        broken.append(f"quantity {quantity} is above max_quantity {instrument.max_quantity}")
    if price is not None and quantity * price < instrument.min_notional:
        broken.append(f"notional {quantity * price} is below min_notional {instrument.min_notional}")
    return tuple(broken)
