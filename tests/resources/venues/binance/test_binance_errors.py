"""Every documented answer means one thing: later, unknown, halt, fix, or no."""

from __future__ import annotations

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.venues.binance.errors import CODES, Meaning, OutsideWindow, Refused, failure, meaning_of
from trading.errors import FixConfiguration, HaltTrading, RetryLater, TradingError, UnknownOutcome


def _response(status: int, body: object = None, **headers: str) -> httpx.Response:
    request = httpx.Request("POST", "https://api.binance.com/api/v3/order?signature=abc")
    if isinstance(body, bytes):
        return httpx.Response(status, content=body, headers=headers, request=request)
    return httpx.Response(status, json=body, headers=headers, request=request)


def _command(status: int, code: int, message: str = "") -> TradingError:
    return failure(_response(status, {"code": code, "msg": message}), command=True)


@pytest.mark.parametrize(
    ("status", "code", "message", "expected"),
    [
        # Binance's error pages: "execution status unknown", and timeouts of the backend.
        (400, -1000, "An unknown error occurred while processing the request.", UnknownOutcome),
        (400, -1006, "An unexpected response was received from the message bus.", UnknownOutcome),
        (400, -1007, "Timeout waiting for response from backend server.", UnknownOutcome),
        (503, -1008, "Server is currently overloaded with other requests.", UnknownOutcome),
        (500, 0, "", UnknownOutcome),
        (502, 0, "", UnknownOutcome),
        (504, -1007, "", UnknownOutcome),
        (408, -1007, "", UnknownOutcome),
        (408, -1102, "", UnknownOutcome),
        (400, -1042, "A server code that nobody has documented.", UnknownOutcome),
        # An order of this id is there already: somebody's earlier attempt has arrived.
        (400, -2010, "Duplicate order sent.", UnknownOutcome),
        (400, -4116, "ClientOrderId is duplicated.", UnknownOutcome),
        # Limits.
        (429, -1003, "Too much request weight used", RetryLater),
        (418, -1003, "IP banned until 1", RetryLater),
        (429, -1015, "Too many new orders", RetryLater),
        (400, -1016, "This service is no longer available.", RetryLater),
        (400, -1021, "Timestamp for this request is outside of the recvWindow.", OutsideWindow),
        # The account.
        (400, -2017, "API Keys are locked on this account.", HaltTrading),
        (400, -2023, "User in liquidation mode now.", HaltTrading),
        (400, -4400, "Futures Trading Quantitative Rules violated", HaltTrading),
        (400, -2010, "This action is disabled on this account.", HaltTrading),
        (400, -2010, "This account may not place or cancel orders.", HaltTrading),
        # The key.
        (401, -2015, "Invalid API-key, IP, or permissions for action.", FixConfiguration),
        (400, -1022, "Signature for this request is not valid.", FixConfiguration),
        (401, -2014, "API-key format invalid.", FixConfiguration),
        (400, -4061, "Order's position side does not match user's setting.", FixConfiguration),
        (400, -4120, "Order type not supported for this endpoint.", FixConfiguration),
        (403, 0, "", FixConfiguration),
        # The order.
        (400, -2010, "Account has insufficient balance for requested action.", Refused),
        (400, -1013, "Filter failure: LOT_SIZE", Refused),
        (400, -1111, "Parameter 'quantity' has too much precision.", Refused),
        (400, -2019, "Margin is insufficient.", Refused),
        (400, -2021, "Order would immediately trigger.", Refused),
        (400, -2022, "ReduceOnly Order is rejected.", Refused),
        (400, -4164, "Order's notional must be no smaller than 100", Refused),
    ],
)
def test_a_command_knows_what_an_answer_means(
    status: int, code: int, message: str, expected: type[TradingError]
) -> None:
    assert type(_command(status, code, message)) is expected


@given(st.integers(300, 599), st.integers(-9999, 0))
def test_a_read_is_never_unknown_and_a_5xx_command_always(status: int, code: int) -> None:
    response = _response(status, {"code": code, "msg": "x"})
    assert not isinstance(failure(response, command=False), UnknownOutcome)
    if status >= 500:
        assert isinstance(failure(response, command=True), UnknownOutcome)


@given(st.integers(-9999, -1))
def test_a_refusal_of_a_code_that_nobody_knows_is_a_rejection(code: int) -> None:
    found = failure(_response(400, {"code": code, "msg": "x"}), command=True)
    if code in CODES:
        return
    if -1099 <= code <= -1000:
        assert isinstance(found, UnknownOutcome)
    else:
        assert isinstance(found, Refused)
        assert found.code == code


@pytest.mark.parametrize("status", [400, 404, 301])
def test_an_answer_that_is_not_the_venues_leaves_a_command_unknown(status: int) -> None:
    page = _response(status, b"<html>gateway: /api/v3/order?signature=abc</html>")
    found = failure(page, command=True)
    assert isinstance(found, UnknownOutcome)
    assert "signature" not in str(found)


def test_the_pause_that_the_venue_asks_for_is_kept() -> None:
    found = failure(_response(429, {"code": -1003, "msg": "x"}, **{"Retry-After": "7"}), command=True)
    assert isinstance(found, RetryLater)
    assert found.retry_after_seconds == 7.0


def test_answers_that_are_no_errors_say_so() -> None:
    assert meaning_of(400, -2013, "Order does not exist.") is Meaning.ABSENT
    assert meaning_of(400, -2011, "Unknown order sent.") is Meaning.NOT_OPEN
    assert meaning_of(400, -4046, "No need to change margin type.") is Meaning.UNCHANGED
    assert meaning_of(400, -1125, "This listenKey does not exist.") is Meaning.NO_LISTEN_KEY
