"""The spot market's signed REST API, in Binance's protocol."""

from __future__ import annotations

from typing import Any

from apps.sandbox.errors import ApiError, illegal, missing
from apps.sandbox.parameters import integer, limit
from apps.sandbox.trading import errors, parameters
from apps.sandbox.trading.endpoints import Endpoint, Values
from apps.sandbox.trading.orders import Order
from apps.sandbox.trading.spot import render
from apps.sandbox.trading.spot.account import SpotAccount
from apps.sandbox.trading.spot.requests import drafted, place

_FORMS = ("ACK", "RESULT", "FULL")


class SpotTrading:
    """What signed spot requests do.

    Parameters
    ----------
    withdrawals
        Whether keys say that they may withdraw.
    """

    def __init__(self, *, withdrawals: bool) -> None:
        self._withdrawals = withdrawals

    def endpoints(self) -> list[Endpoint]:
        """Every signed spot request."""
        order = "/api/v3/order"
        return [
            Endpoint("POST", order, self._new, 1, changes=True, new_order=True),
            Endpoint("POST", f"{order}/test", self._test, 1),
            Endpoint("GET", order, self._query, 4),
            Endpoint("DELETE", order, self._cancel, 1, changes=True),
            Endpoint("POST", f"{order}/cancelReplace", self._replace, 1, changes=True, new_order=True),
            Endpoint("GET", "/api/v3/openOrders", self._open, (6, 80)),
            Endpoint("DELETE", "/api/v3/openOrders", self._cancel_all, 1, changes=True),
            Endpoint("GET", "/api/v3/allOrders", self._all, 20),
            Endpoint("GET", "/api/v3/myTrades", self._trades, 20),
            Endpoint("GET", "/api/v3/account", self._account, 20),
            Endpoint("GET", "/api/v3/account/commission", self._commission, 20),
            Endpoint("GET", "/sapi/v1/asset/tradeFee", self._trade_fee, 1),
            Endpoint("GET", "/sapi/v1/account/apiRestrictions", self._restrictions, 1),
        ]

    def _new(self, account: SpotAccount, values: Values) -> Any:
        usual = "FULL" if values.get("type") in ("MARKET", "LIMIT") else "ACK"
        form = parameters.choice(values, "newOrderRespType", _FORMS, usual)
        return self._placed(account, place(account, values), form)

    def _test(self, account: SpotAccount, values: Values) -> Any:
        order, last = drafted(account, values)
        account.check_funds(order, [] if order.waits else account.plan(order, last))
        return {}

    def _query(self, account: SpotAccount, values: Values) -> Any:
        found = _named(account, values, "orderId", "origClientOrderId")
        if found is None:
            raise errors.no_such_order()
        return render.order(found)

    def _cancel(self, account: SpotAccount, values: Values) -> Any:
        return self._cancelled(account, values, "orderId", "origClientOrderId", "newClientOrderId")

    def _replace(self, account: SpotAccount, values: Values) -> Any:
        mode = values.get("cancelReplaceMode")
        if not mode:
            raise missing("cancelReplaceMode")
        if mode not in ("STOP_ON_FAILURE", "ALLOW_FAILURE"):
            raise illegal("cancelReplaceMode", "STOP_ON_FAILURE|ALLOW_FAILURE")
        outcome: dict[str, Any] = {"newOrderResult": "NOT_ATTEMPTED", "newOrderResponse": None}
        try:
            answer = self._cancelled(
                account, values, "cancelOrderId", "cancelOrigClientOrderId", "cancelNewClientOrderId"
            )
            outcome = {"cancelResult": "SUCCESS", "cancelResponse": answer} | outcome
        except ApiError as error:
            outcome = {"cancelResult": "FAILURE", "cancelResponse": _said(error)} | outcome
        if outcome["cancelResult"] == "SUCCESS" or mode == "ALLOW_FAILURE":
            try:
                outcome |= {"newOrderResponse": self._new(account, values), "newOrderResult": "SUCCESS"}
            except ApiError as error:
                outcome |= {"newOrderResponse": _said(error), "newOrderResult": "FAILURE"}
        return _replaced(outcome)

    def _open(self, account: SpotAccount, values: Values) -> Any:
        symbol = parameters.symbol_or_all(values, account.instruments)
        return [render.order(item) for item in account.open_orders(symbol)]

    def _cancel_all(self, account: SpotAccount, values: Values) -> Any:
        symbol = parameters.instrument(values, account.instruments).symbol
        found = account.open_orders(symbol)
        if not found:
            raise errors.nothing_to_cancel()
        cancel_id = account.invented_id("cancel all", found[0].order_id)
        return [render.cancelled(account.cancel(item, cancel_id), cancel_id) for item in found]

    def _all(self, account: SpotAccount, values: Values) -> Any:
        symbol = parameters.instrument(values, account.instruments).symbol
        start_ms, end_ms = parameters.window(values, account.now_ms)
        first = integer(values, "orderId")
        found = [
            item
            for item in account.orders.values()
            if item.symbol == symbol
            and start_ms <= item.created_ms <= end_ms
            and item.order_id >= (first or 0)
        ]
        return [render.order(item) for item in parameters.page(found, limit(values), first or start_ms)]

    def _trades(self, account: SpotAccount, values: Values) -> Any:
        symbol = parameters.instrument(values, account.instruments).symbol
        start_ms, end_ms = parameters.window(values, account.now_ms)
        order_id, first = integer(values, "orderId"), integer(values, "fromId")
        found = [
            item
            for item in account.trades
            if item.symbol == symbol
            and start_ms <= item.at_ms <= end_ms
            and item.trade_id >= (first or 0)
            and order_id in (None, item.order_id)
        ]
        from_start = first is not None or start_ms
        return [render.trade(item) for item in parameters.page(found, limit(values), from_start)]

    def _account(self, account: SpotAccount, values: Values) -> Any:
        held = [item.asset for item in account.balances()]
        if not parameters.flag(values, "omitZeroBalances"):
            instruments = account.instruments.values()
            held = sorted(
                {*held, *(item.base for item in instruments), *(item.quote for item in instruments)}
            )
        return render.account(account, withdrawals=self._withdrawals, every=held)

    def _commission(self, account: SpotAccount, values: Values) -> Any:
        return render.commission(account, parameters.instrument(values, account.instruments).symbol)

    def _trade_fee(self, account: SpotAccount, values: Values) -> Any:
        symbol = parameters.symbol_or_all(values, account.instruments)
        wanted = sorted(account.instruments) if symbol is None else [symbol]
        return [render.trade_fee(account, item) for item in wanted]

    def _restrictions(self, account: SpotAccount, values: Values) -> Any:
        return render.restrictions(withdrawals=self._withdrawals, created_ms=account.created_ms)

    def _placed(self, account: SpotAccount, order: Order, form: str) -> Any:
        mine = [item for item in account.trades if item.order_id == order.order_id] if form == "FULL" else []
        return render.new_order(order, mine, form)

    def _cancelled(
        self, account: SpotAccount, values: Values, order_id: str, client_id: str, cancel_id: str
    ) -> dict[str, Any]:
        found = _named(account, values, order_id, client_id)
        if found is None:
            raise errors.nothing_to_cancel()
        given = parameters.client_id(values, cancel_id) or account.invented_id("cancel", found.order_id)
        return render.cancelled(account.cancel(found, given), given)


def _named(account: SpotAccount, values: Values, order_id: str, client_id: str) -> Order | None:
    symbol = parameters.instrument(values, account.instruments).symbol
    key, client = integer(values, order_id), values.get(client_id)
    if key is None and not client:
        raise ApiError(
            400, -1102, f"Param '{client_id}' or '{order_id}' must be sent, but both were empty/null!"
        )
    return account.find(symbol, key, client)


def _said(error: ApiError) -> dict[str, Any]:
    return {"code": error.code, "msg": error.message}


def _replaced(outcome: dict[str, Any]) -> Any:
    results = (outcome["cancelResult"], outcome["newOrderResult"])
    if results == ("SUCCESS", "SUCCESS"):
        return outcome
    if results == ("FAILURE", "NOT_ATTEMPTED") or results == ("FAILURE", "FAILURE"):
        raise errors.PartlyRefused(400, -2022, "Order cancel-replace failed.", outcome)
    raise errors.PartlyRefused(409, -2021, "Order cancel-replace partially failed.", outcome)
