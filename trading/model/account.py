"""What a venue says of an account: its orders, balances, positions and movements of cash."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.model.order import OrderState, OrderType, Side


class CashKind(StrEnum):
    """Why cash moved at the venue without an order of ours saying so."""

    FUNDING = "funding"
    FEE = "fee"
    REALISED_PNL = "realised_pnl"
    DEPOSIT = "deposit"
    WITHDRAWAL = "withdrawal"
    TRANSFER = "transfer"
    LIQUIDATION = "liquidation"
    OTHER = "other"


class FillCause(StrEnum):
    """Who brought a fill about, as far as the venue tells."""

    OURS = "ours"
    MANUAL = "manual"
    LIQUIDATION = "liquidation"
    ADL = "adl"


@dataclass(frozen=True, slots=True)
class VenueOrder:
    """An order as the venue lists it, ours or not.

    Attributes
    ----------
    client_order_id
        As it was given; the venue invents one for orders from its own pages.
    executed
        Base quantity filled so far.
    limit_price, stop_price
        Quote; None where the type has none.
    """

    client_order_id: str
    venue_order_id: str
    symbol: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    executed: Decimal
    state: OrderState
    updated_at_ms: int
    reduce_only: bool = False
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class VenueFill:
    """An execution as the venue lists it, ours or not; ids are unique per symbol at some venues.

    Attributes
    ----------
    client_order_id
        Empty where the venue lists fills without it; the venue's order id then leads to the order.
    """

    venue_fill_id: str
    venue_order_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    filled_at_ms: int
    cause: FillCause = FillCause.OURS


@dataclass(frozen=True, slots=True)
class VenueBalance:
    """Cash or coins of one currency: what may be used, and what open orders hold."""

    currency: str
    free: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class VenuePosition:
    """A derivative position. ``quantity`` (base) is negative for a short.

    Attributes
    ----------
    hedge_side
        ``both`` in one-way mode; ``long`` or ``short`` in hedge mode.
    liquidation_price
        Quote; None when the venue gives none.
    """

    symbol: str
    quantity: Decimal
    entry_price: Decimal
    mark_price: Decimal
    hedge_side: str = "both"
    leverage: int = 1
    isolated: bool = False
    liquidation_price: Decimal | None = None


@dataclass(frozen=True, slots=True)
class CashMove:
    """A movement of cash at the venue. ``venue_move_id`` is unique within kind, symbol and currency."""

    venue_move_id: str
    kind: CashKind
    currency: str
    amount: Decimal
    at_ms: int
    symbol: str = ""
