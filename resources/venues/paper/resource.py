"""The paper venue: real bars, real costs, a durable book, no money."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from resources.venues.paper import account
from resources.venues.paper.client import (
    BookEntry,
    insert_order,
    read_entry,
    read_open,
    require_entry,
    set_state,
)
from resources.venues.paper.floor import Bars, Floor
from resources.venues.paper.parse import order_content
from trading.costs.model import CostModel
from trading.errors import BadData, RetryLater
from trading.execution.filters import broken_filters, to_decimal
from trading.execution.triggers import is_conditional
from trading.model.account import CashMove, VenueBalance, VenueFill, VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.interval import MINUTE_MS
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side
from trading.ports import Clock, OrderReport
from trading.reconciliation.state import MANUAL_DESK
from warehouse.ledger.backend import Ledger

#: Oldest bar whose price a reduction may be judged by.
_PRICE_AGE_MS = 60 * MINUTE_MS


class PaperVenue:
    """Implements `trading.ports.Venue` and `Account` on the ledger's ``paper_orders`` and ``paper_fills``.

    An order is in the book once `submit` has committed. It fills from the bars that open at or after
    its ``not_before_ms`` and have closed by the clock; every call looks for new bars, so an order
    whose bars are still to come rests until a later `lookup`. Stops and take-profits of a symbol go out in
    the order of the bars that set them off, a stop first within a bar. What protects an entry never closes
    more than its desk and strategy hold; that one leg is over ends no other, as at most venues.

    Parameters
    ----------
    bars
        Source of minute bars; may raise `RetryLater`, then the order rests.
    instruments
        The venue's filters by symbol; an order that breaks one is rejected, as a venue would.
    currency
        What the symbols are quoted in.
    looks
        What this process has looked at already, see `Floor`; None: nothing, and for this object only.
    """

    name = "paper"
    absence_proven_after_ms = 0
    derivatives = False

    def __init__(
        self,
        ledger: Ledger,
        bars: Bars,
        costs: CostModel,
        instruments: Mapping[str, Instrument],
        clock: Clock,
        currency: str = "USDT",
        looks: dict[str, int] | None = None,
    ) -> None:
        self._ledger = ledger
        self._bars = bars
        self._floor = Floor(ledger, bars, costs, currency, {} if looks is None else looks)
        self._instruments = instruments
        self._clock = clock
        self._currency = currency

    def submit(self, order: Order) -> OrderReport:
        """Accept an order once; the same id with the same content is the same order, already here.

        The same id with other content is rejected, and the first order stays as it is.
        """
        with self._ledger.transaction() as transaction:
            entry = read_entry(transaction, order.client_order_id)
            if entry is None:
                broken = self._refusal(order)
                state = OrderState.REJECTED if broken else OrderState.OPEN
                entry = insert_order(transaction, order, state, broken, self._clock.now_ms())
        if entry.content != order_content(order):
            reason = f"client order id {order.client_order_id} was already used for another order"
            return OrderReport(order.client_order_id, OrderState.REJECTED, (), reason)
        return self._matched(entry).report

    def lookup(self, client_order_id: str) -> OrderReport | None:
        """State and fills of an order, with what can be matched by now; None: it never arrived."""
        with self._ledger.read() as transaction:
            entry = read_entry(transaction, client_order_id)
        return None if entry is None else self._matched(entry).report

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel what has not filled by now; a terminal order stays as it is.

        Raises
        ------
        BadData
            If the venue has no such order: `lookup` tells whether it ever arrived.
        """
        with self._ledger.read() as transaction:
            entry = read_entry(transaction, client_order_id)
        if entry is None:
            raise BadData(f"paper venue: no order {client_order_id}; ask lookup before cancelling")
        self._matched(entry)
        with self._ledger.transaction() as transaction:
            entry = require_entry(transaction, client_order_id)
            if not entry.order.state.terminal:
                reason = "cancelled on request"
                set_state(transaction, client_order_id, OrderState.CANCELLED, reason, self._clock.now_ms())
                entry = require_entry(transaction, client_order_id)
        return entry.report

    def now_ms(self) -> int:
        """The clock that the bars are replayed by."""
        return self._clock.now_ms()

    def open_orders(self) -> list[VenueOrder]:
        """Every order that is at work once what can be matched by now has been."""
        with self._ledger.read() as transaction:
            entries = read_open(transaction)
        now_ms = self._clock.now_ms() if entries else 0
        waiting = [entry for entry in entries if not self._floor.has_seen_all(entry, now_ms)]
        # One look at a symbol's bars is one for all that wait for its price.
        firsts = {item.order.symbol: item for item in reversed(waiting) if is_conditional(item.order)}
        for entry in waiting:
            if not is_conditional(entry.order) or firsts[entry.order.symbol] is entry:
                self._matched(entry, now_ms)
        if waiting:
            with self._ledger.read() as transaction:
                entries = read_open(transaction)
        return [account.venue_order(entry) for entry in entries]

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        """Every execution of the symbols from a moment on, oldest first."""
        with self._ledger.read() as transaction:
            return account.fills(transaction, symbols, since_ms)

    def balances(self) -> list[VenueBalance]:
        """Every currency with anything in it."""
        with self._ledger.read() as transaction:
            return account.balances(transaction, self.name, self._currency)

    def positions(self) -> list[VenuePosition]:
        """None: a spot account."""
        return []

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        """None: what is paid in is the ledger's own deposit."""
        return []

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order; one that has ended, or is not here, is no error."""
        if self.lookup(order.client_order_id) is not None:
            self.cancel(order.client_order_id)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Sell at most what the venue's book holds of the symbol, from the next bar on.

        Raises
        ------
        BadData
            If it would sell more than is held, or the venue would reject it.
        """
        self._require_held(symbol, side, quantity)
        price = self._newest_price(symbol)
        self._submit_or_refuse(self._reducing(symbol, side, quantity, price, client_order_id))

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop that sells at most what the venue's book holds of the symbol. Raises as `reduce` does."""
        self._require_held(symbol, side, quantity)
        stop = self._reducing(symbol, side, quantity, stop_price, client_order_id)
        self._submit_or_refuse(
            replace(stop, order_type=OrderType.STOP, stop_price=stop_price, role=OrderRole.STOP)
        )

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """False: the paper venue has no such timer."""
        return False

    def _require_held(self, symbol: str, side: Side, quantity: Decimal) -> None:
        held = {item.currency: item.free for item in self.balances()}
        coin = symbol.removesuffix(self._currency)
        if side is not Side.SELL or quantity > held.get(coin, 0):
            raise BadData(
                f"{side} {quantity} {symbol} reduces nothing: the paper account holds {held.get(coin, 0)}"
            )

    def _reducing(
        self, symbol: str, side: Side, quantity: Decimal, price: Decimal, client_order_id: str
    ) -> Order:
        return Order(
            client_order_id=client_order_id,
            decision_id="",
            tick_id="",
            venue=self.name,
            desk=MANUAL_DESK,
            strategy_id="",
            symbol=symbol,
            side=side,
            quantity=quantity,
            reference_price=price,
            state=OrderState.INTENT,
            created_at_ms=self.now_ms(),
            not_before_ms=self.now_ms(),
            reduce_only=True,
        )

    def _submit_or_refuse(self, order: Order) -> None:
        report = self.submit(order)
        if report.state is OrderState.REJECTED:
            raise BadData(f"paper venue rejected {order.client_order_id}: {report.reason}")

    def _newest_price(self, symbol: str) -> Decimal:
        bars = self._bars(symbol, self.now_ms() - _PRICE_AGE_MS).sort("open_time")
        if bars.is_empty():
            raise RetryLater(
                f"{symbol} has not traded for {_PRICE_AGE_MS // MINUTE_MS} minutes: no price to reduce at"
            )
        return to_decimal(bars["open"][-1])

    def _refusal(self, order: Order) -> str:
        """Why the venue would not take the order; empty when it would."""
        if order.venue != self.name:
            return f"order is for venue {order.venue!r}, this is {self.name!r}"
        if order.order_type is OrderType.LIMIT:
            return f"order type {order.order_type.value!r}: the paper venue has no order book to rest in"
        if is_conditional(order) and order.stop_price is None:
            return f"a {order.order_type.value} order needs a stop_price"
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            return f"unknown symbol {order.symbol!r}"
        if instrument.status != "TRADING":
            return f"{order.symbol} is not trading: status {instrument.status!r}"
        return "; ".join(broken_filters(instrument, order.quantity, order.reference_price))

    def _matched(self, entry: BookEntry, now_ms: int | None = None) -> BookEntry:
        """The entry after matching against the bars closed by now."""
        order = entry.order
        if order.state.terminal:
            return entry
        now_ms = self._clock.now_ms() if now_ms is None else now_ms
        if now_ms < order.not_before_ms + MINUTE_MS:
            return entry  # no minute that could fill it has closed yet
        instrument = self._instruments.get(order.symbol)
        if instrument is None:
            return replace(entry, reason=f"resting: filters of {order.symbol} are unknown now")
        try:
            return self._floor.meet(entry, instrument, now_ms)
        except RetryLater as error:
            # The order is in the book whatever the bars do; to raise here would deny its effect.
            return replace(entry, reason=f"resting: {error}")
