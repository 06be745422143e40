"""Order in a stream that may repeat, reorder and lose: each fill once, news only forward, gaps named; pure.

Binance numbers no messages of the user-data stream. What an order has executed in all, beside what it
executed last, tells when a fill between two events is missing.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import replace
from decimal import Decimal
from typing import TypeVar

from resources.venues.binance.stream.events import OrderUpdate, Resync, StreamEvent

_Key = TypeVar("_Key")
_Value = TypeVar("_Value")

#: What is remembered: orders and fills of this many events back.
_REMEMBERED = 10_000


class Sequence:
    """Follows one connection after another; what was seen once stays seen."""

    def __init__(self, remembered: int = _REMEMBERED) -> None:
        self._remembered = remembered
        self._fills: OrderedDict[str, None] = OrderedDict()
        self._orders: OrderedDict[tuple[str, str], tuple[int, Decimal]] = OrderedDict()

    def restart(self) -> None:
        """A new connection: what orders executed in the meantime is not known, the fills seen stay seen."""
        self._orders.clear()

    def order(self, update: OrderUpdate) -> list[StreamEvent]:
        """What is new in an update of an order: nothing, the update, or the update and the call for a resync."""
        order = update.order
        if order is None:
            return [update]
        fill = update.fill
        if fill is not None and fill.venue_fill_id in self._fills:
            return []
        key = (order.symbol, order.venue_order_id)
        before = self._orders.get(key)
        if fill is not None:
            self._remember(self._fills, fill.venue_fill_id, None)
        if before is None:
            self._remember(self._orders, key, (update.at_ms, order.executed))
            return [update]
        seen_ms, executed = before
        if update.at_ms < seen_ms or order.executed < executed:
            if fill is None:
                return []
            what = f"order {order.client_order_id}: fill {fill.venue_fill_id} came after newer events"
            return [replace(update, order=None), Resync(what)]
        self._remember(self._orders, key, (update.at_ms, order.executed))
        expected = executed + (fill.quantity if fill is not None else 0)
        if order.executed != expected:
            what = f"order {order.client_order_id}: {order.executed} executed, the events tell of {expected}"
            return [update, Resync(f"{what}; a fill is missing")]
        return [update]

    def _remember(self, memory: OrderedDict[_Key, _Value], key: _Key, value: _Value) -> None:
        memory[key] = value
        memory.move_to_end(key)
        while len(memory) > self._remembered:
            memory.popitem(last=False)
