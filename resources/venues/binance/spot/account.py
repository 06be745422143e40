"""The account as Binance spot sees it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import TypeVar

from pydantic import TypeAdapter

from resources.venues.binance.errors import Meaning, Refused
from resources.venues.binance.reading import Span, every, parsed
from resources.venues.binance.spot import parse
from resources.venues.binance.spot.orders import NAME
from resources.venues.binance.spot.schemas import (
    ACCOUNT,
    COMMISSION,
    DEPOSITS,
    ORDER,
    ORDERS,
    TRADES,
    WITHDRAWALS,
    SpotTrade,
)
from resources.venues.binance.states import SIDES
from resources.venues.binance.transport import Api, Parameters
from trading.errors import FixConfiguration, HaltTrading, RetryLater, UnknownOutcome
from trading.instruments.terms import FeeTier
from trading.model.account import (
    CashMove,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.interval import DAY_MS
from trading.model.order import Side

_Row = TypeVar("_Row")

_PAGE_ROWS = 1_000
#: July 2017, when Binance opened: no wallet has an older history.
_OPENED_MS = 1_500_000_000_000
_WALLET_WINDOW_MS = 90 * DAY_MS - 1


class SpotAccount:
    """Implements `trading.ports.Account` on Binance spot.

    Parameters
    ----------
    wallet
        Whether the exchange serves the wallet's history; the testnet does not, and has no deposits.
    """

    name = NAME
    derivatives = False

    def __init__(self, api: Api, *, wallet: bool) -> None:
        self._api = api
        self._wallet = wallet
        self._client_ids: dict[tuple[str, int], str] = {}

    def now_ms(self) -> int:
        """The venue's clock."""
        return self._api.clock.now_ms()

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work, of every symbol."""
        rows = parsed(ORDERS, self._api.read("/api/v3/openOrders", {}, weight=80), "/api/v3/openOrders")
        return [parse.venue_order(row) for row in rows]

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        """Every execution of the symbols from a moment on, oldest first, each with its order's client id."""
        found = [
            parse.venue_fill(row, self._client_id(row))
            for symbol in symbols
            for row in self._trades(symbol, since_ms)
        ]
        return sorted(found, key=lambda fill: (fill.filled_at_ms, fill.symbol, fill.venue_fill_id))

    def balances(self) -> list[VenueBalance]:
        """Every currency with anything in it."""
        content = self._api.read("/api/v3/account", {"omitZeroBalances": "true"}, weight=20)
        rows = parsed(ACCOUNT, content, "/api/v3/account").balances
        return [VenueBalance(row.asset, row.free, row.locked) for row in rows if row.free or row.locked]

    def positions(self) -> list[VenuePosition]:
        """None: a spot account holds balances only."""
        return []

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        """Deposits and withdrawals from a moment on, oldest first; fees are in the fills."""
        if not self._wallet:
            return []
        moves = [
            *self._moves("/sapi/v1/capital/deposit/hisrec", DEPOSITS, parse.deposit, since_ms),
            *self._moves("/sapi/v1/capital/withdraw/history", WITHDRAWALS, parse.withdrawal, since_ms),
        ]
        return sorted(moves, key=lambda move: (move.at_ms, move.venue_move_id))

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order, ours or not; one that has ended already is no error."""
        parameters = {"symbol": order.symbol, "orderId": order.venue_order_id}
        try:
            self._api.command("DELETE", "/api/v3/order", parameters, weight=1)
        except UnknownOutcome as error:
            raise RetryLater(f"order {order.venue_order_id}: {error}; cancel it again") from error
        except Refused as error:
            if error.meaning not in (Meaning.NOT_OPEN, Meaning.ABSENT):
                raise HaltTrading(f"order {order.venue_order_id} cannot be cancelled: {error}") from error

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Sell what is held at the market. Raises `UnknownOutcome` in doubt, `HaltTrading` if it is refused."""
        self._reduction(symbol, side, quantity, client_order_id, {"type": "MARKET"})

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop that sells what is held. Raises as `reduce` does."""
        stop: Parameters = {"type": "STOP_LOSS", "stopPrice": stop_price}
        self._reduction(symbol, side, quantity, client_order_id, stop)

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Spot has no such timer."""
        return False

    def fees(self, symbol: str) -> FeeTier:
        """What the account pays for a symbol, without discounts; `trading.costs` takes it."""
        content = self._api.read("/api/v3/account/commission", {"symbol": symbol}, weight=20)
        return parse.fee_tier(parsed(COMMISSION, content, "/api/v3/account/commission"))

    def _reduction(
        self, symbol: str, side: Side, quantity: Decimal, client_order_id: str, kind: Parameters
    ) -> None:
        if side is not Side.SELL:
            raise FixConfiguration(f"{symbol}: a purchase on spot reduces nothing; only a sale does")
        parameters: Parameters = {
            "symbol": symbol,
            "side": SIDES[side],
            "quantity": quantity,
            "newClientOrderId": client_order_id,
            **kind,
        }
        try:
            self._api.command("POST", "/api/v3/order", parameters, weight=1, orders=1)
        except Refused as error:
            raise HaltTrading(f"{symbol}: {quantity} cannot be sold: {error}") from error

    def _trades(self, symbol: str, since_ms: int) -> list[SpotTrade]:
        def page(bounds: dict[str, str | int]) -> list[SpotTrade]:
            content = self._api.read("/api/v3/myTrades", {"symbol": symbol, **bounds}, weight=20)
            return parsed(TRADES, content, f"trades of {symbol}")

        span = Span(since_ms, self.now_ms(), DAY_MS, _PAGE_ROWS)
        return every(page, lambda row: row.id, lambda row: row.time, span)

    def _client_id(self, row: SpotTrade) -> str:
        """The client id of a trade's order, asked once: it never changes. Empty when the venue forgot it."""
        key = (row.symbol, row.orderId)
        if key not in self._client_ids:
            parameters: Parameters = {"symbol": row.symbol, "orderId": row.orderId}
            try:
                content = self._api.read("/api/v3/order", parameters, weight=4)
            except Refused as error:
                if error.meaning not in (Meaning.ABSENT, Meaning.ARCHIVED):
                    raise
                return ""
            self._client_ids[key] = parsed(ORDER, content, f"order {row.orderId}").clientOrderId
        return self._client_ids[key]

    def _moves(
        self,
        path: str,
        shape: TypeAdapter[list[_Row]],
        read: Callable[[_Row], CashMove | None],
        since_ms: int,
    ) -> list[CashMove]:
        found: list[CashMove] = []
        now_ms = self.now_ms()
        for start_ms in range(max(since_ms, _OPENED_MS), now_ms + 1, _WALLET_WINDOW_MS):
            bounds: dict[str, str | int] = {
                "startTime": start_ms,
                "endTime": min(start_ms + _WALLET_WINDOW_MS - 1, now_ms),
                "limit": _PAGE_ROWS,
            }
            rows: list[_Row] = []
            while True:
                page = parsed(shape, self._api.read(path, {**bounds, "offset": len(rows)}, weight=1), path)
                rows += page
                if len(page) < _PAGE_ROWS:
                    break
            found += [move for row in rows if (move := read(row)) is not None]
        return found
