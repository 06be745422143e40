"""A futures account: orders, conditional orders, funding, liquidation and the dead man's timer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Any

from apps.sandbox.errors import ApiError
from apps.sandbox.trading import matching
from apps.sandbox.trading.account import OrderTaker
from apps.sandbox.trading.matching import Execution
from apps.sandbox.trading.orders import ZERO, Order, Trade
from apps.sandbox.trading.prices import Prices
from apps.sandbox.trading.usdm import errors, margin
from apps.sandbox.trading.usdm.algos import AlgoEvent, AlgoOrder, AlgoStatus
from apps.sandbox.trading.usdm.derived import closing_order, triggered_order
from apps.sandbox.trading.usdm.positions import Position
from apps.sandbox.trading.usdm.wallet import Wallet, under_water
from trading.model.order import Side

#: Funding rate (fraction) that is paid at a moment for a symbol; None where none is.
FundingRates = Callable[[str, int], Decimal | None]


@dataclass(frozen=True, slots=True)
class WalletMoved:
    """The wallet and positions as they are after something moved them.

    Attributes
    ----------
    cause
        ORDER or FUNDING_FEE.
    change
        What moved (quote) besides profit and fees.
    marks
        Mark price of each position.
    """

    cause: str
    balance: Decimal
    cross_balance: Decimal
    change: Decimal
    positions: tuple[Position, ...]
    marks: tuple[Decimal, ...]
    at_ms: int


class FuturesAccount(OrderTaker):
    """Orders and positions in USDT-margined perpetuals.

    Positions are valued at the mark price of the minute that closed last; funding and liquidation are
    looked at when a minute closes.
    """

    def __init__(
        self, name: str, deposit: Decimal, *, marks: Prices, funding: FundingRates, **market: Any
    ) -> None:
        super().__init__(name, **market)
        self.wallet = Wallet(deposit, self.now_ms)
        self.algos: dict[int, AlgoOrder] = {}
        self.countdowns: dict[str, int] = {}
        self._marks = marks
        self._funding = funding

    # Money

    def mark(self, symbol: str) -> Decimal:
        """Mark price (quote) now."""
        found = self._marks.last(symbol, self.now_ms) or self.prices.last(symbol, self.now_ms)
        if found is None:
            raise errors.no_price()
        return found

    def reserved(self, symbol: str | None = None) -> Decimal:
        """Margin (quote) that open orders hold."""
        return sum((self._order_margin(item) for item in self.open_orders(symbol)), ZERO)

    def available(self) -> Decimal:
        """Cash (quote) for new orders."""
        return self.wallet.available(self.mark, self.reserved())

    def liquidation_price(self, position: Position) -> Decimal:
        """Where the position would be liquidated (quote), on the tick grid's scale; 0 for nowhere."""
        cash = self.wallet.margin_of(position, self.mark)
        return margin.liquidation_price(position, cash, self.mark(position.symbol))

    def check_funds(self, order: Order, plan: list[Execution]) -> None:
        """Refuse an order that the margin or the leverage does not allow, or that only seems to reduce."""
        position = self.wallet.position(order.symbol, order.position_side)
        if order.reduce_only or self._hedge_close(order):
            if position.amount * _sign(order.side) >= 0 or (
                not order.reduce_only and order.quantity > abs(position.amount)
            ):
                raise errors.reduce_only_refused()
            return
        growth = self._growth(order)
        price = order.price or (plan[-1].price if plan else order.accepted_price)
        leverage = self.wallet.leverage(order.symbol)
        if growth * price * (1 / Decimal(leverage) + self.taker_bps / 10_000) > self.available():
            raise errors.insufficient_margin()
        after = abs(position.amount + _sign(order.side) * order.quantity) * price
        if growth and after > margin.largest_notional(leverage):
            raise errors.too_large_for_leverage()

    def allowed(self, order: Order, execution: Execution) -> Execution | None:
        """The execution, cut to the position where the order may only reduce."""
        if not order.reduce_only and not self._hedge_close(order):
            return execution
        position = self.wallet.position(order.symbol, order.position_side)
        if position.amount * _sign(order.side) >= 0:
            return None
        return replace(execution, quantity=min(execution.quantity, abs(position.amount)))

    def settle(self, order: Order, trade: Trade) -> Trade:
        """Book a trade on its position; a loss beyond the last of the wallet is the insurance fund's."""
        realised = self.wallet.book(order, trade)
        if self.wallet.balance < 0 and not self.wallet.held():
            self.wallet.move("INSURANCE_CLEAR", order.symbol, -self.wallet.balance, self.now_ms)
        return replace(trade, realised=realised)

    def fee_asset(self, order: Order) -> str:
        """Everything is paid in the margin's currency."""
        return self.instruments[order.symbol].quote

    def moved(self, order: Order, trade: Trade | None) -> None:
        """Tell of the wallet and the position after a trade."""
        if trade is not None:
            self._tell("ORDER", ZERO, [self.wallet.position(order.symbol, order.position_side)])

    # Time

    def idle(self) -> bool:
        """Whether time changes nothing for the account."""
        waiting = any(item.status is AlgoStatus.NEW for item in self.algos.values())
        return super().idle() and not waiting and not self.countdowns and not self.wallet.held()

    def next_due_ms(self) -> int:
        """The next full minute, or a timer before it."""
        return max(self.now_ms, min([super().next_due_ms(), *self.countdowns.values()]))

    def at_due(self) -> None:
        """Cancel orders whose timer has run out; close the minute where it is one's end."""
        for symbol in [name for name, due_ms in self.countdowns.items() if due_ms <= self.now_ms]:
            del self.countdowns[symbol]
            for order in self.open_orders(symbol):
                self.cancel(order, self.invented_id("countdown", order.order_id))
        super().at_due()

    def close_minute(self, open_ms: int) -> None:
        """Contracts that ended, conditional orders, the book, funding, then who cannot bear it."""
        self._settle_ended()
        for algo in self.open_algos():
            self._watch(algo, open_ms)
        super().close_minute(open_ms)
        for position in self.wallet.held():
            rate = self._funding(position.symbol, self.now_ms)
            if rate is not None:
                paid = self.wallet.pay_funding(position, rate, self.mark(position.symbol), self.now_ms)
                self._tell("FUNDING_FEE", paid, [self.wallet.position(position.symbol, position.side)])
        self._liquidate()

    # Conditional orders

    def open_algos(self, symbol: str | None = None) -> list[AlgoOrder]:
        """Every conditional order that waits."""
        found = (item for item in self.algos.values() if item.status is AlgoStatus.NEW)
        return [item for item in found if symbol is None or item.symbol == symbol]

    def keep_algo(self, algo: AlgoOrder, stage: str, sent: Order | None = None) -> None:
        """Note a conditional order as it is now, and tell; ``sent`` is the order that it sent."""
        self.algos[algo.algo_id] = algo
        executed = sent.executed if sent is not None else ZERO
        average = sent.executed_quote / executed if sent is not None and executed else ZERO
        self.events.append(AlgoEvent(stage, algo, executed, average, self.now_ms))

    def _watch(self, algo: AlgoOrder, open_ms: int) -> None:
        bar = (self._marks if algo.by_mark else self.prices).minute(algo.symbol, open_ms)
        if bar is None:
            return
        stretch = matching.seen(algo.created_ms, algo.accepted_price, bar, open_ms)
        at = matching.triggered_price(algo.side, algo.kind, algo.trigger_price, stretch)
        if at is None:
            return
        triggered = replace(algo, triggered_ms=self.now_ms, updated_ms=self.now_ms)
        self.keep_algo(triggered, "TRIGGERING")
        last = self.prices.last(algo.symbol, self.now_ms) or at if algo.by_mark else at
        held = self.wallet.position(algo.symbol, algo.position_side)
        order = triggered_order(triggered, held, last, self.last_id + 1, self.now_ms)
        try:
            if not order.quantity:
                raise errors.reduce_only_refused()
            self.check_funds(order, self.plan(order, last))
        except ApiError as error:
            self.keep_algo(replace(triggered, status=AlgoStatus.REJECTED, reason=error.message), "REJECTED")
            return
        sent = replace(triggered, sent_order_id=self.next_id())
        self.keep_algo(sent, "TRIGGERED")
        done = self.accept(order, last)
        self.keep_algo(replace(sent, status=AlgoStatus.FINISHED), "FINISHED", done)

    # Closing by the exchange

    def _settle_ended(self) -> None:
        """Close what is left in contracts that no longer trade, at the mark price and without a fee."""
        for algo in self.open_algos():
            if self.ended(algo.symbol):
                self.keep_algo(replace(algo, status=AlgoStatus.EXPIRED, updated_ms=self.now_ms), "EXPIRED")
        for position in self.wallet.held():
            if self.ended(position.symbol):
                order = self._closing(position, "delivery_autoclose")
                execution = Execution(order.accepted_price, order.quantity, maker=False)
                self.execute(order, execution, fee_free=True)

    def _liquidate(self) -> None:
        for position in self.wallet.held():
            cash = position.isolated_wallet
            if cash is not None and under_water([position], cash, self.mark):
                self._close_by_force(position, cash)
        cross = [item for item in self.wallet.held() if item.isolated_wallet is None]
        if cross and under_water(cross, self.wallet.cross_balance(), self.mark):
            for order in self.open_orders():
                self.cancel(order, self.invented_id("liquidation", order.order_id))
            for position in cross:
                self._close_by_force(position, max(ZERO, self.wallet.cross_balance()))

    def _close_by_force(self, position: Position, cash: Decimal) -> None:
        """Close a position at the mark price; it can lose no more than the cash behind it."""
        for item in self.open_orders(position.symbol):
            self.cancel(item, self.invented_id("liquidation", item.order_id))
        before = self.wallet.balance
        order = self._closing(position, "autoclose")
        mark = order.accepted_price
        self.execute(order, Execution(mark, order.quantity, maker=False), "CALCULATED")
        left = cash + self.wallet.balance - before
        taken = min(left, position.worth(mark) * margin.CLEARANCE_FRACTION).quantize(Decimal("1e-8"))
        if taken:
            self.wallet.move("INSURANCE_CLEAR", position.symbol, -taken, self.now_ms)
            self._tell("INSURANCE_CLEAR", -taken, [])

    def _closing(self, position: Position, prefix: str) -> Order:
        """The exchange's own order that closes a position at the mark price."""
        order = closing_order(position, prefix, self.mark(position.symbol), self.next_id(), self.now_ms)
        self.register(order)
        return order

    # Inside

    def _growth(self, order: Order) -> Decimal:
        """Base quantity by which an order, filled whole, would make positions larger."""
        if order.reduce_only or self._hedge_close(order):
            return ZERO
        held = self.wallet.position(order.symbol, order.position_side).amount * -_sign(order.side)
        return max(ZERO, order.remaining - max(ZERO, held))

    def _order_margin(self, order: Order) -> Decimal:
        price = order.price or order.accepted_price
        return self._growth(order) * price / self.wallet.leverage(order.symbol)

    def _hedge_close(self, order: Order) -> bool:
        closing = {"LONG": Side.SELL, "SHORT": Side.BUY}.get(order.position_side)
        return closing is order.side

    def _tell(self, cause: str, change: Decimal, positions: list[Position]) -> None:
        wallet = self.wallet
        marks = tuple(self.mark(item.symbol) for item in positions)
        self.events.append(
            WalletMoved(
                cause, wallet.balance, wallet.cross_balance(), change, tuple(positions), marks, self.now_ms
            )
        )


def _sign(side: Side) -> int:
    return 1 if side is Side.BUY else -1
