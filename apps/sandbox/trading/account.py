"""What every account does, spot or futures: takes orders, and lets the market fill them minute by minute.

Orders that rest or wait are looked at when a minute closes, whoever asks and how often, so the same
orders at the same moments always end the same. In the minute in which an order came, only the line from
the price then to the close counts for it; from the next minute on, the whole bar.
"""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal

from apps.sandbox.trading import errors, matching
from apps.sandbox.trading.matching import Execution, Stretch, seen
from apps.sandbox.trading.orders import OPEN, ZERO, Order, OrderEvent, Status, Trade
from apps.sandbox.trading.prices import Prices
from trading.costs.fees import fee
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS


class OrderTaker(ABC):
    """An account's orders and trades in one market; what they do to its money is the children's.

    Parameters
    ----------
    name
        The account's; ids that the venue invents follow from it.
    instruments
        By symbol.
    participation
        Share of a minute's volume that the account can get.
    now_ms
        Moment of the deposit.
    """

    def __init__(
        self,
        name: str,
        prices: Prices,
        instruments: Mapping[str, Instrument],
        *,
        maker_bps: Decimal,
        taker_bps: Decimal,
        participation: Decimal,
        now_ms: int,
    ) -> None:
        self.name = name
        self.prices = prices
        self.instruments = instruments
        self.maker_bps, self.taker_bps = maker_bps, taker_bps
        self.now_ms = now_ms
        self.orders: dict[int, Order] = {}
        self.trades: list[Trade] = []
        self.events: list[object] = []
        self._participation = participation
        self._open: dict[int, None] = {}
        self._by_client: dict[tuple[str, str], int] = {}
        self.last_id = 0

    # What the children say

    @abstractmethod
    def check_funds(self, order: Order, plan: list[Execution]) -> None:
        """Refuse an order that the account cannot pay for; ``plan`` is what it takes at once."""

    @abstractmethod
    def allowed(self, order: Order, execution: Execution) -> Execution | None:
        """The execution, made smaller where the account cannot bear all of it; None for nothing."""

    @abstractmethod
    def settle(self, order: Order, trade: Trade) -> Trade:
        """Book a trade, and return it with what only the booking knows."""

    @abstractmethod
    def fee_asset(self, order: Order) -> str:
        """Currency that the order's fee is paid in."""

    @abstractmethod
    def moved(self, order: Order, trade: Trade | None) -> None:
        """Tell of the balances that a trade, or the end of an order, has moved."""

    # Time

    def advance(self, to_ms: int) -> None:
        """Let time pass; a clock that was set back changes nothing."""
        while not self.idle():
            due = self.next_due_ms()
            if due > to_ms:
                break
            self.now_ms = due
            self.at_due()
        self.now_ms = max(self.now_ms, to_ms)

    def idle(self) -> bool:
        """Whether time changes nothing for the account."""
        return not self._open

    def next_due_ms(self) -> int:
        """The next moment at which something can happen."""
        return (self.now_ms // MINUTE_MS + 1) * MINUTE_MS

    def at_due(self) -> None:
        """Let happen what can happen now."""
        if self.now_ms % MINUTE_MS == 0:
            self.close_minute(self.now_ms - MINUTE_MS)

    def ended(self, symbol: str) -> bool:
        """Whether a symbol no longer trades."""
        delisted_ms = self.instruments[symbol].delisted_at_ms
        return delisted_ms is not None and delisted_ms <= self.now_ms

    def close_minute(self, open_ms: int) -> None:
        """Let the minute that has just closed meet the open orders; those of a symbol that ended expire."""
        for order in self.open_orders():
            if self.ended(order.symbol):
                self.close(order, Status.EXPIRED)
        for symbol in sorted({self.orders[key].symbol for key in self._open}):
            bar = self.prices.minute(symbol, open_ms)
            if bar is not None:
                self._meet(symbol, bar, open_ms)

    def _meet(self, symbol: str, bar: Stretch, open_ms: int) -> None:
        mine = [self.orders[key] for key in self._open if self.orders[key].symbol == symbol]
        for order in mine:
            if order.waits and order.order_id in self._open:
                self._trigger(order, seen(order.created_ms, order.accepted_price, bar, open_ms))
        left = bar.volume * self._participation
        resting = (order for order in mine if order.working_ms is not None)
        for order in sorted(resting, key=matching.priority):
            if order.order_id not in self._open:
                continue
            stretch = seen(order.created_ms, order.accepted_price, bar, open_ms)
            available = min(left, stretch.volume * self._participation)
            lot = self.instruments[symbol].lot_step
            execution = matching.rested(order, stretch, available, lot)
            allowed = execution and self.allowed(order, execution)
            if allowed:
                self.execute(order, allowed)
                left -= allowed.quantity
            elif execution:
                self.close(order, Status.EXPIRED)

    def _trigger(self, order: Order, stretch: Stretch) -> None:
        if order.stop_price is None:
            return
        at = matching.triggered_price(order.side, order.kind, order.stop_price, stretch)
        if at is None:
            return
        working = replace(order, working_ms=self.now_ms, updated_ms=self.now_ms)
        self._keep(working)
        self.events.append(OrderEvent("NEW", working, self.now_ms))
        self.take(working, self.plan(working, at))

    # Orders

    def accept(self, order: Order, last: Decimal) -> Order:
        """Take an order whose filters and funds are in order, and let it trade as far as it can now."""
        self.register(order)
        return order if order.waits else self.take(order, self.plan(order, last))

    def register(self, order: Order) -> None:
        """Note a new order, and tell of it."""
        self._keep(order)
        self._open[order.order_id] = None
        self._by_client[order.symbol, order.client_order_id] = order.order_id
        self.events.append(OrderEvent("NEW", order, self.now_ms))

    def plan(self, order: Order, last: Decimal) -> list[Execution]:
        """What an order would take from the book now; nothing of a fill-or-kill that is not whole."""
        found = matching.taken(
            order.side,
            last,
            order.remaining,
            level_quantity=self.depth(order.symbol),
            instrument=self.instruments[order.symbol],
            limit=order.price,
        )
        whole = sum((item.quantity for item in found), ZERO) == order.remaining
        return found if whole or order.time_in_force != "FOK" else []

    def depth(self, symbol: str) -> Decimal:
        """Base quantity that the account meets at each level of the book."""
        return self.prices.minute_volume(symbol, self.now_ms) * self._participation

    def take(self, order: Order, plan: Iterable[Execution]) -> Order:
        """Carry a plan out; what is left rests, or expires where it may not rest."""
        for execution in plan:
            allowed = self.allowed(order, execution)
            if allowed is None:
                break
            order = self.execute(order, allowed)
            if not order.open:
                return order
        stays = order.price is not None and order.time_in_force in ("GTC", "GTX")
        return order if stays else self.close(order, Status.EXPIRED)

    def execute(
        self, order: Order, execution: Execution, cause: str = "TRADE", *, fee_free: bool = False
    ) -> Order:
        """Book an execution of an order."""
        quote = (execution.price * execution.quantity).quantize(Decimal("1e-8"), rounding="ROUND_DOWN")
        trade = self.settle(
            order,
            Trade(
                trade_id=len(self.trades) + 1,
                order_id=order.order_id,
                symbol=order.symbol,
                side=order.side,
                price=execution.price,
                quantity=execution.quantity,
                quote=quote,
                fee=ZERO if fee_free else self._fee(order, execution, quote),
                fee_asset=self.fee_asset(order),
                at_ms=self.now_ms,
                maker=execution.maker,
                position_side=order.position_side,
            ),
        )
        self.trades.append(trade)
        done = order.filled(execution.quantity, quote, self.now_ms)
        self._keep(done)
        if not done.open:
            self._open.pop(done.order_id, None)
        self.events.append(OrderEvent(cause, done, self.now_ms, trade))
        self.moved(done, trade)
        return done

    def close(self, order: Order, status: Status, cancel_id: str = "") -> Order:
        """End an order that is open."""
        ended = replace(order, status=status, updated_ms=self.now_ms)
        self._keep(ended)
        self._open.pop(order.order_id, None)
        self.events.append(OrderEvent(status.value, ended, self.now_ms, cancel_id=cancel_id))
        self.moved(ended, None)
        return ended

    def cancel(self, order: Order, cancel_id: str) -> Order:
        """Cancel an open order."""
        if order.status not in OPEN:
            raise errors.nothing_to_cancel()
        return self.close(order, Status.CANCELED, cancel_id)

    # Looking things up

    def open_orders(self, symbol: str | None = None) -> list[Order]:
        """Every order at work or waiting, oldest first."""
        found = (self.orders[key] for key in self._open)
        return [order for order in found if symbol is None or order.symbol == symbol]

    def find(self, symbol: str, order_id: int | None, client_order_id: str | None) -> Order | None:
        """An order by either id; a client id that was used again names the latest."""
        key = self._by_client.get((symbol, client_order_id or "")) if order_id is None else order_id
        order = None if key is None else self.orders.get(key)
        return order if order is not None and order.symbol == symbol else None

    def is_open(self, symbol: str, client_order_id: str) -> bool:
        """Whether an open order has the client id."""
        return self._by_client.get((symbol, client_order_id)) in self._open

    def next_id(self) -> int:
        """A new order's id."""
        self.last_id += 1
        return self.last_id

    def invented_id(self, purpose: str, number: int) -> str:
        """A client id for the order or cancel of a number that came without one, the same after a restart."""
        text = f"{type(self).__name__}/{self.name}/{purpose}/{number}"
        return hashlib.blake2b(text.encode(), digest_size=11).hexdigest()

    def _keep(self, order: Order) -> None:
        self.orders[order.order_id] = order

    def _fee(self, order: Order, execution: Execution, quote: Decimal) -> Decimal:
        bps = self.maker_bps if execution.maker else self.taker_bps
        instrument = self.instruments[order.symbol]
        return fee(execution.quantity if self.fee_asset(order) == instrument.base else quote, bps)
