"""Orders on Binance spot."""

from __future__ import annotations

from collections.abc import Mapping

from resources.venues.binance.errors import Meaning, Refused
from resources.venues.binance.fills import of_order
from resources.venues.binance.ordering import (
    FindOrder,
    absence_proven_after_ms,
    known,
    objection,
    rejected,
    sending_at_ms,
)
from resources.venues.binance.reading import parsed
from resources.venues.binance.spot.parse import answered, report, venue_fill
from resources.venues.binance.spot.schemas import ORDER, TRADES
from resources.venues.binance.states import SIDES
from resources.venues.binance.transport import Api, Parameters
from trading.errors import BadData, UnknownOutcome
from trading.model.order import Fill, Order, OrderState, OrderType, Side
from trading.model.series import Market
from trading.ports import OrderReport

NAME = "binance_spot"

_ORDER = "/api/v3/order"
_TRADES = "/api/v3/myTrades"
_TYPES: Mapping[OrderType, str] = {
    OrderType.MARKET: "MARKET",
    OrderType.LIMIT: "LIMIT",
    OrderType.STOP: "STOP_LOSS",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT",
}
#: More trades than one order can have without the sum of them being looked up again.
_TRADES_PAGE = 1_000


class SpotVenue:
    """Implements `trading.ports.Venue` on Binance spot.

    Stops and take-profits rest at the venue and go out as market orders. Nothing can be sold that is not
    held, so that ``reduce_only`` is a rule of this market, and a purchase cannot be one.

    Parameters
    ----------
    find_order
        Finds our orders: the venue does not find one without its symbol.
    visibility_ms
        Longest time until a lookup shows what was accepted.
    """

    name = NAME

    def __init__(
        self, api: Api, find_order: FindOrder, *, account: str = "main", visibility_ms: int = 10_000
    ) -> None:
        self._api = api
        self._find_order = find_order
        self._account = account
        self.absence_proven_after_ms = absence_proven_after_ms(api, visibility_ms)

    def submit(self, order: Order) -> OrderReport:
        """Send an order once, bound to the moment at which *sending* was committed.

        Raises
        ------
        UnknownOutcome
            If the request went out and what came of it is not known; also when the venue has an order
            of this id already.
        RetryLater
            If nothing was sent, or the venue said that nothing happened.
        """
        wrong = objection(order, self.name, self._account, Market.SPOT)
        if order.reduce_only and order.side is Side.BUY:
            wrong = wrong or "a purchase on spot reduces nothing"
        if wrong:
            return rejected(order, wrong)
        try:
            content = self._api.command(
                "POST",
                _ORDER,
                order_parameters(order),
                weight=1,
                orders=1,
                sending_at_ms=sending_at_ms(order),
            )
        except Refused as error:
            return rejected(order, error)
        try:
            return answered(parsed(ORDER, content, _ORDER), order)
        except BadData as error:
            raise UnknownOutcome(
                f"order {order.client_order_id}: the answer makes no sense: {error}"
            ) from error

    def lookup(self, client_order_id: str) -> OrderReport | None:
        """State and fills of an order; None only when the venue said that it knows no such order."""
        order = known(self._find_order, client_order_id)
        try:
            content = self._api.read(
                _ORDER, {"symbol": order.symbol, "origClientOrderId": client_order_id}, weight=4
            )
        except Refused as error:
            if error.meaning is Meaning.ABSENT:
                return None
            if error.meaning is Meaning.ARCHIVED:
                return OrderReport(client_order_id, OrderState.CANCELLED, (), error.reason)
            raise
        row = parsed(ORDER, content, _ORDER)
        return report(row, order, self._fills(order, row.orderId) if row.executedQty else ())

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order; one that has ended stays as it is.

        Raises
        ------
        UnknownOutcome
            If the outcome is not known, or the venue does not know the order.
        """
        order = known(self._find_order, client_order_id)
        try:
            self._api.command(
                "DELETE", _ORDER, {"symbol": order.symbol, "origClientOrderId": client_order_id}, weight=1
            )
        except Refused as error:
            if error.meaning not in (Meaning.NOT_OPEN, Meaning.ABSENT):
                raise
        found = self.lookup(client_order_id)
        if found is None:
            raise UnknownOutcome(
                f"order {client_order_id}: the venue knows no such order; nothing was cancelled"
            )
        return found

    def _fills(self, order: Order, venue_order_id: int) -> tuple[Fill, ...]:
        parameters: Parameters = {
            "symbol": order.symbol,
            "orderId": venue_order_id,
            "limit": _TRADES_PAGE,
        }
        rows = parsed(TRADES, self._api.read(_TRADES, parameters, weight=5), _TRADES)
        return tuple(
            of_order(order, venue_fill(row, order.client_order_id))
            for row in sorted(rows, key=lambda row: row.id)
        )


def order_parameters(order: Order) -> Parameters:
    """What is sent for an order, without what every signed request has."""
    parameters: dict[str, str | int] = {
        "symbol": order.symbol,
        "side": SIDES[order.side],
        "type": _TYPES[order.order_type],
        "quantity": format(order.quantity, "f"),
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "FULL",
    }
    if order.order_type is OrderType.LIMIT:
        parameters |= {"timeInForce": "GTC", "price": format(order.limit_price, "f")}
    elif order.order_type is not OrderType.MARKET:
        parameters["stopPrice"] = format(order.stop_price, "f")
    return parameters
