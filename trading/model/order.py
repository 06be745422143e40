"""Orders, their states and fills."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum

from trading.model.series import Market


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


class OrderType(StrEnum):
    """How an order is priced.

    A stop waits until the market trades at ``stop_price`` or worse, a take-profit until it trades there
    or better; both then go out as market orders.
    """

    MARKET = "market"
    LIMIT = "limit"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"


class OrderRole(StrEnum):
    """What an order is to the one it is linked with by ``parent_id``."""

    SINGLE = "single"
    STOP = "stop"
    TAKE_PROFIT = "take_profit"
    REPLACEMENT = "replacement"


@dataclass(frozen=True, slots=True)
class Order:
    """An order as intended. ``client_order_id`` is its identity here and at the venue.

    Attributes
    ----------
    not_before_ms
        Bar close of the decision: a fill never uses a bar that opened earlier.
    account
        Which account of the venue it is for; leases, cash and fill ids are per venue and account.
    limit_price, stop_price
        On the tick grid (quote); None where the type has none.
    reduce_only
        It may make a position smaller, never larger and never turn it round.
    parent_id
        Client order id of the order that this one protects or replaces; empty when it stands alone.
    signature
        Proof that the risk gate let it through, see `trading.execution.approval`. No part of its identity.
    market
        On a derivatives market a sale may open a short.
    sending_at_ms
        When *sending* was committed for this attempt, on the venue's clock; None before. An adapter
        sees to it that the venue does not accept the request once it is older than the venue's window.
    """

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
    account: str = "main"
    order_type: OrderType = OrderType.MARKET
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    reduce_only: bool = False
    role: OrderRole = OrderRole.SINGLE
    parent_id: str = ""
    market: Market = Market.SPOT
    signature: str = field(default="", compare=False, repr=False)
    sending_at_ms: int | None = field(default=None, compare=False)

    @property
    def adds_exposure(self) -> bool:
        """Whether a fill may add risk: on a spot account nothing can be sold that is not held."""
        return not self.reduce_only and (self.side is Side.BUY or self.market is not Market.SPOT)


@dataclass(frozen=True, slots=True)
class Fill:
    """An execution as the venue reports it. ``venue_fill_id`` is unique within the venue's account."""

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
    account: str = "main"
