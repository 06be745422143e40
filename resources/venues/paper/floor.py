"""How the paper venue's orders fill: from the minute bars that followed, in the order of the market."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

import polars as pl

from resources.venues.paper.client import (
    BookEntry,
    insert_fills,
    net_quantity,
    read_open,
    require_entry,
    set_seen,
    set_state,
)
from trading.costs.model import CostModel
from trading.execution.links import PROTECTIVE
from trading.execution.matching import match
from trading.execution.triggers import is_conditional, triggered_at_ms
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS
from trading.model.order import Order, OrderState, OrderType, Side
from warehouse.ledger.backend import Ledger, Transaction

#: How many new bars without effect are worth noting that they have been looked at.
_SEEN_STEP_MS = 30 * MINUTE_MS

#: Closed one-minute klines of a symbol from a moment (milliseconds) on.
Bars = Callable[[str, int], pl.DataFrame]


@dataclass(frozen=True, slots=True)
class Floor:
    """Where the book meets the bars.

    Attributes
    ----------
    bars
        Source of minute bars; may raise `RetryLater`.
    currency
        What the symbols are quoted in.
    looks
        Up to which moment the bars have been looked at in vain for an order that waits for a price, by client
        order id: no newer minute has closed, nothing to look for. Shared by whoever works in this process.
    """

    ledger: Ledger
    bars: Bars
    costs: CostModel
    currency: str
    looks: dict[str, int]

    def meet(self, entry: BookEntry, instrument: Instrument, now_ms: int) -> BookEntry:
        """Fill an order from the bars closed by now, and with it what else waits for a price of its symbol."""
        order = entry.order
        if not is_conditional(order):
            return self._fill(
                entry, self._closed_bars(order.symbol, order.not_before_ms, now_ms), instrument, now_ms
            )
        if self.has_seen_all(entry, now_ms):
            return entry
        with self.ledger.read() as transaction:
            waiting = [each for each in read_open(transaction, order.symbol) if is_conditional(each.order)]
        bars = self._closed_bars(order.symbol, min(map(_unseen_from_ms, (entry, *waiting))), now_ms)
        for each in sorted(waiting, key=lambda each: _turn(each, bars)):
            name = each.order.client_order_id
            if _has_gone_out(each, bars):
                self.looks.pop(name, None)
            else:
                self.looks[name] = _end_ms(bars)
                if not _worth_noting(each, bars):
                    continue
            after = self._fill(each, bars, instrument, now_ms)
            entry = after if name == order.client_order_id else entry
        return entry

    def has_seen_all(self, entry: BookEntry, now_ms: int) -> bool:
        """Whether no minute has closed since the bars were last looked at in vain for an order."""
        return self.looks.get(entry.order.client_order_id, -MINUTE_MS) + MINUTE_MS > now_ms

    def _closed_bars(self, symbol: str, since_ms: int, now_ms: int) -> pl.DataFrame:
        # Outside any transaction: it may be slow.
        opened = pl.col("open_time").dt.epoch("ms")
        return self.bars(symbol, since_ms).filter(opened + MINUTE_MS <= now_ms)

    def _fill(self, entry: BookEntry, bars: pl.DataFrame, instrument: Instrument, now_ms: int) -> BookEntry:
        name = entry.order.client_order_id
        with self.ledger.transaction() as transaction:
            entry = require_entry(transaction, name)
            order = entry.order
            if order.state.terminal:
                return entry
            largest = self._still_held(transaction, order) if order.role in PROTECTIVE else None
            fills = match(order, bars, self.costs, instrument, entry.fills, largest=largest)
            added = sum((fill.quantity for fill in fills), Decimal(0))
            filled = added + sum((fill.quantity for fill in entry.fills), Decimal(0))
            insert_fills(transaction, fills)
            if filled == order.quantity:
                set_state(transaction, name, OrderState.FILLED, "", now_ms)
            elif added == largest and _has_gone_out(entry, bars):
                set_state(transaction, name, OrderState.EXPIRED, "nothing is left to reduce", now_ms)
            elif fills:
                set_state(transaction, name, OrderState.PARTIALLY_FILLED, "", now_ms)
            elif is_conditional(order) and _worth_noting(entry, bars):
                set_seen(transaction, name, _end_ms(bars))
            else:
                return entry
            return require_entry(transaction, name)

    def _still_held(self, transaction: Transaction, order: Order) -> Decimal:
        """What the book holds that an order could reduce (base)."""
        net = net_quantity(transaction, order, self.currency)
        return max(net if order.side is Side.SELL else -net, Decimal(0))


def _unseen_from_ms(entry: BookEntry) -> int:
    """From when on bars may still matter to an order that waits for a price."""
    if entry.fills:
        return entry.fills[-1].filled_at_ms
    return max(entry.order.not_before_ms, entry.seen_until_ms)


def _turn(entry: BookEntry, bars: pl.DataFrame) -> tuple[float, bool, str]:
    """When an order has its turn: what a bar sets off goes before what a later one does, and stops go first."""
    order = entry.order
    gone_ms = 0 if entry.fills else triggered_at_ms(order, bars)
    at_ms = math.inf if gone_ms is None else gone_ms
    return at_ms, order.order_type is not OrderType.STOP, order.client_order_id


def _has_gone_out(entry: BookEntry, bars: pl.DataFrame) -> bool:
    """Whether an order no longer waits for a price."""
    waits = is_conditional(entry.order) and not entry.fills
    return not waits or triggered_at_ms(entry.order, bars) is not None


def _worth_noting(entry: BookEntry, bars: pl.DataFrame) -> bool:
    """Whether many bars have been looked at in vain."""
    return not _has_gone_out(entry, bars) and _end_ms(bars) - _unseen_from_ms(entry) >= _SEEN_STEP_MS


def _end_ms(bars: pl.DataFrame) -> int:
    newest = bars.select(pl.col("open_time").dt.epoch("ms").max()).item()
    return 0 if newest is None else int(newest) + MINUTE_MS
