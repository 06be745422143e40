"""Orders, their states and fills."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum


class Side(StrEnum):
    """Direction of an order."""

    BUY = "buy"
    SELL = "sell"


class OrderState(StrEnum):
    """Where an order is in its life.

    INTENT is durable before anything is sent; UNKNOWN freezes new risk on the symbol until
    reconciliation proves effect or no effect.
    """

    INTENT = "intent"
    SENDING = "sending"
    OPEN = "open"
    PARTIALLY_FILLED = "partially_filled"
    FILLED = "filled"
    CANCELLED = "cancelled"
    REJECTED = "rejected"
    EXPIRED = "expired"
    UNKNOWN = "unknown"

    @property
    def terminal(self) -> bool:
        """Whether nothing more can happen to the order."""
        return self in _TERMINAL


_TERMINAL = frozenset({OrderState.FILLED, OrderState.CANCELLED, OrderState.REJECTED, OrderState.EXPIRED})


@dataclass(frozen=True, slots=True)
class Order:
    """A market order as intended. ``client_order_id`` is its identity here and at the venue."""

    client_order_id: str
    decision_id: str
    tick_id: str
    venue: str
    desk: str
    strategy_id: str
    symbol: str
    side: Side
    quantity: Decimal
    reference_price: Decimal
    state: OrderState
    created_at_ms: int
    not_before_ms: int
    """Bar close of the decision: a fill never uses a bar that opened earlier."""


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution as the venue reports it. ``venue_fill_id`` is unique at the venue."""

    venue: str
    venue_fill_id: str
    client_order_id: str
    symbol: str
    side: Side
    quantity: Decimal
    price: Decimal
    fee: Decimal
    fee_currency: str
    filled_at_ms: int
    slippage_bps: float
