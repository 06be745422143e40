"""Spot orders and the spot account, on the recorded payloads of the shared fixtures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest
import yaml
from binance_exchange import Exchange, refusal

from resources.venues.binance.spot.account import SpotAccount
from resources.venues.binance.spot.orders import SpotVenue
from resources.venues.binance.transport import Api
from trading.errors import BadData, FixConfiguration, HaltTrading, RetryLater, UnknownOutcome
from trading.execution.lifecycle import EventKind, Life
from trading.execution.reports import events_of
from trading.model.account import CashKind, FillCause, VenueBalance
from trading.model.interval import DAY_MS
from trading.model.order import Order, OrderState, OrderType, Side
from trading.model.series import Market
from trading.ports import Account, Venue

_ORDER = "/api/v3/order"
_TRADES = "/api/v3/myTrades"
_ABSENT = refusal(-2013, "Order does not exist.")
Payload = Callable[[str], Any]


@pytest.fixture
def ours() -> dict[str, Order]:
    return {}


@pytest.fixture
def venue(spot_api: Api, ours: dict[str, Order]) -> SpotVenue:
    return SpotVenue(spot_api, ours.get)


@pytest.fixture
def account(spot_api: Api) -> SpotAccount:
    return SpotAccount(spot_api, wallet=True)


def _as(order: Order, content: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A recorded order, as if it were ours."""
    return {**content, "clientOrderId": order.client_order_id, "symbol": order.symbol, **more}


def test_the_adapters_are_the_ports(venue: SpotVenue, account: SpotAccount) -> None:
    port: Venue = venue
    books: Account = account
    assert port.name == books.name == "binance_spot"
    assert not books.derivatives
    assert books.positions() == []
    assert not books.count_down(["BTCUSDT"], 1_000)


def test_absence_is_proven_after_window_tolerance_and_visibility(spot_api: Api) -> None:
    venue = SpotVenue(spot_api, {}.get, visibility_ms=7_000)
    assert venue.absence_proven_after_ms == 5_000 + 1_000 + 7_000


def test_a_market_order_reports_its_fills(
    exchange: Exchange, venue: SpotVenue, spot_order: Order, payload: Payload
) -> None:
    content = payload("nautilus_rust/spot/http_json/new_order_full_response.json")
    order = replace(spot_order, side=Side.SELL, quantity=Decimal(10))
    exchange.pages[f"POST {_ORDER}"] = _as(order, content)
    report = venue.submit(order)
    assert exchange.last(f"POST {_ORDER}") == {
        "symbol": "BTCUSDT",
        "side": "SELL",
        "type": "MARKET",
        "quantity": "10",
        "newClientOrderId": order.client_order_id,
        "newOrderRespType": "FULL",
        "recvWindow": "5000",
        "timestamp": str(order.sending_at_ms),
    }
    assert report.state is OrderState.FILLED
    assert report.executed == sum(fill.quantity for fill in report.fills) == 10
    first = report.fills[0]
    assert (first.venue_fill_id, first.fee, first.fee_currency) == (
        "BTCUSDT-56",
        Decimal("4.00000000"),
        "USDT",
    )
    assert first.price == Decimal("4000.00000000")
    assert first.slippage_bps == 0.0  # at the reference price
    assert report.fills[1].slippage_bps == pytest.approx(2.5)  # sold for 3999 instead of 4000


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (
            {"order_type": OrderType.LIMIT, "limit_price": Decimal("3900.10")},
            {"type": "LIMIT", "timeInForce": "GTC", "price": "3900.10"},
        ),
        (
            {"order_type": OrderType.STOP, "stop_price": Decimal("1E+3")},
            {"type": "STOP_LOSS", "stopPrice": "1000"},
        ),
        (
            {"order_type": OrderType.TAKE_PROFIT, "stop_price": Decimal("5000")},
            {"type": "TAKE_PROFIT", "stopPrice": "5000"},
        ),
    ],
)
def test_each_type_is_sent_as_documented(
    exchange: Exchange,
    venue: SpotVenue,
    spot_order: Order,
    payload: Payload,
    kind: dict[str, Any],
    expected: dict[str, str],
) -> None:
    order = replace(spot_order, side=Side.SELL, **kind)
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"POST {_ORDER}"] = _as(order, content)
    assert venue.submit(order).state is OrderState.OPEN
    sent = exchange.last(f"POST {_ORDER}")
    assert {name: sent.get(name) for name in expected} == expected
    assert {"timeInForce", "price", "stopPrice"} & set(sent) == {"timeInForce", "price", "stopPrice"} & set(
        expected
    )


@pytest.mark.parametrize(
    "change",
    [
        {"venue": "paper"},
        {"account": "other"},
        {"market": Market.USDM},
        {"reduce_only": True},
        {"order_type": OrderType.LIMIT},
        {"order_type": OrderType.STOP},
    ],
)
def test_an_order_that_cannot_be_is_rejected_here(
    exchange: Exchange, venue: SpotVenue, spot_order: Order, change: dict[str, Any]
) -> None:
    report = venue.submit(replace(spot_order, **change))
    assert report.state is OrderState.REJECTED
    assert report.reason
    assert not exchange.requests


def test_an_order_that_was_never_committed_is_not_sent(
    exchange: Exchange, venue: SpotVenue, spot_order: Order
) -> None:
    with pytest.raises(BadData, match="sending_at_ms"):
        venue.submit(replace(spot_order, sending_at_ms=None))
    assert not exchange.asked(f"POST {_ORDER}")


def test_a_refusal_is_a_rejection_with_the_venues_words(
    exchange: Exchange, venue: SpotVenue, spot_order: Order
) -> None:
    exchange.pages[f"POST {_ORDER}"] = refusal(
        -2010, "Account has insufficient balance for requested action."
    )
    report = venue.submit(spot_order)
    assert report.state is OrderState.REJECTED
    assert "insufficient balance" in report.reason


@pytest.mark.parametrize(
    "answer",
    [
        {},
        [],
        b"not json",
        {"clientOrderId": "somebody-else"},
        refusal(-2010, "Duplicate order sent."),
        refusal(-1007, "Timeout waiting for response from backend server.", 503),
    ],
)
def test_an_answer_that_proves_nothing_is_unknown(
    exchange: Exchange, venue: SpotVenue, spot_order: Order, payload: Payload, answer: Any
) -> None:
    if isinstance(answer, dict) and answer:
        answer = payload("nautilus_rust/spot/http_json/order_response.json") | answer
    exchange.pages[f"POST {_ORDER}"] = (200, answer, {}) if isinstance(answer, bytes) else answer
    with pytest.raises(UnknownOutcome):
        venue.submit(spot_order)
    assert len(exchange.asked(f"POST {_ORDER}")) == 1


@pytest.mark.parametrize(
    ("status", "executed", "state"),
    [
        ("NEW", "0", OrderState.OPEN),
        ("PENDING_NEW", "0", OrderState.OPEN),
        ("PARTIALLY_FILLED", "0.2", OrderState.PARTIALLY_FILLED),
        ("FILLED", "1.0", OrderState.FILLED),
        ("CANCELED", "0.2", OrderState.CANCELLED),
        ("PENDING_CANCEL", "0.2", OrderState.PARTIALLY_FILLED),
        ("REJECTED", "0", OrderState.REJECTED),
        ("EXPIRED", "0.2", OrderState.EXPIRED),
        ("EXPIRED_IN_MATCH", "0", OrderState.EXPIRED),
    ],
)
def test_a_lookup_tells_every_state(
    exchange: Exchange,
    venue: SpotVenue,
    ours: dict[str, Order],
    spot_order: Order,
    payload: Payload,
    status: str,
    executed: str,
    state: OrderState,
) -> None:
    ours[spot_order.client_order_id] = spot_order
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(spot_order, content, status=status, executedQty=executed)
    trade = payload("nautilus_rust/spot/http_json/account_trades_response.json")[0]
    exchange.pages[f"GET {_TRADES}"] = [trade | {"symbol": "BTCUSDT", "orderId": 1, "qty": executed}]
    report = venue.lookup(spot_order.client_order_id)
    assert report is not None
    assert (report.state, report.executed) == (state, Decimal(executed))
    assert exchange.last(f"GET {_ORDER}")["origClientOrderId"] == spot_order.client_order_id
    if Decimal(executed):
        assert exchange.last(f"GET {_TRADES}")["orderId"] == "1"
        assert report.fills[0].fee_currency == "BNB"  # a fee in a third currency
        assert report.fills[0].venue_fill_id == "BTCUSDT-28457"
    else:
        assert report.fills == ()


def test_an_unknown_status_is_bad_data(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order, payload: Payload
) -> None:
    ours[spot_order.client_order_id] = spot_order
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(spot_order, content, status="SLEEPING")
    with pytest.raises(BadData, match="SLEEPING"):
        venue.lookup(spot_order.client_order_id)


def test_none_only_when_the_venue_says_that_there_is_no_such_order(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order
) -> None:
    ours[spot_order.client_order_id] = spot_order
    exchange.pages[f"GET {_ORDER}"] = _ABSENT
    assert venue.lookup(spot_order.client_order_id) is None
    for answer in (refusal(-1003, "slow down", 429), refusal(-1007, "timeout", 503), refusal(-1000, "?")):
        exchange.pages[f"GET {_ORDER}"] = answer
        with pytest.raises(RetryLater):
            venue.lookup(spot_order.client_order_id)
    exchange.pages[f"GET {_ORDER}"] = refusal(-2015, "Invalid API-key", 401)
    with pytest.raises(FixConfiguration):
        venue.lookup(spot_order.client_order_id)


def test_an_archived_order_was_cancelled_without_a_fill(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order
) -> None:
    ours[spot_order.client_order_id] = spot_order
    exchange.pages[f"GET {_ORDER}"] = refusal(
        -2026, "Order was canceled or expired with no executed qty over 90 days ago and has been archived."
    )
    report = venue.lookup(spot_order.client_order_id)
    assert report is not None
    assert (report.state, report.fills) == (OrderState.CANCELLED, ())


def test_an_order_that_the_ledger_does_not_have_cannot_be_asked_for(venue: SpotVenue) -> None:
    with pytest.raises(BadData, match="not in the ledger"):
        venue.lookup("tm-nobody")


def test_an_end_is_not_believed_while_trades_are_missing(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order, payload: Payload
) -> None:
    # The venue's list of trades lags behind the order that it belongs to.
    ours[spot_order.client_order_id] = spot_order
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(spot_order, content, status="CANCELED", executedQty="0.3")
    exchange.pages[f"GET {_TRADES}"] = []
    report = venue.lookup(spot_order.client_order_id)
    assert report is not None
    life = Life(spot_order.client_order_id, Decimal("0.5"), OrderState.UNKNOWN, sent=True)
    assert [event.kind for event in events_of(life, report)] == [EventKind.ACCEPT]


def test_a_cancel_reports_what_is_left_to_know(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order, payload: Payload
) -> None:
    ours[spot_order.client_order_id] = spot_order
    exchange.pages[f"DELETE {_ORDER}"] = payload("nautilus_rust/spot/http_json/cancel_order_response.json")
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(spot_order, content, status="CANCELED", executedQty="0")
    assert venue.cancel(spot_order.client_order_id).state is OrderState.CANCELLED


def test_an_order_that_has_ended_stays_as_it_is(
    exchange: Exchange, venue: SpotVenue, ours: dict[str, Order], spot_order: Order, payload: Payload
) -> None:
    ours[spot_order.client_order_id] = spot_order
    exchange.pages[f"DELETE {_ORDER}"] = refusal(-2011, "Unknown order sent.")
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = _as(spot_order, content, status="FILLED", executedQty="1.0")
    exchange.pages[f"GET {_TRADES}"] = []
    assert venue.cancel(spot_order.client_order_id).state is OrderState.FILLED
    exchange.pages[f"GET {_ORDER}"] = _ABSENT
    with pytest.raises(UnknownOutcome):
        venue.cancel(spot_order.client_order_id)


def test_balances_leave_out_what_is_empty(exchange: Exchange, account: SpotAccount, payload: Payload) -> None:
    content = payload("nautilus_rust/spot/http_json/account_response.json")
    content["balances"].append({"asset": "BNB", "free": "0.00000000", "locked": "0.00000000"})
    exchange.pages["GET /api/v3/account"] = content
    assert account.balances() == [
        VenueBalance("BTC", Decimal("4723846.89208129"), Decimal(0)),
        VenueBalance("LTC", Decimal("4763368.68006011"), Decimal(0)),
    ]


def test_open_orders_are_everybodys(exchange: Exchange, account: SpotAccount, payload: Payload) -> None:
    exchange.pages["GET /api/v3/openOrders"] = payload(
        "nautilus_rust/spot/http_json/open_orders_response.json"
    )
    (order,) = account.open_orders()
    assert (order.client_order_id, order.venue_order_id, order.symbol) == ("myOrder1", "1", "LTCBTC")
    assert (order.limit_price, order.stop_price) == (Decimal("0.1"), None)
    exchange.pages[f"DELETE {_ORDER}"] = refusal(-2011, "Unknown order sent.")
    account.cancel_order(order)  # it has ended in the meantime
    assert exchange.last(f"DELETE {_ORDER}")["orderId"] == "1"
    exchange.faults[f"DELETE {_ORDER}"] = ["drop"]
    with pytest.raises(RetryLater, match="cancel it again"):
        account.cancel_order(order)


def _trades_page(exchange: Exchange, times: list[int], rows: int) -> Callable[[dict[str, str]], Any]:
    """myTrades as documented: by time within a day, or from an id on, oldest first."""

    def page(parameters: dict[str, str]) -> Any:
        limit = min(int(parameters["limit"]), rows)
        if "fromId" in parameters:
            assert "startTime" not in parameters
            chosen = [n for n in range(len(times)) if n >= int(parameters["fromId"])]
        else:
            start, end = int(parameters["startTime"]), int(parameters["endTime"])
            if end - start > DAY_MS:
                return refusal(-1127, "More than 24 hours between startTime and endTime.")
            chosen = [n for n, at in enumerate(times) if start <= at <= end]
        return [
            {
                "symbol": parameters["symbol"],
                "id": n,
                "orderId": 7 + n % 2,
                "price": "1",
                "qty": "2",
                "commission": "0",
                "commissionAsset": "BNB",
                "time": times[n],
                "isBuyer": True,
            }
            for n in chosen[:limit]
        ]

    return page


def test_fills_of_many_days_and_pages_are_complete_and_once(
    exchange: Exchange, account: SpotAccount, payload: Payload, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("resources.venues.binance.spot.account._PAGE_ROWS", 10)
    start = exchange.now_ms() - 5 * DAY_MS
    times = [start + 2 * DAY_MS + DAY_MS // 2 + n * 3_600_000 for n in range(37)]
    exchange.pages[f"GET {_TRADES}"] = _trades_page(exchange, times, 10)
    content = payload("nautilus_rust/spot/http_json/order_response.json")
    exchange.pages[f"GET {_ORDER}"] = lambda parameters: (
        content | {"clientOrderId": "tm-ours" if parameters["orderId"] == "7" else "by-hand"}
    )
    fills = account.fills(["BTCUSDT"], start)
    assert [fill.venue_fill_id for fill in fills] == [f"BTCUSDT-{n}" for n in range(37)]
    assert {fill.cause for fill in fills if fill.venue_order_id == "7"} == {FillCause.OURS}
    assert {fill.cause for fill in fills if fill.venue_order_id == "8"} == {FillCause.MANUAL}
    assert len(exchange.asked(f"GET {_ORDER}")) == 2  # each order once


def test_a_long_history_is_followed_by_ids_and_cut_where_it_was_asked_for(
    exchange: Exchange, account: SpotAccount, payload: Payload
) -> None:
    now = exchange.now_ms()
    times = [now - 900 * DAY_MS, now - 400 * DAY_MS, now - 300 * DAY_MS, now - DAY_MS]
    exchange.pages[f"GET {_TRADES}"] = _trades_page(exchange, times, 1_000)
    exchange.pages[f"GET {_ORDER}"] = payload("nautilus_rust/spot/http_json/order_response.json")
    fills = account.fills(["BTCUSDT"], now - 500 * DAY_MS)
    assert [fill.venue_fill_id for fill in fills] == ["BTCUSDT-1", "BTCUSDT-2", "BTCUSDT-3"]
    assert len(exchange.asked(f"GET {_TRADES}")) == 1


def test_a_fill_of_an_order_that_the_venue_forgot_has_no_client_id(
    exchange: Exchange, account: SpotAccount
) -> None:
    now = exchange.now_ms()
    exchange.pages[f"GET {_TRADES}"] = _trades_page(exchange, [now - 1_000], 1_000)
    exchange.pages[f"GET {_ORDER}"] = _ABSENT
    (fill,) = account.fills(["BTCUSDT"], now - 10_000)
    assert (fill.client_order_id, fill.venue_order_id) == ("", "7")


def test_reductions_are_sales(exchange: Exchange, account: SpotAccount) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    account.reduce("BTCUSDT", Side.SELL, Decimal("0.5"), "tm-r")
    sent = exchange.last(f"POST {_ORDER}")
    assert (sent["type"], sent["side"], sent["quantity"]) == ("MARKET", "SELL", "0.5")
    account.protect("BTCUSDT", Side.SELL, Decimal("0.5"), Decimal("90.5"), "tm-p")
    sent = exchange.last(f"POST {_ORDER}")
    assert (sent["type"], sent["stopPrice"], sent["newClientOrderId"]) == ("STOP_LOSS", "90.5", "tm-p")
    with pytest.raises(FixConfiguration, match="reduces nothing"):
        account.reduce("BTCUSDT", Side.BUY, Decimal(1), "tm-b")
    exchange.pages[f"POST {_ORDER}"] = refusal(
        -2010, "Account has insufficient balance for requested action."
    )
    with pytest.raises(HaltTrading, match="insufficient"):
        account.reduce("BTCUSDT", Side.SELL, Decimal(1), "tm-c")
    exchange.faults[f"POST {_ORDER}"] = ["drop"]
    with pytest.raises(UnknownOutcome):
        account.reduce("BTCUSDT", Side.SELL, Decimal(1), "tm-d")


def _example(shared: Any, path: str) -> dict[str, Any]:
    """The example answer of a path in the venue's own specification."""
    text = (shared / "fixtures/binance/swagger/spot_api.yaml").read_text()
    start = text.index(f"\n  {path}:\n")
    end = text.find("\n  /", start + 5)
    found = yaml.load(text[start:end], Loader=yaml.CSafeLoader)[path]["get"]
    schema = found["responses"]["200"]["content"]["application/json"]["schema"]
    return _filled(schema.get("items", schema))


def _filled(schema: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _filled(part) if part.get("type") == "object" else part.get("example")
        for name, part in schema["properties"].items()
    }


def test_deposits_and_withdrawals_are_moves_of_cash(
    exchange: Exchange, account: SpotAccount, shared: Any
) -> None:
    deposit = _example(shared, "/sapi/v1/capital/deposit/hisrec")
    withdrawal = _example(shared, "/sapi/v1/capital/withdraw/history")
    now = exchange.now_ms()
    deposit["insertTime"] = now - 5_000

    def once(row: dict[str, Any], **more: Any) -> Callable[[dict[str, str]], Any]:
        return lambda parameters: [row | more] if int(parameters["endTime"]) > now - 10_000 else []

    exchange.pages["GET /sapi/v1/capital/deposit/hisrec"] = once(deposit)
    exchange.pages["GET /sapi/v1/capital/withdraw/history"] = once(withdrawal)
    paid_out, paid_in = account.cash_moves(now - 100 * DAY_MS)
    assert (paid_in.kind, paid_in.amount, paid_in.currency) == (
        CashKind.DEPOSIT,
        Decimal("0.00999800"),
        "PAXG",
    )
    total = Decimal(withdrawal["amount"]) + Decimal(withdrawal["transactionFee"])
    assert (paid_out.kind, paid_out.amount) == (CashKind.WITHDRAWAL, -total)
    assert paid_out.at_ms == 1_570_878_722_000  # 2019-10-12 11:12:02
    exchange.pages["GET /sapi/v1/capital/deposit/hisrec"] = once(deposit, status=0)
    exchange.pages["GET /sapi/v1/capital/withdraw/history"] = once(withdrawal, status=1)
    assert account.cash_moves(now - DAY_MS) == []


def test_fees_count_taxes_and_the_dearer_side_and_no_discount(
    exchange: Exchange, account: SpotAccount, shared: Any
) -> None:
    exchange.pages["GET /api/v3/account/commission"] = _example(shared, "/api/v3/account/commission")
    fees = account.fees("BTCUSDT")
    # standard 10+40, tax 112+118 and 20+40, 114+118, in 1e-8 parts; 1e-8 is 1e-4 bps.
    assert (fees.maker_bps, fees.taker_bps) == (Decimal("0.0280"), Decimal("0.0292"))
