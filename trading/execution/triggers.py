"""When a stop or a take-profit goes out, seen from the minute bars that followed it."""

from __future__ import annotations

from decimal import Decimal

import polars as pl

from trading.model.order import Order, OrderType, Side

_CONDITIONAL = (OrderType.STOP, OrderType.TAKE_PROFIT)


def is_conditional(order: Order) -> bool:
    """Whether an order waits for a price before it goes out."""
    return order.order_type in _CONDITIONAL


def triggered_at_ms(order: Order, minute_bars: pl.DataFrame) -> int | None:
    """Open time of the first bar that trades at the order's price or beyond; None when none does.

    A stop that sells waits for the low, one that buys for the high; a take-profit the other way round. Only
    bars that open at or after ``order.not_before_ms`` and have volume count.

    Parameters
    ----------
    minute_bars
        Closed klines with columns symbol, open_time (UTC), high, low, volume; other symbols are ignored.
    """
    if order.stop_price is None:
        return None
    price = float(order.stop_price)
    falling = (order.order_type is OrderType.STOP) is (order.side is Side.SELL)
    reached = pl.col("low") <= price if falling else pl.col("high") >= price
    opened = pl.col("open_time").dt.epoch("ms")
    first = minute_bars.filter(
        (pl.col("symbol") == order.symbol)
        & (opened >= order.not_before_ms)
        & (pl.col("volume") > 0)
        & reached
    ).select(opened.min())
    return None if first.item() is None else int(first.item())


def arrival(order: Order, open_price: Decimal) -> Decimal:
    """Price (quote) that an order meets in the bar that sets it off: its own, or a worse open."""
    if order.stop_price is None:
        return open_price
    worse = min if order.side is Side.SELL else max
    return worse(order.stop_price, open_price) if order.order_type is OrderType.STOP else order.stop_price
