"""The user-data stream over a real socket: events, lost connections, expired keys, repeats and disorder."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from binance_exchange import KEY, SECRET, Exchange, refusal
from hypothesis import given
from hypothesis import strategies as st
from websockets.sync.server import Server, ServerConnection, serve

from resources.instruments.signed import Credentials
from resources.market_data.surroundings import Patience, Surroundings
from resources.venues.binance.stream.events import (
    AccountChanged,
    OrderUpdate,
    Resync,
    StreamEnded,
    StreamEvent,
)
from resources.venues.binance.stream.parse import message
from resources.venues.binance.stream.sequence import Sequence
from resources.venues.binance.stream.sources import SpotSource, UsdmSource
from resources.venues.binance.stream.user_stream import UserStream
from resources.venues.binance.transport import Api
from trading.errors import BadData, FixConfiguration
from trading.model.account import FillCause, VenueFill, VenueOrder
from trading.model.order import OrderState, OrderType, Side

Payload = Callable[[str], Any]
_RUST = "nautilus_rust/futures/user_data_json"
_SPOT = "nautilus_rust/spot/user_data_json"
_PY = "nautilus_py/ws_messages"


# What messages mean


def _told(payload: Payload, name: str) -> OrderUpdate:
    found = message(orjson.dumps(payload(name)))
    assert isinstance(found, OrderUpdate)
    assert found.order is not None
    return found


def test_a_spot_trade_is_a_fill_and_a_state(payload: Payload) -> None:
    update = _told(payload, f"{_SPOT}/execution_report_trade.json")
    assert update.order is not None
    assert (update.order.state, update.order.executed) == (OrderState.FILLED, 1)
    fill = update.fill
    assert fill is not None
    assert (fill.venue_fill_id, fill.fee, fill.fee_currency) == (
        "ETHUSDT-98765432",
        Decimal("0.001"),
        "ETH",
    )
    assert fill.filled_at_ms == 1_709_654_401_000


@pytest.mark.parametrize(
    ("name", "state", "stop_price"),
    [
        (f"{_SPOT}/execution_report_new.json", OrderState.OPEN, None),
        (f"{_SPOT}/execution_report_wrapped.json", OrderState.OPEN, None),
        (f"{_SPOT}/execution_report_canceled.json", OrderState.CANCELLED, None),
        (f"{_SPOT}/execution_report_expired.json", OrderState.EXPIRED, None),
        (f"{_SPOT}/execution_report_stop_loss.json", OrderState.OPEN, Decimal(2450)),
        (f"{_PY}/ws_spot_execution_report_rejected.json", OrderState.REJECTED, None),
        (f"{_PY}/ws_spot_execution_report_trade_prevention.json", OrderState.EXPIRED, None),
        (f"{_PY}/ws_spot_execution_report_pending_cancel.json", OrderState.PARTIALLY_FILLED, None),
        (f"{_RUST}/order_update_new.json", OrderState.OPEN, Decimal("7103.04")),
        (f"{_RUST}/algo_update_new.json", OrderState.OPEN, Decimal(750)),
        (f"{_RUST}/algo_update_canceled.json", OrderState.CANCELLED, Decimal(750)),
        (f"{_PY}/ws_futures_algo_update_triggering.json", OrderState.OPEN, Decimal("0.13855")),
        (f"{_PY}/ws_futures_algo_update_triggered.json", OrderState.OPEN, Decimal("0.13855")),
        (f"{_PY}/ws_futures_order_update_liquidation_zero_qty.json", OrderState.FILLED, None),
        (f"{_RUST}/order_update_calculated_pending.json", OrderState.OPEN, None),
    ],
)
def test_news_without_a_fill(
    payload: Payload, name: str, state: OrderState, stop_price: Decimal | None
) -> None:
    update = _told(payload, name)
    assert update.order is not None
    assert (update.order.state, update.fill, update.order.stop_price) == (state, None, stop_price)


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        (f"{_RUST}/order_update_calculated.json", FillCause.LIQUIDATION),
        (f"{_RUST}/order_update_insurance.json", FillCause.LIQUIDATION),
        (f"{_RUST}/order_update_adl.json", FillCause.ADL),
        (f"{_RUST}/order_update_settlement.json", FillCause.MANUAL),
        (f"{_RUST}/order_update_delivery.json", FillCause.MANUAL),
        (f"{_PY}/ws_futures_order_update_liquidation.json", FillCause.LIQUIDATION),
        (f"{_PY}/ws_futures_order_update_adl.json", FillCause.ADL),
        (f"{_PY}/ws_futures_order_update_adl_filled.json", FillCause.ADL),
        (f"{_PY}/ws_spot_execution_report_calculated.json", FillCause.LIQUIDATION),
    ],
)
def test_forced_fills_are_labelled_and_end_filled(payload: Payload, name: str, cause: FillCause) -> None:
    update = _told(payload, name)
    assert update.fill is not None
    assert update.order is not None
    assert update.fill.cause is cause
    assert update.order.state is OrderState.FILLED


def test_a_cancel_request_of_its_own_id_speaks_of_the_order(payload: Payload) -> None:
    body = payload(f"{_SPOT}/execution_report_canceled.json") | {"c": "cancel-1", "C": "tm-1"}
    found = message(orjson.dumps(body))
    assert isinstance(found, OrderUpdate)
    assert found.order is not None
    assert found.order.client_order_id == "tm-1"


def test_a_trade_without_a_price_is_no_fill(payload: Payload) -> None:
    with pytest.raises(BadData, match="no price"):
        message(orjson.dumps(payload(f"{_PY}/ws_spot_execution_report_trade_l_zero.json")))


def test_accounts_change_and_streams_end(payload: Payload) -> None:
    found = message(orjson.dumps(payload(f"{_RUST}/account_update.json")))
    assert found == AccountChanged(("USDT",), ("BTCUSDT",), 1_564_745_798_939)
    found = message(orjson.dumps(payload(f"{_SPOT}/account_position_wrapped.json")))
    assert isinstance(found, AccountChanged)
    assert found.currencies == ("ETH",)
    assert isinstance(message(b'{"e":"listenKeyExpired","E":1,"listenKey":"x"}'), StreamEnded)
    assert message(orjson.dumps(payload(f"{_RUST}/trade_lite.json"))) is None
    assert message(orjson.dumps(payload(f"{_PY}/ws_futures_algo_update_finished.json"))) is None


def test_every_recorded_user_message_is_understood(shared: Path) -> None:
    folder = shared / "fixtures" / "binance"
    files = [
        *folder.glob("nautilus_rust/*/user_data_json/*.json"),
        *folder.glob("nautilus_py/ws_messages/ws_futures_order_update*.json"),
        *folder.glob("nautilus_py/ws_messages/ws_futures_algo*.json"),
        *folder.glob("nautilus_py/ws_messages/ws_spot_execution*.json"),
    ]
    assert len(files) > 50
    for file in files:
        if "l_zero.json" in file.name:
            continue  # a trade without a price, see above
        message(file.read_bytes())


@pytest.mark.parametrize(
    "content", [b"no json", b"[]", b"{}", b'{"e":"executionReport"}', b'{"e":"ALGO_UPDATE"}']
)
def test_a_message_that_makes_no_sense_is_bad_data(content: bytes) -> None:
    with pytest.raises(BadData):
        message(content)


# Order in disorder


def _update(order: int, number: int, *, executed: int, at_ms: int, fill: bool = True) -> OrderUpdate:
    listed = VenueOrder(
        client_order_id=f"tm-{order}",
        venue_order_id=str(order),
        symbol="BTCUSDT",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(100),
        executed=Decimal(executed),
        state=OrderState.PARTIALLY_FILLED,
        updated_at_ms=at_ms,
    )
    made = VenueFill(
        venue_fill_id=f"BTCUSDT-{order}-{number}",
        venue_order_id=str(order),
        client_order_id=f"tm-{order}",
        symbol="BTCUSDT",
        side=Side.BUY,
        quantity=Decimal(1),
        price=Decimal(1),
        fee=Decimal(0),
        fee_currency="USDT",
        filled_at_ms=at_ms,
    )
    return OrderUpdate(listed, made if fill else None, at_ms)


@given(st.data())
def test_whatever_the_stream_does_each_fill_is_told_once_and_gaps_are_named(data: st.DataObject) -> None:
    opened = [_update(order, 0, executed=0, at_ms=0, fill=False) for order in range(3)]
    trades = [
        _update(order, number, executed=number, at_ms=number) for number in range(1, 6) for order in range(3)
    ]
    kept = [update for update in trades if data.draw(st.booleans())]
    repeated = [update for update in kept if data.draw(st.booleans())]
    arriving = data.draw(st.permutations(kept + repeated))
    sequence = Sequence()
    told: list[StreamEvent] = [event for update in [*opened, *arriving] for event in sequence.order(update)]
    fills = [event.fill.venue_fill_id for event in told if isinstance(event, OrderUpdate) and event.fill]
    assert sorted(fills) == sorted({update.fill.venue_fill_id for update in kept if update.fill})
    states = [event.order for event in told if isinstance(event, OrderUpdate) and event.order]
    for order in range(3):
        executed = [state.executed for state in states if state.venue_order_id == str(order)]
        assert executed == sorted(executed)  # news only ever goes forward
        seen = [
            update.fill.venue_fill_id
            for update in kept
            if update.order and update.order.venue_order_id == str(order) and update.fill
        ]
        newest = max(executed)
        missing = newest - len([name for name in seen if int(name.rsplit("-", 1)[1]) <= newest])
        if missing:
            assert any(isinstance(event, Resync) and f"tm-{order}:" in event.reason for event in told)


def test_undisturbed_events_call_for_nothing() -> None:
    sequence = Sequence()
    updates = [_update(1, number, executed=number, at_ms=number) for number in range(1, 6)]
    assert [event for update in updates for event in sequence.order(update)] == updates


def test_after_a_restart_what_happened_meanwhile_is_no_gap_and_old_fills_stay_seen() -> None:
    sequence = Sequence()
    first = _update(1, 1, executed=1, at_ms=1)
    assert sequence.order(first) == [first]
    sequence.restart()
    later = _update(1, 5, executed=5, at_ms=5)
    assert sequence.order(later) == [later]
    assert sequence.order(first) == []


def test_memory_is_bounded() -> None:
    sequence = Sequence(remembered=10)
    for number in range(100):
        sequence.order(_update(number, 1, executed=1, at_ms=number))
    assert len(sequence._fills) == len(sequence._orders) == 10


# The connection


@dataclass
class Socket:
    """A WebSocket server: each connection follows the next plan, then waits for its end."""

    plans: queue.Queue[Callable[[ServerConnection], None]] = field(default_factory=queue.Queue)
    paths: list[str] = field(default_factory=list)
    url: str = ""

    def connections(self, expected: int) -> int:
        """How many connections came; waits for as many, since a client may be told before the server is."""
        deadline = time.monotonic() + 5.0
        while len(self.paths) < expected and time.monotonic() < deadline:
            time.sleep(0.01)
        return len(self.paths)

    def serve_one(self, connection: ServerConnection) -> None:
        assert connection.request is not None
        self.paths.append(connection.request.path)
        try:
            plan = self.plans.get_nowait()
        except queue.Empty:
            connection.close(1013)
            return
        plan(connection)


@contextmanager
def _listening() -> Iterator[Socket]:
    state = Socket()
    server: Server = serve(state.serve_one, "127.0.0.1", 0)
    state.url = f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield state
    finally:
        server.shutdown()
        thread.join()


@pytest.fixture
def socket() -> Iterator[Socket]:
    with _listening() as found:
        yield found


_QUICK = Patience(attempts=1, backoff_seconds=0.01, backoff_limit_seconds=0.02)


def _stream(source: SpotSource | UsdmSource, **more: Any) -> UserStream:
    return UserStream(source, patience=_QUICK, **more)


def _take(stream: UserStream, count: int) -> list[StreamEvent]:
    """The next events; the stream is closed then."""
    stop = threading.Event()
    events = stream.events(stop)
    found = [next(events) for _ in range(count)]
    stop.set()
    events.close()
    return found


def _subscribed(connection: ServerConnection, signer: Credentials) -> None:
    """Check the subscription as documented, and confirm it."""
    request = orjson.loads(connection.recv(timeout=5))
    assert request["method"] == "userDataStream.subscribe.signature"
    parameters = request["params"]
    assert isinstance(parameters["timestamp"], int)
    signature = parameters.pop("signature")
    payload = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    assert (parameters["apiKey"], signature) == (KEY, signer.sign(payload))
    connection.send('{"e":"outboundAccountPosition","E":5,"u":5,"B":[{"a":"BNB","f":"1","l":"0"}]}')
    answer = {"id": request["id"], "status": 200, "result": {"subscriptionId": 0}}
    connection.send(orjson.dumps(answer).decode())


def _drop(connection: ServerConnection) -> None:
    connection.socket.close()


def test_spot_subscribes_signed_and_calls_for_a_resync_after_every_connection(
    socket: Socket, spot_api: Api, credentials: Credentials, payload: Payload
) -> None:
    trade = orjson.dumps({"subscriptionId": 0, "event": payload(f"{_SPOT}/execution_report_trade.json")})

    def first(connection: ServerConnection) -> None:
        _subscribed(connection, credentials)
        connection.send(trade.decode())
        connection.send("garbage")
        _drop(connection)

    def second(connection: ServerConnection) -> None:
        _subscribed(connection, credentials)
        connection.send(trade.decode())  # the same fill again
        connection.send('{"subscriptionId":0,"event":{"e":"eventStreamTerminated","E":9}}')
        connection.recv(timeout=5)

    def third(connection: ServerConnection) -> None:
        _subscribed(connection, credentials)
        connection.recv(timeout=5)

    for plan in (first, second, third):
        socket.plans.put(plan)
    told = _take(_stream(SpotSource(spot_api, socket.url)), 8)
    kinds = [type(event).__name__ for event in told]
    assert kinds == [
        "Resync",
        "AccountChanged",
        "OrderUpdate",
        "Resync",  # garbage
        "Resync",  # connected again
        "AccountChanged",
        "Resync",  # the venue ended it
        "AccountChanged",
    ]
    reasons = [event.reason for event in told if isinstance(event, Resync)]
    assert "no JSON" in reasons[1]
    assert "lost" in reasons[2]
    assert "eventStreamTerminated" in reasons[3]


def test_a_server_that_refuses_or_hangs_up_is_tried_again(
    socket: Socket, spot_api: Api, credentials: Credentials
) -> None:
    def refusing(connection: ServerConnection) -> None:
        request = orjson.loads(connection.recv(timeout=5))
        error = {"code": -1003, "msg": "Too many requests"}
        connection.send(orjson.dumps({"id": request["id"], "status": 429, "error": error}).decode())

    def good(connection: ServerConnection) -> None:
        _subscribed(connection, credentials)
        connection.recv(timeout=5)

    for plan in (_drop, refusing, good):
        socket.plans.put(plan)
    (first,) = _take(_stream(SpotSource(spot_api, socket.url)), 1)
    assert isinstance(first, Resync)
    assert socket.connections(3) == 3


def test_a_refused_key_ends_the_stream(socket: Socket, spot_api: Api) -> None:
    def refusing(connection: ServerConnection) -> None:
        request = orjson.loads(connection.recv(timeout=5))
        error = {"code": -2015, "msg": f"Invalid API-key {KEY}"}
        connection.send(orjson.dumps({"id": request["id"], "status": 401, "error": error}).decode())

    socket.plans.put(refusing)
    with pytest.raises(FixConfiguration) as caught:
        _take(_stream(SpotSource(spot_api, socket.url)), 1)
    assert KEY not in str(caught.value)


def test_futures_connect_with_a_listen_key_and_renew_it_when_it_expired(
    exchange: Exchange, socket: Socket, usdm_api: Api, payload: Payload, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    keys = iter(["listen-canary-1", "listen-canary-2"])
    exchange.pages["POST /fapi/v1/listenKey"] = lambda parameters: {"listenKey": next(keys)}
    liquidation = orjson.dumps(payload(f"{_PY}/ws_futures_order_update_liquidation.json")).decode()

    def first(connection: ServerConnection) -> None:
        connection.send(liquidation)
        connection.send('{"e":"listenKeyExpired","E":1736996475556,"listenKey":"listen-canary-1"}')
        connection.recv(timeout=5)

    socket.plans.put(first)
    socket.plans.put(lambda connection: connection.recv(timeout=5))
    begun, update, again = _take(_stream(UsdmSource(usdm_api, f"{socket.url}/ws")), 3)
    assert isinstance(begun, Resync)
    assert isinstance(update, OrderUpdate)
    assert update.fill is not None
    assert update.fill.cause is FillCause.LIQUIDATION
    assert again == Resync("the venue ended the stream: listenKeyExpired")
    assert socket.connections(2) == 2
    assert socket.paths == ["/ws/listen-canary-1", "/ws/listen-canary-2"]
    assert not any(request.signed for request in exchange.asked("POST /fapi/v1/listenKey"))
    assert all(request.keyed for request in exchange.asked("POST /fapi/v1/listenKey"))
    ours = [record for record in caplog.records if record.name != "websockets.server"]  # this test's server
    logged = "\n".join(f"{record.getMessage()} {record.args}" for record in ours)
    assert "listenKey" in logged
    assert "listen-canary" not in logged
    assert SECRET not in logged


def test_the_listen_key_is_kept_alive_every_half_hour_and_replaced_when_it_is_gone(
    exchange: Exchange, socket: Socket, usdm_api: Api
) -> None:
    path = "PUT /fapi/v1/listenKey"
    exchange.pages["POST /fapi/v1/listenKey"] = {"listenKey": "k"}
    answers = [{}, refusal(-1003, "slow down", 429), {}, refusal(-1125, "This listenKey does not exist.")]
    exchange.pages[path] = lambda parameters: answers.pop(0)
    passing = iter(range(0, 10_000_000, 600))  # each look at the clock finds ten minutes gone
    surroundings = Surroundings(seconds=lambda: float(next(passing)), chance=lambda: 0.0)
    changed = '{"e":"ACCOUNT_UPDATE","T":1,"E":1,"a":{"m":"ORDER","B":[],"P":[]}}'

    def steady(connection: ServerConnection) -> None:
        for _ in range(40):
            connection.send(changed)
        connection.recv(timeout=5)

    socket.plans.put(steady)
    socket.plans.put(lambda connection: connection.recv(timeout=5))
    stop = threading.Event()
    told: list[StreamEvent] = []
    for event in _stream(UsdmSource(usdm_api, socket.url), surroundings=surroundings).events(stop):
        told.append(event)
        if isinstance(event, Resync) and "expired" in event.reason:
            stop.set()
    assert len(exchange.asked(path)) == 4
    assert socket.connections(2) == 2


def test_an_answer_without_a_listen_key_is_asked_for_again(
    exchange: Exchange, socket: Socket, usdm_api: Api
) -> None:
    answers: list[Any] = [{}, refusal(-1007, "timeout", 503), {"listenKey": "k"}]
    exchange.pages["POST /fapi/v1/listenKey"] = lambda parameters: answers.pop(0)
    socket.plans.put(lambda connection: connection.recv(timeout=5))
    (first,) = _take(_stream(UsdmSource(usdm_api, socket.url)), 1)
    assert isinstance(first, Resync)
    assert not answers


def test_a_refused_listen_key_ends_the_stream(exchange: Exchange, socket: Socket, usdm_api: Api) -> None:
    exchange.pages["POST /fapi/v1/listenKey"] = refusal(-1102, "Mandatory parameter was not sent.")
    with pytest.raises(BadData, match="Mandatory"):
        _take(_stream(UsdmSource(usdm_api, socket.url)), 1)


def test_stopping_ends_the_stream(socket: Socket, exchange: Exchange, usdm_api: Api) -> None:
    exchange.pages["POST /fapi/v1/listenKey"] = {"listenKey": "k"}
    socket.plans.put(lambda connection: connection.recv(timeout=5))
    stop = threading.Event()
    events = _stream(UsdmSource(usdm_api, socket.url)).events(stop)
    next(events)
    stop.set()
    assert list(events) == []


def test_a_replayed_update_with_an_unknown_order_is_passed_on() -> None:
    update = replace(_update(1, 1, executed=1, at_ms=1), order=None)
    assert Sequence().order(update) == [update]
