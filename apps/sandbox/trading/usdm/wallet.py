"""What a futures account owns: its wallet, its positions, and the record of every movement of cash."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from decimal import Decimal

from apps.sandbox.trading.orders import ZERO, Order, Trade
from apps.sandbox.trading.usdm import margin
from apps.sandbox.trading.usdm.positions import Position
from trading.model.order import Side

_USUAL_LEVERAGE = 20
_UNIT = Decimal("1e-8")

#: Mark price (quote) of a symbol.
Marks = Callable[[str], Decimal]


@dataclass(frozen=True, slots=True)
class Income:
    """A movement of cash, in Binance's kinds.

    Attributes
    ----------
    trade_id
        The trade behind it; empty where there is none.
    """

    number: int
    kind: str
    symbol: str
    amount: Decimal
    at_ms: int
    trade_id: str = ""


class Wallet:
    """Cash in USDT and positions of one account."""

    def __init__(self, deposit: Decimal, at_ms: int) -> None:
        self.balance = ZERO
        self.positions: dict[tuple[str, str], Position] = {}
        self.incomes: list[Income] = []
        self.hedged = False
        self._leverage: dict[str, int] = {}
        self._isolated: set[str] = set()
        if deposit:
            self.move("TRANSFER", "", deposit, at_ms)

    def leverage(self, symbol: str) -> int:
        """Leverage set for a symbol."""
        return self._leverage.get(symbol, _USUAL_LEVERAGE)

    def set_leverage(self, symbol: str, leverage: int) -> None:
        """Use another leverage from here on."""
        self._leverage[symbol] = leverage

    def isolated(self, symbol: str) -> bool:
        """Whether a symbol's positions have margin of their own."""
        return symbol in self._isolated

    def set_isolated(self, symbol: str, isolated: bool) -> None:
        """Set apart margin for a symbol's positions, or no longer."""
        (self._isolated.add if isolated else self._isolated.discard)(symbol)

    def sides(self) -> tuple[str, ...]:
        """Position sides of the mode."""
        return ("LONG", "SHORT") if self.hedged else ("BOTH",)

    def position(self, symbol: str, side: str) -> Position:
        """The position, flat where there is none."""
        return self.positions.get((symbol, side), Position(symbol, side))

    def held(self) -> list[Position]:
        """Every position that is not flat, by symbol."""
        return [item for _, item in sorted(self.positions.items()) if item.amount]

    def move(self, kind: str, symbol: str, amount: Decimal, at_ms: int, trade_id: str = "") -> None:
        """Book a movement of cash."""
        self.balance += amount
        self.incomes.append(Income(len(self.incomes) + 1, kind, symbol, amount, at_ms, trade_id))

    def book(self, order: Order, trade: Trade) -> Decimal:
        """Book a trade with its fee; the profit (quote) that it realised."""
        before = self.position(trade.symbol, order.position_side)
        sign = 1 if trade.side is Side.BUY else -1
        after, realised = before.traded(sign * trade.quantity, sign * trade.quote, trade.at_ms)
        self.positions[trade.symbol, order.position_side] = replace(
            after, isolated_wallet=self._set_apart(before, after)
        )
        if realised:
            self.move("REALIZED_PNL", trade.symbol, realised, trade.at_ms, str(trade.trade_id))
        if trade.fee:
            self.move("COMMISSION", trade.symbol, -trade.fee, trade.at_ms, str(trade.trade_id))
        return realised

    def pay_funding(self, position: Position, rate: Decimal, mark: Decimal, at_ms: int) -> Decimal:
        """Pay or receive funding of a position: longs pay a positive rate. The amount (quote)."""
        paid = (-position.amount * mark * rate).quantize(_UNIT)
        self.move("FUNDING_FEE", position.symbol, paid, at_ms)
        if position.isolated_wallet is not None:
            wallet = position.isolated_wallet + paid
            self.positions[position.symbol, position.side] = replace(position, isolated_wallet=wallet)
        return paid

    def cross_balance(self) -> Decimal:
        """Cash (quote) that stands for every cross position."""
        return self.balance - sum((item.isolated_wallet or ZERO for item in self.held()), ZERO)

    def margin_of(self, position: Position, marks: Marks) -> Decimal:
        """Cash (quote) for a position, less what other cross positions need and have lost."""
        if position.isolated_wallet is not None:
            return position.isolated_wallet
        others = (
            item
            for item in self.held()
            if item.isolated_wallet is None and (item.symbol, item.side) != (position.symbol, position.side)
        )
        return self.cross_balance() + sum((_spare(item, marks) for item in others), ZERO)

    def initial_margin(self, position: Position, marks: Marks) -> Decimal:
        """Margin (quote) that the leverage asks for a position."""
        return position.worth(marks(position.symbol)) / self.leverage(position.symbol)

    def available(self, marks: Marks, reserved: Decimal) -> Decimal:
        """Cash (quote) for new orders; ``reserved`` is what open orders hold. Never below 0."""
        cross = [item for item in self.held() if item.isolated_wallet is None]
        profit = sum((item.unrealised(marks(item.symbol)) for item in cross), ZERO)
        used = sum((self.initial_margin(item, marks) for item in cross), ZERO)
        return max(ZERO, self.cross_balance() + profit - used - reserved)

    def _set_apart(self, before: Position, after: Position) -> Decimal | None:
        if not self.isolated(after.symbol):
            return None
        wallet = before.isolated_wallet or ZERO
        if not after.amount:
            return ZERO
        turned = before.amount * after.amount < 0
        if turned or abs(after.amount) > abs(before.amount):
            start = ZERO if turned else wallet
            added = abs(after.cost) if turned else abs(after.cost - before.cost)
            return start + (added / self.leverage(after.symbol)).quantize(_UNIT)
        return (wallet * after.amount / before.amount).quantize(_UNIT)


def _spare(position: Position, marks: Marks) -> Decimal:
    mark = marks(position.symbol)
    return position.unrealised(mark) - margin.maintenance(position.worth(mark))


def under_water(positions: Iterable[Position], cash: Decimal, marks: Marks) -> bool:
    """Whether cash and profits no longer cover the maintenance margin of positions."""
    return cash + sum((_spare(item, marks) for item in positions), ZERO) < 0
