"""Paper matching: what an order would have got at the market, from the minute bars that followed it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

import polars as pl

from trading.costs.fees import fee
from trading.costs.model import CostModel
from trading.execution.filters import floor_to, price_against, to_decimal
from trading.execution.triggers import arrival, is_conditional, triggered_at_ms
from trading.model.instrument import Instrument
from trading.model.order import Fill, Order, Side


def match(
    order: Order,
    minute_bars: pl.DataFrame,
    costs: CostModel,
    instrument: Instrument,
    earlier: Sequence[Fill] = (),
    *,
    largest: Decimal | None = None,
) -> tuple[Fill, ...]:
    """Fills of an order that the bars add to the earlier ones; empty when none.

    Each bar that opens at or after ``order.not_before_ms`` (and after the last earlier fill) and has
    volume fills up to ``costs.participation_fraction`` of it, on the lot grid, at its open worsened by
    half the spread, slippage and impact and rounded against us to the tick. What is left waits for the
    next bar, so more bars only ever append fills.

    Parameters
    ----------
    minute_bars
        Closed klines with columns symbol, open_time (UTC), open, volume; other symbols are ignored.
    earlier
        All fills of the order so far, oldest first.

    Returns
    -------
    tuple of Fill
        Ids ``<client_order_id>-<n>`` count from 1 over all fills. ``slippage_bps`` is against the open
        of the bar (the price met, in the bar that sets an order off), ``filled_at_ms`` its open time, the
        fee is in the quote currency.
    """
    remaining = order.quantity - sum((item.quantity for item in earlier), Decimal(0))
    if largest is not None:
        remaining = min(remaining, largest)
    after_ms = max((item.filled_at_ms for item in earlier), default=-1)
    set_off_ms = None
    if is_conditional(order) and not earlier:
        set_off_ms = triggered_at_ms(order, minute_bars)
        if set_off_ms is None:
            return ()
        after_ms = set_off_ms - 1
    opened = pl.col("open_time").dt.epoch("ms")
    bars = (
        minute_bars.filter(
            (pl.col("symbol") == order.symbol)
            & (opened >= order.not_before_ms)
            & (opened > after_ms)
            & pl.col("volume").is_finite()
            & pl.col("open").is_finite()
            & (pl.col("volume") > 0)
            & (pl.col("open") > 0)
        )
        .sort("open_time")
        .select(opened.alias("opened"), "open", "volume")
    )
    fills: list[Fill] = []
    for opened_ms, open_price, volume in bars.iter_rows():
        if remaining <= 0:
            break
        room = to_decimal(volume) * to_decimal(costs.participation_fraction)
        # The last piece may be off the grid (a holding that was never on it): it goes out whole.
        quantity = remaining if remaining <= room else floor_to(room, instrument.lot_step)
        if quantity <= 0:
            continue
        number = len(earlier) + len(fills) + 1
        met = to_decimal(open_price)
        if opened_ms == set_off_ms:
            met = arrival(order, met)
        fills.append(_fill(order, instrument, costs, number, opened_ms, met, volume, quantity))
        remaining -= quantity
    return tuple(fills)


def _fill(
    order: Order,
    instrument: Instrument,
    costs: CostModel,
    number: int,
    opened_ms: int,
    met: Decimal,
    volume: float,
    quantity: Decimal,
) -> Fill:
    sign = 1 if order.side is Side.BUY else -1
    slippage = to_decimal(costs.slippage_bps_of(float(quantity), volume)) / 10_000
    price = price_against(met * (1 + sign * slippage), order.side, instrument.tick_size)
    return Fill(
        venue=order.venue,
        venue_fill_id=f"{order.client_order_id}-{number}",
        client_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        quantity=quantity,
        price=price,
        fee=fee(quantity * price, costs.taker_fee_bps),
        fee_currency=instrument.quote,
        filled_at_ms=opened_ms,
        slippage_bps=float(sign * (price - met) / met) * 10_000.0,
        account=order.account,
    )
