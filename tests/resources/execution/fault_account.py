"""The account of the faulty venue: what others do with it, and how badly the venue tells."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import TYPE_CHECKING

from trading.errors import RetryLater
from trading.execution.triggers import is_conditional
from trading.model.account import (
    CashKind,
    CashMove,
    FillCause,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.order import Fill, Order, OrderState, OrderType, Side

if TYPE_CHECKING:
    from fault_world import World

D = Decimal
CASH = D(100_000)


@dataclass
class FaultyAccount:
    """Implements `trading.ports.Account` beside the faulty venue: the truth at once, and lists of it late."""

    world: World
    name: str
    derivatives: bool
    #: Whether fills come without the client order id, as at some venues.
    nameless: bool
    others: list[VenueFill] = field(default_factory=list)
    moves: list[CashMove] = field(default_factory=list)

    def now_ms(self) -> int:
        return self.world.now_ms

    def happen(self) -> None:
        """Somebody else, or the venue itself, does something with the account."""
        what = self.world.pick("others", manual=4, forced=3, funding=2, deposit=1, none=3)
        if what == "manual":
            self._trade(FillCause.MANUAL, self.world.random.choice(list(Side)))
        elif what == "forced":
            cause = self.world.random.choice([FillCause.LIQUIDATION, FillCause.ADL])
            self._trade(cause if self.derivatives else FillCause.MANUAL, Side.SELL)
        elif what in ("funding", "deposit"):
            self._move(CashKind.FUNDING if what == "funding" else CashKind.DEPOSIT)

    def _trade(self, cause: FillCause, side: Side) -> None:
        symbol = self.world.random.choice(self.world.symbols)
        quantity = D(self.world.random.randint(1, 40))
        if side is Side.SELL:
            quantity = min(quantity, self.free(symbol))
        for part in (quantity // 3, quantity - quantity // 3):
            if part <= 0:
                continue
            self.world.trade_ids += 1
            number = self.world.trade_ids
            price = D(self.world.random.randint(9_000, 11_000)) / 100
            stamp = {FillCause.LIQUIDATION: "autoclose-", FillCause.ADL: "adl_autoclose-"}.get(cause, "web_")
            self.others.append(
                VenueFill(
                    str(number), f"v{stamp}{symbol}{side}{self.world.now_ms}", f"{stamp}{number}", symbol, side,
                    part, price, (part * price / 1000).quantize(D("0.000001")), "USDT", self.world.now_ms, cause,
                )
            )  # fmt: skip

    def _move(self, kind: CashKind) -> None:
        amount = D(self.world.random.randint(-5_000, 5_000)) / 100
        symbol = self.world.symbols[0] if kind is CashKind.FUNDING else ""
        self.moves.append(CashMove(f"m{len(self.moves)}", kind, "USDT", amount, self.world.now_ms, symbol))

    def free(self, order: Order | str) -> Decimal:
        """What is held of a symbol and nothing else is selling, as the venue sees it for an order.

        A spot account locks what a resting order sells. On a derivatives account only what sells at once
        counts, and an order that waits for a price may rest beside it.
        """
        symbol = order if isinstance(order, str) else order.symbol
        held = self.held()[symbol]
        if self.derivatives and isinstance(order, Order) and is_conditional(order):
            return max(held, D(0))
        for found in self.world.venue.book.values():
            counts = not self.derivatives or not is_conditional(found.order)
            if counts and found.order.symbol == symbol and found.order.side is Side.SELL:
                held -= D(0) if found.state.terminal else found.rest
        return max(held, D(0))

    def own(self) -> list[tuple[Fill, Order]]:
        """Every fill of our orders as the matching engine knows it."""
        return [(fill, found.order) for found in self.world.venue.book.values() for fill in found.fills]

    def all_fills(self) -> list[VenueFill]:
        """Every execution, ours and others'."""
        ours = [
            VenueFill(
                fill.venue_fill_id, f"v{order.client_order_id}", order.client_order_id, fill.symbol, fill.side,
                fill.quantity, fill.price, fill.fee, fill.fee_currency, fill.filled_at_ms,
            )
            for fill, order in self.own()
        ]  # fmt: skip
        return [*ours, *self.others]

    def held(self) -> dict[str, Decimal]:
        held = dict.fromkeys(self.world.symbols, D(0))
        for fill in self.all_fills():
            held[fill.symbol] += fill.quantity if fill.side is Side.BUY else -fill.quantity
        return held

    def cash(self) -> Decimal:
        """What was paid in, less what trades and fees took, with funding."""
        cash = CASH + sum((move.amount for move in self.moves), D(0))
        for fill in self.all_fills():
            cash += fill.quantity * fill.price * (-1 if fill.side is Side.BUY else 1) - fill.fee
        return cash

    def open_orders(self) -> list[VenueOrder]:
        self._answer()
        return [
            self._listed(found.order, found.state, sum((fill.quantity for fill in found.fills), D(0)))
            for found in self.world.venue.book.values()
            if not found.state.terminal and not self._hidden(found.accepted_at_ms)
        ]

    def _listed(self, order: Order, state: OrderState, executed: Decimal) -> VenueOrder:
        return VenueOrder(
            order.client_order_id, f"v{order.client_order_id}", order.symbol, order.side, OrderType.MARKET,
            order.quantity, executed, state, self.world.now_ms,
        )  # fmt: skip

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        """Late, doubled and in any order; every one is listed once it is no longer young."""
        self._answer()
        chance = self.world.random
        seen = [
            fill
            for fill in self.all_fills()
            if fill.symbol in symbols
            and fill.filled_at_ms >= since_ms
            and not self._hidden(fill.filled_at_ms)
        ]
        if self.nameless:
            seen = [replace(fill, client_order_id="") for fill in seen]
        if not self.world.calm:
            seen += [fill for fill in seen if chance.random() < 0.2]
            chance.shuffle(seen)
        return seen

    def balances(self) -> list[VenueBalance]:
        self._answer()
        # A derivatives wallet has not paid for its positions.
        wallet = self.cash() + sum((item.quantity * item.entry_price for item in self._positions()), D(0))
        cash = wallet if self.derivatives else self.cash()
        coins = {} if self.derivatives else self.held()
        found = [VenueBalance("USDT", cash, D(0))]
        found += [
            VenueBalance(symbol.removesuffix("USDT"), amount, D(0))
            for symbol, amount in coins.items()
            if amount
        ]
        return found

    def positions(self) -> list[VenuePosition]:
        self._answer()
        return self._positions() if self.derivatives else []

    def _positions(self) -> list[VenuePosition]:
        return [
            VenuePosition(symbol, quantity, D(100), D(101))
            for symbol, quantity in self.held().items()
            if quantity
        ]

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        self._answer()
        seen = [move for move in self.moves if move.at_ms >= since_ms and not self._hidden(move.at_ms)]
        return seen if self.world.calm else [*seen, *(m for m in seen if self.world.random.random() < 0.2)]

    def cancel_order(self, order: VenueOrder) -> None:
        raise NotImplementedError

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        raise NotImplementedError

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        raise NotImplementedError

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        return False

    def _answer(self) -> None:
        self.world.maybe_kill("before a look at the account")
        if self.world.pick("account", lost=1, none=25) == "lost":
            raise RetryLater("connection lost")
        if not self.world.calm and self.world.random.random() < 0.05:
            self.world.venue.trade()  # the market does not wait for us to have looked

    def _hidden(self, since_ms: int) -> bool:
        """Whether what happened so recently is not listed yet."""
        young = self.world.now_ms < since_ms + self.world.visible_ms
        return young and self.world.random.random() < 0.5
