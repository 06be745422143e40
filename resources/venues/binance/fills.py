"""Executions of our own orders: what the venue lists, with what only our order knows."""

from __future__ import annotations

from trading.model.account import VenueFill
from trading.model.order import Fill, Order, Side


def of_order(order: Order, listed: VenueFill) -> Fill:
    """A fill of our order; its slippage is against the order's reference price."""
    sign = 1 if order.side is Side.BUY else -1
    reference = order.reference_price
    slippage = float(sign * (listed.price - reference) / reference) * 10_000.0 if reference else float("nan")
    return Fill(
        venue=order.venue,
        venue_fill_id=listed.venue_fill_id,
        client_order_id=order.client_order_id,
        symbol=listed.symbol,
        side=listed.side,
        quantity=listed.quantity,
        price=listed.price,
        fee=listed.fee,
        fee_currency=listed.fee_currency,
        filled_at_ms=listed.filled_at_ms,
        slippage_bps=slippage,
        account=order.account,
    )
