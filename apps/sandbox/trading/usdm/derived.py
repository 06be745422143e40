"""Orders that no request asked for: sent by a conditional order, or by the exchange itself."""

from __future__ import annotations

from decimal import Decimal

from apps.sandbox.trading.orders import Order
from apps.sandbox.trading.usdm.algos import AlgoOrder
from apps.sandbox.trading.usdm.positions import Position
from trading.model.order import Side


def triggered_order(algo: AlgoOrder, held: Position, last: Decimal, order_id: int, now_ms: int) -> Order:
    """What a conditional order sends; ``held`` is the position that it may close whole."""
    return Order(
        order_id=order_id,
        client_order_id=algo.client_id,
        symbol=algo.symbol,
        side=algo.side,
        kind="MARKET" if algo.price is None else "LIMIT",
        time_in_force=algo.time_in_force,
        quantity=abs(held.amount) if algo.quantity is None else algo.quantity,
        price=algo.price,
        created_ms=now_ms,
        updated_ms=now_ms,
        accepted_price=last,
        working_ms=now_ms,
        position_side=algo.position_side,
        reduce_only=algo.reduce_only or algo.close_position,
        close_position=algo.close_position,
    )


def closing_order(position: Position, prefix: str, mark: Decimal, order_id: int, now_ms: int) -> Order:
    """What the exchange sends to close a position; the prefix of its client id tells why."""
    return Order(
        order_id=order_id,
        client_order_id=f"{prefix}-{now_ms}{order_id}",
        symbol=position.symbol,
        side=Side.SELL if position.amount > 0 else Side.BUY,
        kind="LIMIT",
        time_in_force="IOC",
        quantity=abs(position.amount),
        price=mark,
        created_ms=now_ms,
        updated_ms=now_ms,
        accepted_price=mark,
        working_ms=now_ms,
        position_side=position.side,
        reduce_only=True,
    )
