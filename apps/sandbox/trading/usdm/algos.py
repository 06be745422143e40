"""Conditional futures orders: they wait outside the book and send an order when their price is reached."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from trading.model.order import Side


class AlgoStatus(StrEnum):
    """Where a conditional order is, in Binance's words."""

    NEW = "NEW"
    FINISHED = "FINISHED"
    CANCELED = "CANCELED"
    EXPIRED = "EXPIRED"
    REJECTED = "REJECTED"


@dataclass(frozen=True, slots=True)
class AlgoOrder:
    """A conditional order.

    Attributes
    ----------
    kind
        STOP, STOP_MARKET, TAKE_PROFIT or TAKE_PROFIT_MARKET.
    quantity
        Base; None closes the whole position.
    by_mark
        Whether the mark price triggers it, or the last price.
    triggered_ms, sent_order_id
        When it sent its order, and that order's id; None before.
    reason
        Why its order was refused.
    """

    algo_id: int
    client_id: str
    symbol: str
    side: Side
    kind: str
    time_in_force: str
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal
    by_mark: bool
    reduce_only: bool
    position_side: str
    created_ms: int
    updated_ms: int
    accepted_price: Decimal
    status: AlgoStatus = AlgoStatus.NEW
    triggered_ms: int | None = None
    sent_order_id: int | None = None
    reason: str = ""

    @property
    def close_position(self) -> bool:
        """Whether it closes whatever the position is then."""
        return self.quantity is None


@dataclass(frozen=True, slots=True)
class AlgoEvent:
    """Something happened to a conditional order: its status then, or TRIGGERING and TRIGGERED.

    Attributes
    ----------
    executed, average
        Base quantity that its order has filled, and the mean price (quote); 0 before.
    """

    stage: str
    algo: AlgoOrder
    executed: Decimal
    average: Decimal
    at_ms: int
