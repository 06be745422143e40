"""Signed futures requests about orders, in Binance's protocol."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from apps.sandbox.errors import ApiError, illegal, missing
from apps.sandbox.parameters import integer, limit
from apps.sandbox.trading import errors, parameters
from apps.sandbox.trading.endpoints import Endpoint, Values
from apps.sandbox.trading.orders import Order
from apps.sandbox.trading.usdm import render
from apps.sandbox.trading.usdm.account import FuturesAccount
from apps.sandbox.trading.usdm.algos import AlgoOrder, AlgoStatus
from apps.sandbox.trading.usdm.requests import drafted, place, place_algo

_DONE = {"code": 200, "msg": "The operation of cancel all open order is done."}


def endpoints() -> list[Endpoint]:
    """Every signed futures request about orders."""
    order, algo = "/fapi/v1/order", "/fapi/v1/algoOrder"
    return [
        Endpoint("POST", order, _new, 0, changes=True, new_order=True),
        Endpoint("POST", f"{order}/test", _test, 1),
        Endpoint("GET", order, _query, 1),
        Endpoint("DELETE", order, _cancel, 1, changes=True),
        Endpoint("GET", "/fapi/v1/openOrder", _open_one, 1),
        Endpoint("GET", "/fapi/v1/openOrders", _open, (1, 40)),
        Endpoint("DELETE", "/fapi/v1/allOpenOrders", _cancel_all, 1, changes=True),
        Endpoint("GET", "/fapi/v1/allOrders", _all, 5),
        Endpoint("GET", "/fapi/v1/userTrades", _trades, 5),
        Endpoint("POST", "/fapi/v1/countdownCancelAll", _count_down, 10, changes=True),
        Endpoint("POST", algo, _new_algo, 0, changes=True, new_order=True),
        Endpoint("GET", algo, _query_algo, 1),
        Endpoint("DELETE", algo, _cancel_algo, 1, changes=True),
        Endpoint("GET", "/fapi/v1/openAlgoOrders", _open_algos, (1, 40)),
        Endpoint("GET", "/fapi/v1/allAlgoOrders", _all_algos, 5),
        Endpoint("DELETE", "/fapi/v1/algoOpenOrders", _cancel_all_algos, 1, changes=True),
    ]


def _new(account: FuturesAccount, values: Values) -> Any:
    form = parameters.choice(values, "newOrderRespType", ("ACK", "RESULT"), "ACK")
    order = place(account, values)
    return render.new_order(order, account.instruments[order.symbol], form)


def _test(account: FuturesAccount, values: Values) -> Any:
    order = drafted(account, values)
    account.check_funds(order, account.plan(order, order.accepted_price))
    return render.new_order(order, account.instruments[order.symbol], "ACK")


def _query(account: FuturesAccount, values: Values) -> Any:
    return _shown(account, _named(account, values, errors.no_such_order()))


def _open_one(account: FuturesAccount, values: Values) -> Any:
    found = _named(account, values, errors.no_such_order())
    if not found.open:
        raise errors.no_such_order()
    return _shown(account, found)


def _cancel(account: FuturesAccount, values: Values) -> Any:
    found = _named(account, values, errors.nothing_to_cancel())
    return _shown(account, account.cancel(found, account.invented_id("cancel", found.order_id)))


def _open(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.symbol_or_all(values, account.instruments)
    return [_shown(account, item) for item in account.open_orders(symbol)]


def _cancel_all(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    for item in account.open_orders(symbol):
        account.cancel(item, account.invented_id("cancel all", item.order_id))
    return _DONE


def _all(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    start_ms, end_ms = _week(values, account.now_ms)
    first = integer(values, "orderId")
    found = [
        item
        for item in account.orders.values()
        if item.symbol == symbol and start_ms <= item.created_ms <= end_ms and item.order_id >= (first or 0)
    ]
    return [
        _shown(account, item)
        for item in parameters.page(found, limit(values), first or values.get("startTime"))
    ]


def _trades(account: FuturesAccount, values: Values) -> Any:
    instrument = parameters.instrument(values, account.instruments)
    start_ms, end_ms = _week(values, account.now_ms)
    order_id, first = integer(values, "orderId"), integer(values, "fromId")
    found = [
        item
        for item in account.trades
        if item.symbol == instrument.symbol
        and start_ms <= item.at_ms <= end_ms
        and item.trade_id >= (first or 0)
        and order_id in (None, item.order_id)
    ]
    from_start = first is not None or values.get("startTime")
    return [render.trade(item, instrument) for item in parameters.page(found, limit(values), from_start)]


def _count_down(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    wait_ms = integer(values, "countdownTime")
    if wait_ms is None:
        raise missing("countdownTime")
    if wait_ms:
        account.countdowns[symbol] = account.now_ms + wait_ms
    else:
        account.countdowns.pop(symbol, None)
    return {"symbol": symbol, "countdownTime": str(wait_ms)}


def _new_algo(account: FuturesAccount, values: Values) -> Any:
    return _shown_algo(account, place_algo(account, values))


def _query_algo(account: FuturesAccount, values: Values) -> Any:
    return _shown_algo(account, _named_algo(account, values, errors.no_such_order()))


def _cancel_algo(account: FuturesAccount, values: Values) -> Any:
    found = _named_algo(account, values, errors.nothing_to_cancel())
    if found.status is not AlgoStatus.NEW:
        raise errors.nothing_to_cancel()
    _end_algo(account, found)
    return {"algoId": found.algo_id, "clientAlgoId": found.client_id, "code": "200", "msg": "success"}


def _open_algos(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.symbol_or_all(values, account.instruments)
    return [_shown_algo(account, item) for item in account.open_algos(symbol)]


def _all_algos(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    start_ms, end_ms = _week(values, account.now_ms)
    first = integer(values, "algoId")
    found = [
        item
        for item in account.algos.values()
        if item.symbol == symbol and start_ms <= item.created_ms <= end_ms and item.algo_id >= (first or 0)
    ]
    return [
        _shown_algo(account, item)
        for item in parameters.page(found, limit(values), first or values.get("startTime"))
    ]


def _cancel_all_algos(account: FuturesAccount, values: Values) -> Any:
    symbol = parameters.instrument(values, account.instruments).symbol
    for item in account.open_algos(symbol):
        _end_algo(account, item)
    return _DONE


def _end_algo(account: FuturesAccount, algo: AlgoOrder) -> None:
    ended = replace(algo, status=AlgoStatus.CANCELED, updated_ms=account.now_ms)
    account.keep_algo(ended, "CANCELED")


def _named(account: FuturesAccount, values: Values, otherwise: ApiError) -> Order:
    symbol = parameters.instrument(values, account.instruments).symbol
    key, client = integer(values, "orderId"), values.get("origClientOrderId")
    if key is None and not client:
        raise missing("orderId")
    found = account.find(symbol, key, client)
    if found is None:
        raise otherwise
    return found


def _named_algo(account: FuturesAccount, values: Values, otherwise: ApiError) -> AlgoOrder:
    key, client = integer(values, "algoId"), values.get("clientAlgoId")
    if key is None and not client:
        raise missing("algoId")
    if key is not None:
        found = account.algos.get(key)
    else:
        mine = (item for item in account.algos.values() if item.client_id == client)
        found = max(mine, key=lambda item: item.algo_id, default=None)
    if found is None:
        raise otherwise
    return found


def _shown(account: FuturesAccount, order: Order) -> Any:
    return render.order(order, account.instruments[order.symbol])


def _shown_algo(account: FuturesAccount, algo: AlgoOrder) -> Any:
    sent = None if algo.sent_order_id is None else account.orders[algo.sent_order_id]
    return render.algo(algo, account.instruments[algo.symbol], sent)


def _week(values: Values, now_ms: int) -> tuple[int, int]:
    """The range asked for, seven days at most; the last seven where none is named."""
    week_ms = 7 * 86_400_000
    start_ms, end_ms = integer(values, "startTime"), integer(values, "endTime")
    if start_ms is not None and end_ms is not None and end_ms - start_ms > week_ms:
        raise illegal("endTime", "startTime to startTime plus 7 days")
    end_ms = now_ms if end_ms is None else end_ms
    return start_ms or max(0, end_ms - week_ms), end_ms
