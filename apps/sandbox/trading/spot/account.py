"""A spot account: balances, and what open orders hold of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import ROUND_UP, Decimal
from typing import Any

from apps.sandbox.trading import errors
from apps.sandbox.trading.account import OrderTaker
from apps.sandbox.trading.matching import Execution
from apps.sandbox.trading.orders import ZERO, Order, Trade
from trading.costs.fees import FEE_STEP
from trading.execution.filters import floor_to
from trading.model.order import Side

_NO_FUNDS = "Account has insufficient balance for requested action."


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has of a currency."""

    asset: str
    free: Decimal
    locked: Decimal


@dataclass(frozen=True, slots=True)
class BalancesMoved:
    """Balances as they are after something moved them."""

    balances: tuple[Balance, ...]
    at_ms: int


class SpotAccount(OrderTaker):
    """Coins and cash of one account.

    Every buy pays its fee in the coin it gets, every sale in quote. A limit order holds what it may
    cost, a buy that waits for its stop price what it would cost there; at the trigger it gets what
    the account can pay.
    """

    def __init__(self, name: str, deposits: Mapping[str, Decimal], **market: Any) -> None:
        super().__init__(name, **market)
        self.deposits = dict(deposits)
        self.totals: dict[str, Decimal] = dict(deposits)
        self.created_ms = self.updated_ms = self.now_ms

    def balances(self) -> list[Balance]:
        """Every currency with anything in it, by name."""
        return [self.balance(asset) for asset in sorted(self.totals) if self.totals[asset]]

    def balance(self, asset: str, without: int | None = None) -> Balance:
        """One currency; ``without`` is an order whose hold does not count."""
        locked = sum(
            (
                self._hold(order)[1]
                for order in self.open_orders()
                if self._hold(order)[0] == asset and order.order_id != without
            ),
            ZERO,
        )
        return Balance(asset, self.totals.get(asset, ZERO) - locked, locked)

    def check_funds(self, order: Order, plan: list[Execution]) -> None:
        """Refuse an order that costs more than is free."""
        instrument = self.instruments[order.symbol]
        if order.side is Side.SELL:
            asset, needed = instrument.base, order.quantity
        else:
            asset = instrument.quote
            needed = sum((item.price * item.quantity for item in plan), ZERO)
            if order.price is not None or order.waits:
                needed = max(needed, self._hold(order)[1])
        if needed > self.balance(asset).free:
            raise errors.rejected(_NO_FUNDS)

    def allowed(self, order: Order, execution: Execution) -> Execution | None:
        """What the account can pay for: a stop that was overrun may cost more than it holds."""
        if order.side is Side.SELL:
            return execution
        instrument = self.instruments[order.symbol]
        free = self.balance(instrument.quote, without=order.order_id).free
        if execution.price * execution.quantity <= free:
            return execution
        size = floor_to(free / execution.price, instrument.lot_step)
        return replace(execution, quantity=size) if size > 0 else None

    def settle(self, order: Order, trade: Trade) -> Trade:
        """Move what was traded, and the fee."""
        instrument = self.instruments[order.symbol]
        base, quote = instrument.base, instrument.quote
        sign = 1 if order.side is Side.BUY else -1
        self.totals[base] = self.totals.get(base, ZERO) + sign * trade.quantity
        self.totals[quote] = self.totals.get(quote, ZERO) - sign * trade.quote
        self.totals[trade.fee_asset] -= trade.fee
        self.updated_ms = self.now_ms
        return trade

    def fee_asset(self, order: Order) -> str:
        """What the order brings."""
        instrument = self.instruments[order.symbol]
        return instrument.base if order.side is Side.BUY else instrument.quote

    def accept(self, order: Order, last: Decimal) -> Order:
        """Take an order; the balances that it moves or holds go out after it."""
        done = super().accept(order, last)
        if done.open and not done.executed:
            self._tell(done.symbol)
        return done

    def moved(self, order: Order, trade: Trade | None) -> None:
        """Tell of both currencies of the order's pair."""
        self._tell(order.symbol)

    def _tell(self, symbol: str) -> None:
        instrument = self.instruments[symbol]
        both = (self.balance(instrument.base), self.balance(instrument.quote))
        self.events.append(BalancesMoved(both, self.now_ms))

    def _hold(self, order: Order) -> tuple[str, Decimal]:
        instrument = self.instruments[order.symbol]
        if order.side is Side.SELL:
            return instrument.base, order.remaining
        at = order.price or order.stop_price or ZERO
        return instrument.quote, (at * order.remaining).quantize(FEE_STEP, rounding=ROUND_UP)
