"""Futures orders, their terms and the futures account, on the recorded payloads of the shared fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import orjson
import pytest
from binance_exchange import Exchange, refusal

from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.transport import Api
from resources.venues.binance.usdm.account import UsdmAccount
from resources.venues.binance.usdm.orders import UsdmVenue
from resources.venues.binance.usdm.sides import position_parameters
from resources.venues.binance.usdm.terms import Terms
from trading.errors import FixConfiguration, HaltTrading, RetryLater, UnknownOutcome
from trading.model.account import CashKind, FillCause
from trading.model.interval import DAY_MS
from trading.model.order import Order, OrderState, OrderType, Side
from trading.ports import Account, Venue

_ORDER = "/fapi/v1/order"
_ALGO = "/fapi/v1/algoOrder"
_TRADES = "/fapi/v1/userTrades"
_CONFIG = "GET /fapi/v1/symbolConfig"
_ABSENT = refusal(-2013, "Order does not exist.")
Payload = Callable[[str], Any]


@pytest.fixture
def ours() -> dict[str, Order]:
    return {}


@pytest.fixture
def terms(exchange: Exchange, usdm_api: Api, binance_settings: BinanceVenueSettings) -> Terms:
    exchange.pages[_CONFIG] = [{"symbol": "BTCUSDT", "marginType": "ISOLATED", "leverage": 3}]
    return Terms(usdm_api, binance_settings)


@pytest.fixture
def venue(
    usdm_api: Api, ours: dict[str, Order], terms: Terms, binance_settings: BinanceVenueSettings
) -> UsdmVenue:
    return UsdmVenue(usdm_api, ours.get, terms, binance_settings)


@pytest.fixture
def account(usdm_api: Api, terms: Terms, binance_settings: BinanceVenueSettings) -> UsdmAccount:
    return UsdmAccount(usdm_api, terms, binance_settings)


def _as(order: Order, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {**content, "clientOrderId": order.client_order_id, "symbol": order.symbol, **more}


def _algo(order: Order, payload: Payload, **more: Any) -> dict[str, Any]:
    content = payload("nautilus_rust/futures/http_json/open_algo_orders.json")[0]
    return {**content, "clientAlgoId": order.client_order_id, "symbol": order.symbol, **more}


def _trade(payload: Payload, **more: Any) -> dict[str, Any]:
    content: dict[str, Any] = payload("nautilus_py/http_responses/http_futures_account_trades.json")[0]
    return {**content, "symbol": "BTCUSDT", **more}


def test_the_adapters_are_the_ports(venue: UsdmVenue, account: UsdmAccount) -> None:
    port: Venue = venue
    books: Account = account
    assert port.name == books.name == "binance_usdm"
    assert books.derivatives
    assert venue.absence_proven_after_ms == 5_000 + 1_000 + 10_000


def test_a_filled_market_order_reports_its_trades(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order, payload: Payload
) -> None:
    content = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"POST {_ORDER}"] = _as(
        usdm_order, content, status="FILLED", executedQty="0.005", origQty="0.005"
    )
    exchange.pages[f"GET {_TRADES}"] = [_trade(payload)]
    report = venue.submit(usdm_order)
    sent = exchange.last(f"POST {_ORDER}")
    assert (sent["type"], sent["newOrderRespType"]) == ("MARKET", "RESULT")
    assert sent["timestamp"] == str(usdm_order.sending_at_ms)
    assert {"reduceOnly", "positionSide"} & set(sent) == set()
    assert (report.state, report.executed) == (OrderState.FILLED, Decimal("0.005"))
    (fill,) = report.fills
    assert (fill.venue_fill_id, fill.fee, fill.fee_currency) == (
        "BTCUSDT-82357626",
        Decimal("0.00555670"),
        "USDT",
    )
    assert exchange.last(f"GET {_TRADES}")["orderId"] == "12345678"


def test_a_filled_order_is_proven_even_when_its_trades_cannot_be_read(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order, payload: Payload
) -> None:
    content = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"POST {_ORDER}"] = _as(usdm_order, content, status="FILLED", executedQty="0.001")
    exchange.pages[f"GET {_TRADES}"] = refusal(-1003, "slow down", 429)
    report = venue.submit(usdm_order)
    assert (report.state, report.fills, report.executed) == (OrderState.FILLED, (), Decimal("0.001"))


@pytest.mark.parametrize(
    ("order_type", "kind"), [(OrderType.STOP, "STOP_MARKET"), (OrderType.TAKE_PROFIT, "TAKE_PROFIT_MARKET")]
)
def test_conditional_orders_go_to_the_algo_service(
    exchange: Exchange,
    venue: UsdmVenue,
    usdm_order: Order,
    payload: Payload,
    order_type: OrderType,
    kind: str,
) -> None:
    order = replace(
        usdm_order, order_type=order_type, side=Side.SELL, reduce_only=True, stop_price=Decimal("45000.0")
    )
    exchange.pages[f"POST {_ALGO}"] = _algo(order, payload)
    report = venue.submit(order)
    assert exchange.last(f"POST {_ALGO}") == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "quantity": "0.50000",
        "reduceOnly": "true",
        "algoType": "CONDITIONAL",
        "type": kind,
        "triggerPrice": "45000.0",
        "workingType": "CONTRACT_PRICE",
        "priceProtect": "FALSE",
        "clientAlgoId": order.client_order_id,
        "recvWindow": "5000",
        "timestamp": str(order.sending_at_ms),
    }
    assert (report.state, report.fills, report.executed) == (OrderState.OPEN, (), Decimal(0))
    assert not exchange.asked(_CONFIG)  # a reduction does not wait for the terms


@pytest.fixture
def stop(usdm_order: Order, ours: dict[str, Order]) -> Order:
    order = replace(
        usdm_order,
        order_type=OrderType.STOP,
        side=Side.SELL,
        reduce_only=True,
        stop_price=Decimal(45_000),
    )
    ours[order.client_order_id] = order
    return order


@pytest.mark.parametrize(
    ("status", "state"),
    [
        ("NEW", OrderState.OPEN),
        ("TRIGGERING", OrderState.OPEN),
        ("CANCELED", OrderState.CANCELLED),
        ("REJECTED", OrderState.REJECTED),
        ("EXPIRED", OrderState.EXPIRED),
    ],
)
def test_a_conditional_order_before_it_is_triggered(
    exchange: Exchange, venue: UsdmVenue, stop: Order, payload: Payload, status: str, state: OrderState
) -> None:
    exchange.pages[f"GET {_ALGO}"] = _algo(stop, payload, algoStatus=status, actualOrderId="")
    report = venue.lookup(stop.client_order_id)
    assert report is not None
    assert (report.state, report.fills) == (state, ())
    assert exchange.last(f"GET {_ALGO}")["clientAlgoId"] == stop.client_order_id


@pytest.mark.parametrize("status", ["TRIGGERED", "FINISHED"])
def test_a_triggered_order_is_followed_as_what_it_became(
    exchange: Exchange, venue: UsdmVenue, stop: Order, payload: Payload, status: str
) -> None:
    exchange.pages[f"GET {_ALGO}"] = _algo(stop, payload, algoStatus=status, actualOrderId="88937381063")
    child = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = child | {
        "orderId": 88937381063,
        "clientOrderId": "whatever-the-venue-chose",
        "status": "FILLED",
        "executedQty": "0.001",
    }
    exchange.pages[f"GET {_TRADES}"] = [_trade(payload, orderId=88937381063, qty="0.001")]
    report = venue.lookup(stop.client_order_id)
    assert report is not None
    assert exchange.last(f"GET {_ORDER}")["orderId"] == "88937381063"
    assert (report.state, report.executed) == (OrderState.FILLED, Decimal("0.001"))
    assert [fill.client_order_id for fill in report.fills] == [stop.client_order_id]


@pytest.mark.parametrize("actual", ["", "88937381063"])
def test_a_finished_order_whose_end_cannot_be_seen_is_unknown(
    exchange: Exchange, venue: UsdmVenue, stop: Order, payload: Payload, actual: str
) -> None:
    exchange.pages[f"GET {_ALGO}"] = _algo(stop, payload, algoStatus="FINISHED", actualOrderId=actual)
    exchange.pages[f"GET {_ORDER}"] = _ABSENT
    with pytest.raises(UnknownOutcome):
        venue.lookup(stop.client_order_id)


def test_a_conditional_order_that_never_arrived_is_none(
    exchange: Exchange, venue: UsdmVenue, stop: Order
) -> None:
    exchange.pages[f"GET {_ALGO}"] = _ABSENT
    assert venue.lookup(stop.client_order_id) is None


def test_cancels_go_where_the_order_is(
    exchange: Exchange,
    venue: UsdmVenue,
    stop: Order,
    ours: dict[str, Order],
    usdm_order: Order,
    payload: Payload,
) -> None:
    exchange.pages[f"DELETE {_ALGO}"] = {
        "algoId": 1,
        "clientAlgoId": stop.client_order_id,
        "code": "200",
        "msg": "success",
    }
    exchange.pages[f"GET {_ALGO}"] = _algo(stop, payload, algoStatus="CANCELED")
    assert venue.cancel(stop.client_order_id).state is OrderState.CANCELLED
    limit = replace(
        usdm_order, client_order_id="tm-limit", order_type=OrderType.LIMIT, limit_price=Decimal(1)
    )
    ours["tm-limit"] = limit
    exchange.pages[f"DELETE {_ORDER}"] = refusal(-2011, "Unknown order sent.")
    content = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(limit, content, status="EXPIRED")
    assert venue.cancel("tm-limit").state is OrderState.EXPIRED
    exchange.pages[f"GET {_ORDER}"] = _ABSENT
    with pytest.raises(UnknownOutcome):
        venue.cancel("tm-limit")


def test_a_duplicate_id_means_that_an_earlier_request_arrived(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order
) -> None:
    exchange.pages[f"POST {_ORDER}"] = refusal(-4116, "ClientOrderId is duplicated.")
    with pytest.raises(UnknownOutcome):
        venue.submit(usdm_order)


def test_an_answer_about_another_order_is_unknown(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order, payload: Payload
) -> None:
    exchange.pages[f"POST {_ORDER}"] = payload("nautilus_rust/futures/http_json/order_response.json")
    with pytest.raises(UnknownOutcome, match="testOrder123"):
        venue.submit(usdm_order)


@pytest.mark.parametrize(
    ("mode", "side", "reducing", "expected"),
    [
        ("one_way", Side.BUY, False, {}),
        ("one_way", Side.SELL, False, {}),
        ("one_way", Side.SELL, True, {"reduceOnly": "true"}),
        ("one_way", Side.BUY, True, {"reduceOnly": "true"}),
        ("hedge", Side.BUY, False, {"positionSide": "LONG"}),
        ("hedge", Side.SELL, False, {"positionSide": "SHORT"}),
        ("hedge", Side.SELL, True, {"positionSide": "LONG"}),
        ("hedge", Side.BUY, True, {"positionSide": "SHORT"}),
    ],
)
def test_an_order_keeps_to_its_position(
    mode: Any, side: Side, reducing: bool, expected: dict[str, str]
) -> None:
    assert position_parameters(mode, side, reducing=reducing) == expected


def _configurable(exchange: Exchange, margin_type: str, leverage: int) -> dict[str, Any]:
    """A contract whose terms can be changed, as documented."""
    state: dict[str, Any] = {"symbol": "BTCUSDT", "marginType": margin_type, "leverage": leverage}

    def set_margin_type(parameters: dict[str, str]) -> Any:
        if state["marginType"] == parameters["marginType"]:
            return refusal(-4046, "No need to change margin type.")
        state["marginType"] = parameters["marginType"]
        return {"code": 200, "msg": "success"}

    def set_leverage(parameters: dict[str, str]) -> Any:
        state["leverage"] = int(parameters["leverage"])
        return {"leverage": state["leverage"], "maxNotionalValue": "1000000", "symbol": "BTCUSDT"}

    exchange.pages[_CONFIG] = lambda parameters: [dict(state)]
    exchange.pages["POST /fapi/v1/marginType"] = set_margin_type
    exchange.pages["POST /fapi/v1/leverage"] = set_leverage
    return state


def test_terms_are_set_before_the_first_order_and_verified(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order, payload: Payload
) -> None:
    state = _configurable(exchange, "CROSSED", 20)
    content = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"POST {_ORDER}"] = _as(usdm_order, content)
    venue.submit(usdm_order)
    venue.submit(usdm_order)
    assert (state["marginType"], state["leverage"]) == ("ISOLATED", 3)
    order_of_requests = [request.path for request in exchange.requests if request.method == "POST"]
    assert order_of_requests == ["/fapi/v1/marginType", "/fapi/v1/leverage", _ORDER, _ORDER]


def test_terms_that_do_not_hold_stop_the_order(
    exchange: Exchange, venue: UsdmVenue, usdm_order: Order, terms: Terms
) -> None:
    _configurable(exchange, "ISOLATED", 20)
    exchange.pages["POST /fapi/v1/leverage"] = {"leverage": 3, "maxNotionalValue": "1", "symbol": "BTCUSDT"}
    with pytest.raises(FixConfiguration, match="leverage 20 after setting"):
        venue.submit(usdm_order)
    exchange.pages["POST /fapi/v1/leverage"] = refusal(-4161, "Leverage reduction is not supported")
    with pytest.raises(FixConfiguration, match="4161"):
        venue.submit(usdm_order)
    exchange.faults["POST /fapi/v1/leverage"] = ["drop"]
    with pytest.raises(RetryLater, match="no order was sent"):
        venue.submit(usdm_order)
    assert not exchange.asked(f"POST {_ORDER}")


def test_terms_that_somebody_changed_are_seen_to_again(exchange: Exchange, terms: Terms) -> None:
    state = _configurable(exchange, "ISOLATED", 3)
    terms.require("BTCUSDT")
    state["leverage"] = 50
    terms.require("BTCUSDT")
    assert state["leverage"] == 50
    terms.forget("BTCUSDT")
    terms.require("BTCUSDT")
    assert state["leverage"] == 3


def test_the_position_mode_is_required_as_set(exchange: Exchange, terms: Terms, payload: Payload) -> None:
    exchange.pages["GET /fapi/v1/positionSide/dual"] = payload(
        "nautilus_py/http_responses/http_futures_account_position_side_dual.json"
    )
    with pytest.raises(FixConfiguration, match="hedge mode"):
        terms.require_mode()
    exchange.pages["GET /fapi/v1/positionSide/dual"] = {"dualSidePosition": False}
    terms.require_mode()
    assert not [request for request in exchange.requests if request.method == "POST"]


def test_open_orders_list_conditional_ones_too(
    exchange: Exchange, account: UsdmAccount, payload: Payload
) -> None:
    exchange.pages["GET /fapi/v1/openOrders"] = payload(
        "nautilus_py/http_responses/http_futures_account_orders.json"
    )
    exchange.pages["GET /fapi/v1/openAlgoOrders"] = payload(
        "nautilus_rust/futures/http_json/open_algo_orders.json"
    )
    plain, conditional = account.open_orders()
    assert (plain.client_order_id, plain.order_type, plain.stop_price) == (
        "abc",
        OrderType.STOP,
        Decimal(9300),
    )
    assert conditional.client_order_id == "test-algo-order-1"
    assert (conditional.order_type, conditional.stop_price) == (OrderType.STOP, Decimal("45000.00"))
    exchange.pages[f"DELETE {_ORDER}"] = {}
    exchange.pages[f"DELETE {_ALGO}"] = refusal(-2011, "Unknown order sent.")
    account.cancel_order(plain)
    account.cancel_order(conditional)
    assert exchange.last(f"DELETE {_ORDER}")["orderId"] == plain.venue_order_id
    assert exchange.last(f"DELETE {_ALGO}")["algoId"] == "123456789"
    exchange.pages[f"DELETE {_ORDER}"] = refusal(-1102, "Mandatory parameter was not sent.")
    with pytest.raises(HaltTrading):
        account.cancel_order(plain)
    exchange.faults[f"DELETE {_ORDER}"] = ["drop"]
    with pytest.raises(RetryLater, match="cancel it again"):
        account.cancel_order(plain)


def test_positions_of_both_modes(exchange: Exchange, account: UsdmAccount, payload: Payload) -> None:
    path = "GET /fapi/v3/positionRisk"
    exchange.pages[path] = payload("nautilus_rust/futures/http_json/position_risk.json")
    (position,) = account.positions()
    assert (position.quantity, position.leverage, position.isolated) == (Decimal("0.001"), 20, False)
    assert (position.hedge_side, position.liquidation_price) == ("both", Decimal("45000.0"))
    exchange.pages[path] = payload("nautilus_py/http_responses/http_futures_account_positions_hedge.json")
    long, short = account.positions()
    assert (long.hedge_side, long.quantity, short.hedge_side, short.quantity) == ("long", 20, "short", -10)
    assert long.isolated
    exchange.pages[path] = payload("nautilus_py/http_responses/http_futures_account_positions_one_way.json")
    assert account.positions() == []


def test_version_3_of_a_position_takes_its_terms_from_the_contract(
    exchange: Exchange, account: UsdmAccount, payload: Payload
) -> None:
    (row,) = payload("nautilus_rust/futures/http_json/position_risk.json")
    bare = {name: value for name, value in row.items() if name not in ("leverage", "marginType")}
    exchange.pages["GET /fapi/v3/positionRisk"] = [bare | {"liquidationPrice": "0"}]
    exchange.pages[_CONFIG] = payload("nautilus_py/http_responses/http_futures_account_symbol_config.json")
    (position,) = account.positions()
    assert (position.leverage, position.isolated, position.liquidation_price) == (25, True, None)


def test_a_balance_is_the_wallets_in_two_parts(
    exchange: Exchange, account: UsdmAccount, payload: Payload
) -> None:
    content = payload("nautilus_rust/futures/http_json/balance.json")
    content[0]["availableBalance"] = "100.12345678"
    # Unrealised profit may be used, and is not in the wallet.
    profit = content[0] | {"asset": "USDC", "balance": "10", "availableBalance": "15"}
    empty = content[0] | {"asset": "BNB", "balance": "0", "availableBalance": "3"}
    exchange.pages["GET /fapi/v3/balance"] = [*content, profit, empty]
    usdt, usdc = account.balances()
    assert (usdt.free, usdt.locked) == (Decimal("100.12345678"), Decimal("22.00000000"))
    assert (usdc.free, usdc.locked) == (10, 0)


@pytest.mark.parametrize(
    ("client_order_id", "cause"),
    [
        ("autoclose-1234567890123456", FillCause.LIQUIDATION),
        ("adl_autoclose", FillCause.ADL),
        ("adl_autoclose-123", FillCause.ADL),
        ("settlement_autoclose-1111222233334444", FillCause.MANUAL),
        ("web_AbC", FillCause.MANUAL),
        ("tm-0123", FillCause.OURS),
    ],
)
def test_who_brought_a_fill_about(
    exchange: Exchange, account: UsdmAccount, payload: Payload, client_order_id: str, cause: FillCause
) -> None:
    now = exchange.now_ms()
    row = _trade(payload, time=now - 1_000)
    exchange.pages[f"GET {_TRADES}"] = lambda parameters: (
        [row]
        if "fromId" in parameters or int(parameters["startTime"]) <= row["time"] <= int(parameters["endTime"])
        else []
    )
    content = payload("nautilus_rust/futures/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = content | {"clientOrderId": client_order_id}
    (fill,) = account.fills(["BTCUSDT"], now - 20 * DAY_MS)
    assert (fill.client_order_id, fill.cause) == (client_order_id, cause)
    spans = [
        int(request.parameters["endTime"]) - int(request.parameters["startTime"])
        for request in exchange.asked(f"GET {_TRADES}")
        if "startTime" in request.parameters
    ]
    assert len(spans) == 3
    assert max(spans) < 7 * DAY_MS


def test_income_becomes_moves_of_cash(
    exchange: Exchange, account: UsdmAccount, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.venues.binance.usdm.account._PAGE_ROWS", 2)
    now = exchange.now_ms()
    kinds = ["FUNDING_FEE", "COMMISSION", "REALIZED_PNL", "TRANSFER", "INSURANCE_CLEAR", "API_REBATE"]
    rows = [
        {
            "symbol": "BTCUSDT",
            "incomeType": kind,
            "income": "-0.37500000",
            "asset": "USDT",
            "info": kind,
            "time": now - 10_000 + n,
            "tranId": 9689322392,  # unique within a type only
            "tradeId": "",
        }
        for n, kind in enumerate(kinds)
    ]

    def page(parameters: dict[str, str]) -> Any:
        start, end, number, limit = (
            int(parameters[name]) for name in ("startTime", "endTime", "page", "limit")
        )
        found = [row for row in rows if start <= row["time"] <= end]
        return found[(number - 1) * limit : number * limit]

    exchange.pages["GET /fapi/v1/income"] = page
    moves = account.cash_moves(now - 10 * DAY_MS)
    assert [move.kind for move in moves] == [
        CashKind.FUNDING,
        CashKind.FEE,
        CashKind.REALISED_PNL,
        CashKind.TRANSFER,
        CashKind.LIQUIDATION,
        CashKind.OTHER,
    ]
    assert {move.amount for move in moves} == {Decimal("-0.375")}
    assert len({move.venue_move_id for move in moves}) == 6


def test_reductions_can_only_reduce(exchange: Exchange, account: UsdmAccount) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    exchange.pages[f"POST {_ALGO}"] = {}
    account.reduce("BTCUSDT", Side.BUY, Decimal("0.5"), "tm-r")
    sent = exchange.last(f"POST {_ORDER}")
    assert (sent["type"], sent["side"], sent["reduceOnly"]) == ("MARKET", "BUY", "true")
    account.protect("BTCUSDT", Side.SELL, Decimal("0.5"), Decimal("90.5"), "tm-p")
    sent = exchange.last(f"POST {_ALGO}")
    assert (sent["type"], sent["triggerPrice"], sent["reduceOnly"]) == ("STOP_MARKET", "90.5", "true")
    exchange.pages[f"POST {_ORDER}"] = refusal(-2022, "ReduceOnly Order is rejected.")
    with pytest.raises(HaltTrading, match="ReduceOnly"):
        account.reduce("BTCUSDT", Side.BUY, Decimal(1), "tm-c")


def test_the_count_down_is_the_venues_and_confirmed(exchange: Exchange, account: UsdmAccount) -> None:
    path = "POST /fapi/v1/countdownCancelAll"
    exchange.pages[path] = lambda parameters: {
        "symbol": parameters["symbol"],
        "countdownTime": parameters["countdownTime"],
    }
    assert account.count_down(["BTCUSDT", "ETHUSDT"], 120_000)
    asked = [(item.parameters["symbol"], item.parameters["countdownTime"]) for item in exchange.asked(path)]
    assert asked == [("BTCUSDT", "120000"), ("ETHUSDT", "120000")]
    exchange.faults[path] = ["drop"]
    with pytest.raises(RetryLater, match="again"):
        account.count_down(["BTCUSDT"], 120_000)
    exchange.pages[path] = {"symbol": "BTCUSDT", "countdownTime": "0"}
    with pytest.raises(RetryLater, match="answered with"):
        account.count_down(["BTCUSDT"], 120_000)


def test_fees_and_margin_schedules_are_the_accounts(
    exchange: Exchange, account: UsdmAccount, payload: Payload
) -> None:
    exchange.pages["GET /fapi/v1/commissionRate"] = payload(
        "nautilus_py/http_responses/http_futures_wallet_commission_rate_btcusdt.json"
    )
    fees = account.fees("BTCUSDT")
    assert (fees.maker_bps, fees.taker_bps) == (2, 5)
    real = payload("freqtrade/binance_leverage_tiers.json")["BTC/USDT:USDT"]
    brackets = [tier["info"] for tier in real]
    exchange.pages["GET /fapi/v1/leverageBracket"] = orjson.loads(
        orjson.dumps([{"symbol": "BTCUSDT", "brackets": brackets}])
    )
    schedule = account.schedules()["BTCUSDT"]
    assert len(schedule) == len(real)
    assert schedule[0].max_leverage == 125
