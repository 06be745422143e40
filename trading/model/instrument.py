"""Tradable instruments and the venue's filters for them."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """One spot pair with the filters that an order for it must meet.

    Attributes
    ----------
    tick_size, lot_step
        Smallest steps of price (quote) and quantity (base).
    min_quantity, max_quantity
        Bounds of quantity (base); a ``max_quantity`` of 0 means unbounded.
    min_notional
        Smallest order value (quote).
    listed_at_ms
        First moment of trading; None when the venue does not say.
    """

    symbol: str
    base: str
    quote: str
    tick_size: Decimal
    lot_step: Decimal
    min_quantity: Decimal
    max_quantity: Decimal
    min_notional: Decimal
    listed_at_ms: int | None = None
    status: str = "TRADING"
