"""Tradable instruments, the venue's filters for them, and the facts that sizing and costs need."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from trading.model.series import Market


@dataclass(frozen=True, slots=True)
class MarginBracket:
    """One step of a future's margin schedule: it holds from ``floor_notional`` up to the next step.

    Attributes
    ----------
    floor_notional, cap_notional
        Position value (quote) from which and up to which the step holds.
    max_leverage
        Largest leverage allowed in the step.
    maintenance_fraction, maintenance_amount
        Maintenance margin is ``notional * maintenance_fraction - maintenance_amount`` (quote).
    """

    floor_notional: Decimal
    cap_notional: Decimal
    max_leverage: int
    maintenance_fraction: Decimal
    maintenance_amount: Decimal


@dataclass(frozen=True, slots=True)
class Instrument:
    """One pair or contract with the filters that an order for it must meet.

    Attributes
    ----------
    tick_size, lot_step
        Smallest steps of price (quote) and quantity (base).
    min_quantity, max_quantity
        Bounds of quantity (base); a ``max_quantity`` of 0 means unbounded.
    min_notional
        Smallest order value (quote).
    listed_at_ms, delisted_at_ms
        First moment of trading and the moment after the last; None when not known.
    underlying, multiplier
        Coin behind the contract, and how many of it one unit of ``base`` is: 1000PEPE is 1000 PEPE.
    maker_fee_bps, taker_fee_bps
        Fees of the account's tier; None when the venue has not been asked.
    funding_interval_hours
        Hours between funding payments of a perpetual; None for spot.
    brackets
        Margin schedule of a future, by rising notional; empty for spot, or when not known.
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
    market: Market = Market.SPOT
    delisted_at_ms: int | None = None
    underlying: str = ""
    multiplier: int = 1
    maker_fee_bps: Decimal | None = None
    taker_fee_bps: Decimal | None = None
    funding_interval_hours: int | None = None
    brackets: tuple[MarginBracket, ...] = ()
