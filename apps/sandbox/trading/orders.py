"""Orders and trades as the sandbox keeps them, spot and futures alike."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from trading.model.order import Side

ZERO = Decimal(0)
#: Types by what they do: wait for the stop price, and how they go out then.
STOPS = frozenset({"STOP_LOSS", "STOP_LOSS_LIMIT", "STOP", "STOP_MARKET"})
TAKE_PROFITS = frozenset({"TAKE_PROFIT", "TAKE_PROFIT_LIMIT", "TAKE_PROFIT_MARKET"})


class Status(StrEnum):
    """Where an order is, in Binance's words."""

    NEW = "NEW"
    PARTIALLY_FILLED = "PARTIALLY_FILLED"
    FILLED = "FILLED"
    CANCELED = "CANCELED"
    REJECTED = "REJECTED"
    EXPIRED = "EXPIRED"


OPEN = frozenset({Status.NEW, Status.PARTIALLY_FILLED})


@dataclass(frozen=True, slots=True)
class Order:
    """An order.

    Attributes
    ----------
    kind
        Its type as the venue spells it.
    price, stop_price
        Quote; None where the type has none.
    quote_quantity
        What a spot market order may spend or earn instead of ``quantity``; None for every other.
    accepted_price
        The market's price when it was accepted.
    working_ms
        Since when the book has it; None while it waits for its stop price.
    position_side, reduce_only, close_position
        Futures only.
    """

    order_id: int
    client_order_id: str
    symbol: str
    side: Side
    kind: str
    time_in_force: str
    quantity: Decimal
    created_ms: int
    updated_ms: int
    accepted_price: Decimal
    price: Decimal | None = None
    stop_price: Decimal | None = None
    quote_quantity: Decimal | None = None
    status: Status = Status.NEW
    executed: Decimal = ZERO
    executed_quote: Decimal = ZERO
    working_ms: int | None = None
    position_side: str = "BOTH"
    reduce_only: bool = False
    close_position: bool = False

    @property
    def open(self) -> bool:
        """Whether anything can still happen to it."""
        return self.status in OPEN

    @property
    def remaining(self) -> Decimal:
        """Base quantity not filled."""
        return self.quantity - self.executed

    @property
    def waits(self) -> bool:
        """Whether it is open and has not reached its stop price yet."""
        return self.open and self.working_ms is None

    def filled(self, quantity: Decimal, quote: Decimal, at_ms: int) -> Order:
        """The order after another execution."""
        executed = self.executed + quantity
        return replace(
            self,
            executed=executed,
            executed_quote=self.executed_quote + quote,
            status=Status.FILLED if executed >= self.quantity else Status.PARTIALLY_FILLED,
            updated_ms=at_ms,
        )


@dataclass(frozen=True, slots=True)
class Trade:
    """An execution of an account's order.

    Attributes
    ----------
    quote
        Price times quantity, to the eighth decimal.
    realised
        Profit (quote) of what it closed; futures only.
    """

    trade_id: int
    order_id: int
    symbol: str
    side: Side
    price: Decimal
    quantity: Decimal
    quote: Decimal
    fee: Decimal
    fee_asset: str
    at_ms: int
    maker: bool
    realised: Decimal = ZERO
    position_side: str = "BOTH"


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something happened to an order: NEW, TRADE, CANCELED, EXPIRED, or CALCULATED by a liquidation.

    Attributes
    ----------
    cancel_id
        Client id of the cancel, for CANCELED.
    """

    cause: str
    order: Order
    at_ms: int
    trade: Trade | None = None
    cancel_id: str = ""
