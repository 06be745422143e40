"""Orders on Binance USDT-margined futures."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

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
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.states import SIDES
from resources.venues.binance.transport import Api, Parameters
from resources.venues.binance.usdm.parse import algo_state, venue_fill, venue_order
from resources.venues.binance.usdm.schemas import ALGO_ORDER, ORDER, TRADES, AlgoOrder, UsdmOrder
from resources.venues.binance.usdm.sides import position_parameters
from resources.venues.binance.usdm.terms import Terms
from trading.errors import BadData, TradingError, UnknownOutcome
from trading.model.order import Fill, Order, OrderType
from trading.model.series import Market
from trading.ports import OrderReport

NAME = "binance_usdm"
ORDER_PATH = "/fapi/v1/order"
ALGO_PATH = "/fapi/v1/algoOrder"

_TRADES = "/fapi/v1/userTrades"
_CONDITIONAL: Mapping[OrderType, str] = {
    OrderType.STOP: "STOP_MARKET",
    OrderType.TAKE_PROFIT: "TAKE_PROFIT_MARKET",
}
_TRADES_PAGE = 1_000


class UsdmVenue:
    """Implements `trading.ports.Venue` on Binance USDT-margined futures.

    Stops and take-profits are conditional orders of the algo service. Once triggered, one becomes an
    ordinary order, which is followed in its place. Before a contract's first order that adds exposure its
    margin type and leverage are set and verified.

    Parameters
    ----------
    find_order
        Finds our orders: the venue does not find one without its symbol.
    terms
        Sees to margin type and leverage.
    """

    name = NAME

    def __init__(
        self,
        api: Api,
        find_order: FindOrder,
        terms: Terms,
        settings: BinanceVenueSettings,
        *,
        account: str = "main",
    ) -> None:
        self._api = api
        self._find_order = find_order
        self._terms = terms
        self._settings = settings
        self._account = account
        self.absence_proven_after_ms = absence_proven_after_ms(api, settings.visibility_ms)

    def submit(self, order: Order) -> OrderReport:
        """Send an order once, bound to the moment at which *sending* was committed.

        Raises
        ------
        UnknownOutcome
            If the request went out and what came of it is not known; also when the venue has an order
            of this id already.
        RetryLater
            If nothing was sent, or the venue said that nothing happened.
        FixConfiguration
            If the contract cannot be given the configured margin type and leverage; nothing was sent.
        """
        wrong = objection(order, self.name, self._account, Market.USDM)
        if wrong:
            return rejected(order, wrong)
        if not order.reduce_only:
            self._terms.require(order.symbol)
        conditional = order.order_type in _CONDITIONAL
        try:
            content = self._api.command(
                "POST",
                ALGO_PATH if conditional else ORDER_PATH,
                order_parameters(order, self._settings),
                weight=1,
                orders=1,
                sending_at_ms=sending_at_ms(order),
            )
        except Refused as error:
            return rejected(order, error)
        try:
            return self._accepted(order, content, conditional=conditional)
        except BadData as error:
            raise UnknownOutcome(
                f"order {order.client_order_id}: the answer makes no sense: {error}"
            ) from error

    def lookup(self, client_order_id: str) -> OrderReport | None:
        """State and fills of an order; None only when the venue said that it knows no such order.

        Raises
        ------
        UnknownOutcome
            If a conditional order has become an ordinary one that the venue does not show.
        """
        order = known(self._find_order, client_order_id)
        if order.order_type in _CONDITIONAL:
            return self._lookup_conditional(order)
        row = self._ordinary({"symbol": order.symbol, "origClientOrderId": client_order_id})
        return None if row is None else self._report(order, row)

    def cancel(self, client_order_id: str) -> OrderReport:
        """Cancel what is left of an order; one that has ended stays as it is.

        Raises
        ------
        UnknownOutcome
            If the outcome is not known, or the venue does not know the order.
        """
        order = known(self._find_order, client_order_id)
        try:
            if order.order_type in _CONDITIONAL:
                self._api.command("DELETE", ALGO_PATH, {"clientAlgoId": client_order_id}, weight=1)
            else:
                parameters = {"symbol": order.symbol, "origClientOrderId": client_order_id}
                self._api.command("DELETE", ORDER_PATH, parameters, weight=1)
        except Refused as error:
            if error.meaning not in (Meaning.NOT_OPEN, Meaning.ABSENT):
                raise
        found = self.lookup(client_order_id)
        if found is None:
            raise UnknownOutcome(
                f"order {client_order_id}: the venue knows no such order; nothing was cancelled"
            )
        return found

    def _accepted(self, order: Order, content: bytes, *, conditional: bool) -> OrderReport:
        if conditional:
            algo = parsed(ALGO_ORDER, content, ALGO_PATH)
            _require_ours(order, algo.clientAlgoId, algo.symbol)
            return self._of_conditional(order, algo)
        row = parsed(ORDER, content, ORDER_PATH)
        _require_ours(order, row.clientOrderId, row.symbol)
        found = venue_order(row)
        fills: tuple[Fill, ...] = ()
        reason = f"Binance: {row.status}"
        if row.executedQty:
            try:
                fills = self._fills(order, row.orderId)
            except TradingError as error:
                # That the order is there is proven; to raise would deny it. Its fills come with a lookup.
                reason = f"{reason}; its fills could not be read: {error}"
        return OrderReport(order.client_order_id, found.state, fills, reason, executed=row.executedQty)

    def _lookup_conditional(self, order: Order) -> OrderReport | None:
        try:
            content = self._api.read(ALGO_PATH, {"clientAlgoId": order.client_order_id}, weight=1)
        except Refused as error:
            if error.meaning is Meaning.ABSENT:
                return None
            raise
        algo = parsed(ALGO_ORDER, content, ALGO_PATH)
        _require_ours(order, algo.clientAlgoId, algo.symbol)
        if not algo.actualOrderId:
            return self._of_conditional(order, algo)
        row = self._ordinary({"symbol": order.symbol, "orderId": algo.actualOrderId})
        if row is None:
            raise UnknownOutcome(
                f"order {order.client_order_id} became order {algo.actualOrderId}, which the venue does not show"
            )
        return self._report(order, row)

    @staticmethod
    def _of_conditional(order: Order, algo: AlgoOrder) -> OrderReport:
        try:
            state = algo_state(algo)
        except BadData as error:
            raise UnknownOutcome(str(error)) from error
        return OrderReport(order.client_order_id, state, (), f"Binance: {algo.algoStatus}", Decimal(0))

    def _ordinary(self, parameters: Parameters) -> UsdmOrder | None:
        try:
            return parsed(ORDER, self._api.read(ORDER_PATH, parameters, weight=1), ORDER_PATH)
        except Refused as error:
            if error.meaning is Meaning.ABSENT:
                return None
            raise

    def _report(self, order: Order, row: UsdmOrder) -> OrderReport:
        fills = self._fills(order, row.orderId) if row.executedQty else ()
        state = venue_order(row).state
        return OrderReport(
            order.client_order_id, state, fills, f"Binance: {row.status}", executed=row.executedQty
        )

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


def order_parameters(order: Order, settings: BinanceVenueSettings) -> Parameters:
    """What is sent for an order, without what every signed request has."""
    parameters: dict[str, str] = {
        "symbol": order.symbol,
        "side": SIDES[order.side],
        "quantity": format(order.quantity, "f"),
        **position_parameters(settings.position_mode, order.side, reducing=order.reduce_only),
    }
    if order.order_type in _CONDITIONAL:
        return parameters | conditional_parameters(
            _CONDITIONAL[order.order_type],
            order.client_order_id,
            format(order.stop_price, "f"),
            settings,
        )
    parameters |= {"newClientOrderId": order.client_order_id, "newOrderRespType": "RESULT"}
    if order.order_type is OrderType.LIMIT:
        return parameters | {
            "type": "LIMIT",
            "timeInForce": "GTC",
            "price": format(order.limit_price, "f"),
        }
    return parameters | {"type": "MARKET"}


def conditional_parameters(
    kind: str, client_order_id: str, trigger_price: str, settings: BinanceVenueSettings
) -> dict[str, str]:
    """What makes an order a conditional one. Price protection is off: it can keep a stop from going out."""
    return {
        "algoType": "CONDITIONAL",
        "type": kind,
        "triggerPrice": trigger_price,
        "workingType": "MARK_PRICE" if settings.trigger_price == "mark" else "CONTRACT_PRICE",
        "priceProtect": "FALSE",
        "clientAlgoId": client_order_id,
    }


def _require_ours(order: Order, client_order_id: str, symbol: str) -> None:
    if (client_order_id, symbol) != (order.client_order_id, order.symbol):
        raise BadData(
            f"order {order.client_order_id} of {order.symbol}: the venue answered with {client_order_id} of {symbol}"
        )
