"""The account as Binance USDT-margined futures see it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal

from resources.instruments.brackets import parse_venue
from resources.venues.binance.errors import Meaning, Refused
from resources.venues.binance.reading import Span, every, parsed
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.states import SIDES
from resources.venues.binance.transport import Api, Parameters
from resources.venues.binance.usdm import parse
from resources.venues.binance.usdm.orders import ALGO_PATH, NAME, ORDER_PATH, conditional_parameters
from resources.venues.binance.usdm.schemas import (
    ALGO_ORDERS,
    BALANCES,
    COMMISSION,
    COUNT_DOWN,
    INCOMES,
    ORDER,
    ORDERS,
    POSITIONS,
    TRADES,
    Income,
    UsdmTrade,
)
from resources.venues.binance.usdm.sides import position_parameters
from resources.venues.binance.usdm.terms import Terms
from trading.errors import HaltTrading, RetryLater, UnknownOutcome
from trading.instruments.terms import FeeTier, Schedules
from trading.model.account import (
    CashMove,
    VenueBalance,
    VenueFill,
    VenueOrder,
    VenuePosition,
)
from trading.model.interval import DAY_MS
from trading.model.order import Side

_PAGE_ROWS = 1_000
_WINDOW_MS = 7 * DAY_MS
#: What the venue still lists: trades of six months, income of three.
_TRADES_KEPT_MS = 180 * DAY_MS
_INCOME_KEPT_MS = 90 * DAY_MS


class UsdmAccount:
    """Implements `trading.ports.Account` on Binance USDT-margined futures.

    Parameters
    ----------
    terms
        Reads leverage and margin type of the contracts that hold positions.
    """

    name = NAME
    derivatives = True

    def __init__(self, api: Api, terms: Terms, settings: BinanceVenueSettings) -> None:
        self._api = api
        self._terms = terms
        self._settings = settings
        self._client_ids: dict[tuple[str, int], str] = {}

    def now_ms(self) -> int:
        """The venue's clock."""
        return self._api.clock.now_ms()

    def open_orders(self) -> list[VenueOrder]:
        """Every order at work of every symbol, conditional ones included."""
        plain = "/fapi/v1/openOrders"
        conditional = "/fapi/v1/openAlgoOrders"
        rows = parsed(ORDERS, self._api.read(plain, {}, weight=40), plain)
        algos = parsed(ALGO_ORDERS, self._api.read(conditional, {}, weight=40), conditional)
        return [*map(parse.venue_order, rows), *map(parse.conditional_order, algos)]

    def fills(self, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
        """Every execution of the symbols from a moment on, oldest first, each with its order's client id.

        Liquidations and auto-deleveraging are told by the client ids that the exchange gives them.
        """
        found = [
            parse.venue_fill(row, self._client_id(row))
            for symbol in symbols
            for row in self._trades(symbol, since_ms)
        ]
        return sorted(found, key=lambda fill: (fill.filled_at_ms, fill.symbol, fill.venue_fill_id))

    def balances(self) -> list[VenueBalance]:
        """Every currency of the wallet with anything in it."""
        rows = parsed(BALANCES, self._api.read("/fapi/v3/balance", {}, weight=5), "/fapi/v3/balance")
        return [parse.balance(row) for row in rows if row.balance]

    def positions(self) -> list[VenuePosition]:
        """Every open position; in hedge mode a contract may have two."""
        path = "/fapi/v3/positionRisk"
        rows = [row for row in parsed(POSITIONS, self._api.read(path, {}, weight=5), path) if row.positionAmt]
        stated = all(row.leverage is not None and row.marginType for row in rows)
        configs = {} if stated else self._terms.read_all()
        return [parse.position(row, configs) for row in rows]

    def cash_moves(self, since_ms: int) -> list[CashMove]:
        """Funding, fees, realised profit and transfers from a moment on, oldest first; three months at most."""
        now_ms = self.now_ms()
        rows = [
            row
            for start_ms in range(max(since_ms, now_ms - _INCOME_KEPT_MS), now_ms + 1, _WINDOW_MS)
            for row in self._income(start_ms, min(start_ms + _WINDOW_MS - 1, now_ms))
        ]
        moves = {
            (move.venue_move_id, move.symbol, move.currency): move for move in map(parse.cash_move, rows)
        }
        return sorted(moves.values(), key=lambda move: (move.at_ms, move.venue_move_id))

    def cancel_order(self, order: VenueOrder) -> None:
        """Cancel an order, ours or not; one that has ended already is no error."""
        try:
            if order.venue_order_id.startswith(parse.ALGO_PREFIX):
                number = order.venue_order_id.removeprefix(parse.ALGO_PREFIX)
                self._api.command("DELETE", ALGO_PATH, {"algoId": number}, weight=1)
            else:
                parameters = {"symbol": order.symbol, "orderId": order.venue_order_id}
                self._api.command("DELETE", ORDER_PATH, parameters, weight=1)
        except UnknownOutcome as error:
            raise RetryLater(f"order {order.venue_order_id}: {error}; cancel it again") from error
        except Refused as error:
            if error.meaning not in (Meaning.NOT_OPEN, Meaning.ABSENT):
                raise HaltTrading(f"order {order.venue_order_id} cannot be cancelled: {error}") from error

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        """Send a market order that can only make a position smaller.

        Raises
        ------
        UnknownOutcome
            In doubt.
        HaltTrading
            If the venue refuses it.
        """
        kind = {"type": "MARKET", "newClientOrderId": client_order_id}
        self._reduction(ORDER_PATH, symbol, side, quantity, kind)

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        """Place a stop that can only make a position smaller. Raises as `reduce` does."""
        kind = conditional_parameters("STOP_MARKET", client_order_id, format(stop_price, "f"), self._settings)
        self._reduction(ALGO_PATH, symbol, side, quantity, kind)

    def count_down(self, symbols: Sequence[str], milliseconds: int) -> bool:
        """Have the venue cancel the symbols' orders unless called again in time (0: never mind).

        Conditional orders are kept by another service and stay: protective stops outlive the timer.

        Raises
        ------
        RetryLater
            If the venue did not confirm a timer: it may or may not run, and can be set again.
        """
        for symbol in symbols:
            self._set_timer(symbol, milliseconds)
        return True

    def fees(self, symbol: str) -> FeeTier:
        """What the account pays for a contract."""
        path = "/fapi/v1/commissionRate"
        return parse.fee_tier(parsed(COMMISSION, self._api.read(path, {"symbol": symbol}, weight=20), path))

    def schedules(self) -> Schedules:
        """Margin schedules of every contract, as they are for this account."""
        path = "/fapi/v1/leverageBracket"
        return parse_venue(self._api.read(path, {}, weight=1), path)

    def _set_timer(self, symbol: str, milliseconds: int) -> None:
        path = "/fapi/v1/countdownCancelAll"
        parameters: Parameters = {"symbol": symbol, "countdownTime": milliseconds}
        try:
            content = self._api.command("POST", path, parameters, weight=10)
        except UnknownOutcome as error:
            raise RetryLater(f"{symbol}: {error}; set the timer again") from error
        set_to = parsed(COUNT_DOWN, content, path)
        if (set_to.symbol, set_to.countdownTime) != (symbol, milliseconds):
            raise RetryLater(f"{symbol}: a count-down of {milliseconds} ms was answered with {set_to}")

    def _reduction(self, path: str, symbol: str, side: Side, quantity: Decimal, kind: Parameters) -> None:
        parameters: Parameters = {
            "symbol": symbol,
            "side": SIDES[side],
            "quantity": quantity,
            **position_parameters(self._settings.position_mode, side, reducing=True),
            **kind,
        }
        try:
            self._api.command("POST", path, parameters, weight=1, orders=1)
        except Refused as error:
            raise HaltTrading(f"{symbol}: {side} {quantity} to reduce was refused: {error}") from error

    def _trades(self, symbol: str, since_ms: int) -> list[UsdmTrade]:
        def page(bounds: dict[str, str | int]) -> list[UsdmTrade]:
            content = self._api.read("/fapi/v1/userTrades", {"symbol": symbol, **bounds}, weight=5)
            return parsed(TRADES, content, f"trades of {symbol}")

        now_ms = self.now_ms()
        span = Span(max(since_ms, now_ms - _TRADES_KEPT_MS), now_ms, _WINDOW_MS, _PAGE_ROWS)
        return every(page, lambda row: row.id, lambda row: row.time, span)

    def _client_id(self, row: UsdmTrade) -> str:
        """The client id of a trade's order, asked once: it never changes. Empty when the venue forgot it."""
        key = (row.symbol, row.orderId)
        if key not in self._client_ids:
            try:
                content = self._api.read(ORDER_PATH, {"symbol": row.symbol, "orderId": row.orderId}, weight=1)
            except Refused as error:
                if error.meaning is not Meaning.ABSENT:
                    raise
                return ""
            self._client_ids[key] = parsed(ORDER, content, f"order {row.orderId}").clientOrderId
        return self._client_ids[key]

    def _income(self, start_ms: int, end_ms: int) -> list[Income]:
        path = "/fapi/v1/income"
        found: list[Income] = []
        number = 1
        while True:
            bounds: Parameters = {
                "startTime": start_ms,
                "endTime": end_ms,
                "page": number,
                "limit": _PAGE_ROWS,
            }
            page = parsed(INCOMES, self._api.read(path, bounds, weight=30), path)
            found += page
            if len(page) < _PAGE_ROWS:
                return found
            number += 1
