"""Requests over a real socket: what was never sent, what is unknown, what is tried again, and by whose clock."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import httpx
import orjson
import pytest
from binance_exchange import Exchange, refusal

from resources.instruments.signed import Credentials
from resources.market_data.surroundings import Surroundings
from resources.venues.binance.clock import VenueClock
from resources.venues.binance.errors import OutsideWindow, Refused
from resources.venues.binance.settings import BinanceVenueSettings
from resources.venues.binance.transport import Api
from trading.errors import FixConfiguration, RetryLater, TradingError, UnknownOutcome
from trading.model.series import Market

_ORDER = "/api/v3/order"


def _command(api: Api, **more: int) -> bytes:
    return api.command("POST", _ORDER, {"symbol": "BTCUSDT"}, weight=1, orders=1, **more)


def test_requests_arrive_signed_keyed_and_stamped(exchange: Exchange, spot_api: Api) -> None:
    for method in ("POST", "PUT", "DELETE"):
        exchange.pages[f"{method} {_ORDER}"] = {}
        spot_api.command(method, _ORDER, {"symbol": "BTCUSDT"}, weight=1)
    exchange.pages[f"GET {_ORDER}"] = {}
    spot_api.read(_ORDER, {"symbol": "BTCUSDT"}, weight=1)
    sent = [request for request in exchange.requests if request.path == _ORDER]
    assert [request.method for request in sent] == ["POST", "PUT", "DELETE", "GET"]
    assert all(request.signed and request.keyed for request in sent)
    assert all(request.parameters["recvWindow"] == "5000" for request in sent)


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_command_without_an_answer_is_unknown_and_sent_once(
    exchange: Exchange, spot_api: Api, fault: str
) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    exchange.faults[f"POST {_ORDER}"] = [fault]
    with pytest.raises(UnknownOutcome, match="after the request went out"):
        _command(spot_api)
    assert len(exchange.asked(f"POST {_ORDER}")) == 1


@pytest.mark.parametrize("fault", ["drop", "hang"])
def test_a_read_without_an_answer_is_read_again(exchange: Exchange, spot_api: Api, fault: str) -> None:
    exchange.pages[f"GET {_ORDER}"] = {"found": True}
    exchange.faults[f"GET {_ORDER}"] = [fault, fault]
    assert orjson.loads(spot_api.read(_ORDER, {}, weight=1)) == {"found": True}
    assert len(exchange.asked(f"GET {_ORDER}")) == 3


def test_a_venue_that_is_not_reached_has_done_nothing(
    exchange: Exchange, binance_settings: BinanceVenueSettings, credentials: Credentials
) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"  # bound, and nobody listens
        api = Api(url, Market.SPOT, credentials, binance_settings)
        api.clock = VenueClock(exchange.now_ms, api.surroundings.seconds, 300.0)
        with pytest.raises(RetryLater, match="nothing was sent"):
            _command(api)
        api.close()


@pytest.mark.parametrize(
    ("raised", "expected"),
    [
        (httpx.ConnectError, RetryLater),
        (httpx.ConnectTimeout, RetryLater),
        (httpx.PoolTimeout, RetryLater),
        (httpx.ReadTimeout, UnknownOutcome),
        (httpx.WriteTimeout, UnknownOutcome),
        (httpx.ReadError, UnknownOutcome),
        (httpx.WriteError, UnknownOutcome),
        (httpx.CloseError, UnknownOutcome),
        (httpx.RemoteProtocolError, UnknownOutcome),
        (httpx.LocalProtocolError, UnknownOutcome),
        (httpx.ProxyError, UnknownOutcome),
        (httpx.DecodingError, UnknownOutcome),
    ],
)
def test_every_failure_of_the_wire_is_never_sent_or_unknown(
    exchange: Exchange,
    binance_settings: BinanceVenueSettings,
    credentials: Credentials,
    raised: type[httpx.RequestError],
    expected: type[TradingError],
) -> None:
    def answer(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/time"):
            return httpx.Response(200, json={"serverTime": exchange.now_ms()})
        raise raised("lost")

    api = Api("https://x", Market.SPOT, credentials, binance_settings, transport=httpx.MockTransport(answer))
    with pytest.raises(expected) as caught:
        _command(api)
    assert type(caught.value) is expected


@pytest.mark.parametrize("body", [b"<html>portal</html>", b" <!doctype html>"])
def test_a_web_page_says_nothing_about_a_command(exchange: Exchange, spot_api: Api, body: bytes) -> None:
    exchange.pages[f"POST {_ORDER}"] = (200, body, {"Content-Type": "text/html"})
    exchange.pages[f"GET {_ORDER}"] = exchange.pages[f"POST {_ORDER}"]
    with pytest.raises(UnknownOutcome):
        _command(spot_api)
    with pytest.raises(RetryLater):
        spot_api.read(_ORDER, {}, weight=1)


def test_the_timestamp_is_the_venues_whatever_this_machine_thinks(exchange: Exchange, spot_api: Api) -> None:
    exchange.ahead_ms = 3_600_000  # this machine is an hour slow
    exchange.pages[f"GET {_ORDER}"] = {}
    spot_api.read(_ORDER, {}, weight=1)
    assert len(exchange.asked(f"GET {_ORDER}")) == 1


def test_a_clock_that_jumped_is_read_again_and_the_read_repeated(exchange: Exchange, spot_api: Api) -> None:
    exchange.pages[f"GET {_ORDER}"] = {}
    spot_api.read(_ORDER, {}, weight=1)
    exchange.ahead_ms = 60_000
    spot_api.read(_ORDER, {}, weight=1)
    assert len(exchange.asked("GET /api/v3/time")) == 2
    assert len(exchange.asked(f"GET {_ORDER}")) == 3


def test_a_command_outside_the_window_happened_not_and_is_not_sent_again(
    exchange: Exchange, spot_api: Api
) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    spot_api.clock.now_ms()
    exchange.ahead_ms = 60_000
    with pytest.raises(OutsideWindow):
        _command(spot_api)
    assert len(exchange.asked(f"POST {_ORDER}")) == 1
    _command(spot_api)  # the clock has been read again


@pytest.mark.parametrize("age_ms", [6_000, -1_500])
def test_a_request_that_the_venue_would_refuse_is_not_sent(
    exchange: Exchange, spot_api: Api, age_ms: int
) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    with pytest.raises(RetryLater, match="nothing was sent"):
        _command(spot_api, sending_at_ms=exchange.now_ms() - age_ms)
    assert not exchange.asked(f"POST {_ORDER}")


def test_an_order_keeps_the_moment_at_which_it_was_committed(exchange: Exchange, spot_api: Api) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    moment = exchange.now_ms() - 2_000
    _command(spot_api, sending_at_ms=moment)
    assert exchange.last(f"POST {_ORDER}")["timestamp"] == str(moment)


def test_a_wrong_address_is_named(credentials: Credentials, binance_settings: BinanceVenueSettings) -> None:
    nothing = httpx.MockTransport(lambda request: httpx.Response(404, text="no"))
    api = Api("https://x", Market.SPOT, credentials, binance_settings, transport=nothing)
    with pytest.raises(FixConfiguration, match="correct the address"):
        api.clock.now_ms()


def test_a_proxy_of_the_environment_gets_signed_requests(
    exchange: Exchange,
    credentials: Credentials,
    binance_settings: BinanceVenueSettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exchange.pages[f"POST {_ORDER}"] = {}
    monkeypatch.setenv("http_proxy", exchange.base_url)
    monkeypatch.delenv("no_proxy", raising=False)
    monkeypatch.delenv("NO_PROXY", raising=False)
    api = Api("http://api.example", Market.SPOT, credentials, binance_settings)
    _command(api)
    assert exchange.asked(f"POST {_ORDER}")[0].signed
    api.close()


class _Time:
    """Seconds that pass only while somebody sleeps."""

    def __init__(self) -> None:
        self.now = 1_000.0
        self.slept: list[float] = []

    def seconds(self) -> float:
        return self.now

    def sleep(self, duration: float) -> None:
        self.slept.append(duration)
        self.now += duration


def _paced(
    exchange: Exchange,
    credentials: Credentials,
    settings: BinanceVenueSettings,
    answer: Callable[[httpx.Request], httpx.Response],
) -> tuple[Api, _Time]:
    passing = _Time()
    surroundings = Surroundings(
        seconds=passing.seconds,
        sleep=passing.sleep,
        chance=lambda: 0.0,
        wall_seconds=passing.seconds,
    )

    def served(request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/time"):
            return httpx.Response(200, json={"serverTime": int(passing.now * 1_000)})
        return answer(request)

    api = Api(
        "https://x",
        Market.SPOT,
        credentials,
        settings,
        surroundings=surroundings,
        transport=httpx.MockTransport(served),
    )
    return api, passing


def test_orders_beyond_the_accounts_limit_are_not_sent(
    exchange: Exchange, credentials: Credentials, binance_settings: BinanceVenueSettings
) -> None:
    sent: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        sent.append(1)
        return httpx.Response(200, json={})

    settings = replace(binance_settings, orders_per_10_seconds=5)
    api, passing = _paced(exchange, credentials, settings, answer)
    for _ in range(5):
        _command(api)
    with pytest.raises(RetryLater, match="nothing was sent"):
        _command(api)
    assert len(sent) == 5
    passing.now += 11
    _command(api)
    assert len(sent) == 6


def test_orders_that_others_sent_count_as_the_venue_counts_them(
    exchange: Exchange, credentials: Credentials, binance_settings: BinanceVenueSettings
) -> None:
    headers = {"X-MBX-ORDER-COUNT-10S": "100", "X-MBX-USED-WEIGHT-1M": "12"}
    api, _ = _paced(
        exchange, credentials, binance_settings, lambda request: httpx.Response(200, json={}, headers=headers)
    )
    _command(api)
    with pytest.raises(RetryLater, match="nothing was sent"):
        _command(api)


def test_a_429_pauses_every_process_that_shares_the_book(
    exchange: Exchange,
    credentials: Credentials,
    binance_settings: BinanceVenueSettings,
    tmp_path: Path,
) -> None:
    settings = replace(binance_settings, weight_file=str(tmp_path / "weights.json"), attempts=1)
    refused = httpx.Response(429, json={"code": -1003, "msg": "too much"}, headers={"Retry-After": "60"})
    first, _ = _paced(exchange, credentials, settings, lambda request: refused)
    served: list[int] = []

    def answer(request: httpx.Request) -> httpx.Response:
        served.append(1)
        return httpx.Response(200, json={})

    second, _ = _paced(exchange, credentials, settings, answer)
    second.clock.now_ms()
    with pytest.raises(RetryLater) as caught:
        _command(first)
    assert caught.value.retry_after_seconds == 60.0
    with pytest.raises(RetryLater, match="nothing was sent"):
        _command(second)
    assert not served


def test_the_book_is_the_one_that_market_data_counts_in(
    exchange: Exchange,
    credentials: Credentials,
    binance_settings: BinanceVenueSettings,
    tmp_path: Path,
) -> None:
    file = tmp_path / "weights.json"
    settings = replace(binance_settings, weight_file=str(file))
    api, _ = _paced(exchange, credentials, settings, lambda request: httpx.Response(200, json={}))
    api.read(_ORDER, {}, weight=80)
    assert sum(orjson.loads(file.read_bytes())["x spot"]["spent"].values()) == 81  # with the clock's one


def test_a_spent_weight_budget_lets_no_order_wait_for_long(
    exchange: Exchange, credentials: Credentials, binance_settings: BinanceVenueSettings
) -> None:
    settings = replace(binance_settings, weight_limit=100)
    api, passing = _paced(exchange, credentials, settings, lambda request: httpx.Response(200, json={}))
    api.read(_ORDER, {}, weight=80)
    for _ in range(17):
        _command(api)
    with pytest.raises(RetryLater, match="nothing was sent"):
        _command(api)
    api.read(_ORDER, {}, weight=1)  # a read waits
    assert sum(passing.slept) > 30


def test_a_request_refused_for_good_is_told_with_the_venues_words(exchange: Exchange, spot_api: Api) -> None:
    exchange.pages[f"POST {_ORDER}"] = refusal(-1013, "Filter failure: LOT_SIZE")
    with pytest.raises(Refused) as caught:
        _command(spot_api)
    assert (caught.value.code, caught.value.reason) == (-1013, "Filter failure: LOT_SIZE")


def test_threads_share_one_api(exchange: Exchange, spot_api: Api) -> None:
    exchange.pages[f"GET {_ORDER}"] = {}
    failures: list[BaseException] = []

    def work() -> None:
        try:
            for _ in range(5):
                spot_api.read(_ORDER, {}, weight=1)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    assert len(exchange.asked(f"GET {_ORDER}")) == 20
    assert len(exchange.asked("GET /api/v3/time")) == 1
