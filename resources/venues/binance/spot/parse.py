"""From the spot API's answers to our records; pure."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

from resources.venues.binance.fills import of_order
from resources.venues.binance.spot.schemas import (
    Commission,
    Deposit,
    SpotOrder,
    SpotTrade,
    Withdrawal,
)
from resources.venues.binance.states import (
    cause_of,
    fill_id,
    price_or_none,
    side_of,
    state_of,
    type_of,
)
from trading.errors import BadData
from trading.instruments.terms import FeeTier
from trading.model.account import CashKind, CashMove, VenueFill, VenueOrder
from trading.model.order import Fill, Order
from trading.ports import OrderReport

_CREDITED = frozenset({1, 6})
_SENT_OUT = 6
_BPS = 10_000


def venue_order(row: SpotOrder) -> VenueOrder:
    """An order as the venue lists it."""
    where = f"order {row.orderId} of {row.symbol}"
    return VenueOrder(
        client_order_id=row.clientOrderId,
        venue_order_id=str(row.orderId),
        symbol=row.symbol,
        side=side_of(row.side, where),
        order_type=type_of(row.type, where),
        quantity=row.origQty,
        executed=row.executedQty,
        state=state_of(row.status, where, quantity=row.origQty, executed=row.executedQty),
        updated_at_ms=row.updateTime or row.transactTime,
        limit_price=price_or_none(row.price),
        stop_price=price_or_none(row.stopPrice),
    )


def venue_fill(row: SpotTrade, client_order_id: str) -> VenueFill:
    """An execution as the venue lists it; whose order it was is found apart."""
    return VenueFill(
        venue_fill_id=fill_id(row.symbol, row.id),
        venue_order_id=str(row.orderId),
        client_order_id=client_order_id,
        symbol=row.symbol,
        side=side_of("BUY" if row.isBuyer else "SELL", f"trade {row.id}"),
        quantity=row.qty,
        price=row.price,
        fee=row.commission,
        fee_currency=row.commissionAsset,
        filled_at_ms=row.time,
        cause=cause_of(client_order_id),
    )


def answered(row: SpotOrder, order: Order) -> OrderReport:
    """The report in the answer to a new order, which lists its first fills."""
    where = f"order {order.client_order_id}"
    listed = (
        VenueFill(
            venue_fill_id=fill_id(row.symbol, item.tradeId),
            venue_order_id=str(row.orderId),
            client_order_id=order.client_order_id,
            symbol=row.symbol,
            side=side_of(row.side, where),
            quantity=item.qty,
            price=item.price,
            fee=item.commission,
            fee_currency=item.commissionAsset,
            filled_at_ms=row.transactTime,
        )
        for item in row.fills
    )
    return report(row, order, tuple(of_order(order, item) for item in listed))


def report(row: SpotOrder, order: Order, fills: tuple[Fill, ...]) -> OrderReport:
    """What the venue says of our order.

    Raises
    ------
    BadData
        If it speaks of another order.
    """
    if row.clientOrderId != order.client_order_id or row.symbol != order.symbol:
        raise BadData(
            f"order {order.client_order_id} of {order.symbol}: the venue answered with {row.clientOrderId} of "
            f"{row.symbol}"
        )
    found = venue_order(row)
    return OrderReport(
        order.client_order_id, found.state, fills, f"Binance: {row.status}", executed=row.executedQty
    )


def fee_tier(commission: Commission) -> FeeTier:
    """Fees in basis points, without discount: the dearer side of a trade, taxes included."""
    parts = [commission.standardCommission, commission.taxCommission]
    if commission.specialCommission is not None:
        parts.append(commission.specialCommission)
    side = sum((max(part.buyer, part.seller) for part in parts), Decimal(0))
    maker = sum((part.maker for part in parts), side)
    taker = sum((part.taker for part in parts), side)
    return FeeTier(maker * _BPS, taker * _BPS)


def deposit(row: Deposit) -> CashMove | None:
    """A deposit that has been credited; None for one that has not."""
    if row.status not in _CREDITED:
        return None
    return CashMove(f"deposit-{row.txId}", CashKind.DEPOSIT, row.coin, row.amount, row.insertTime)


def withdrawal(row: Withdrawal) -> CashMove | None:
    """A withdrawal that went out, with its fee; None for one that did not (or not yet)."""
    if row.status != _SENT_OUT:
        return None
    amount = -(row.amount + row.transactionFee)
    at_ms = _time_ms(row.applyTime, f"withdrawal {row.id}")
    return CashMove(f"withdrawal-{row.id}", CashKind.WITHDRAWAL, row.coin, amount, at_ms)


def _time_ms(text: str, where: str) -> int:
    try:
        moment = datetime.fromisoformat(text).replace(tzinfo=UTC)
    except ValueError as error:
        raise BadData(f"{where}: applyTime is {text!r}, expected 2019-10-12 11:12:02") from error
    return int(moment.timestamp() * 1_000)
