"""What each answer of Binance means for the caller: one table of codes.

Facts: the error pages of the spot and USDT-M futures APIs. Statuses from 500 on say nothing about the effect.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import StrEnum

import httpx
import orjson

from resources.market_data.reader import retry_after_seconds
from trading.errors import BadData, FixConfiguration, HaltTrading, RetryLater, TradingError, UnknownOutcome


class Meaning(StrEnum):
    """What a refusal says about the request, and so what to do next."""

    RETRY = "retry"
    CLOCK = "clock"
    UNKNOWN = "unknown"
    HALT = "halt"
    FIX = "fix"
    REJECTED = "rejected"
    ABSENT = "absent"
    NOT_OPEN = "not_open"
    ARCHIVED = "archived"
    UNCHANGED = "unchanged"
    NO_LISTEN_KEY = "no_listen_key"


_M = Meaning

#: Codes that do not mean that the request itself was refused for good.
CODES: Mapping[int, Meaning] = {
    # The outcome is open. A duplicate id means that an earlier request with it has arrived.
    **dict.fromkeys((-1000, -1001, -1006, -1007), _M.UNKNOWN),
    -4116: _M.UNKNOWN,
    # Nothing happened, and it may succeed later: limits, overload, maintenance.
    **dict.fromkeys((-1003, -1008, -1015, -1016), _M.RETRY),
    -1021: _M.CLOCK,
    # The account may not trade: a person must look.
    **dict.fromkeys((-2017, -2023, -4087, -4088, -4192, -4400, -4401, -4402, -4403), _M.HALT),
    # The key, its rights, the account's mode or an address is wrong.
    **dict.fromkeys((-1002, -1005, -1011, -1022, -1099, -1109, -2008, -2014, -2015), _M.FIX),
    **dict.fromkeys((-4059, -4060, -4061, -4067, -4068, -4120), _M.FIX),
    # Refused although the code is among those of the server and the network.
    **dict.fromkeys((-1010, -1013, -1014, -1020, -1023), _M.REJECTED),
    # Answers rather than errors.
    -2013: _M.ABSENT,
    -2011: _M.NOT_OPEN,
    -2026: _M.ARCHIVED,
    -4046: _M.UNCHANGED,
    -1125: _M.NO_LISTEN_KEY,
}

#: The matching engine's refusals share two codes and differ by their text.
_BY_TEXT = (
    ("duplicate order sent", _M.UNKNOWN),
    ("this action is disabled on this account", _M.HALT),
    ("this account may not place or cancel orders", _M.HALT),
)
_ENGINE_CODES = frozenset({-2010, -2011, -1010})
#: "General server or network issues": one that the table does not have proves nothing.
_SERVER_CODES = range(-1099, -999)
_KEY_ADVICE = "check the key, what it may do, and the addresses that it is bound to"
_FORBIDDEN = frozenset({401, 403, 451})
_NOT_FOUND = 404
_BACKEND_TIMEOUT = 408


class OutsideWindow(RetryLater):
    """The venue's clock and the request's timestamp are too far apart: nothing happened."""


class Refused(BadData):
    """The venue refused the request as it is, and nothing happened.

    Attributes
    ----------
    code
        The venue's; 0 when it gave none.
    reason
        The venue's own words.
    """

    def __init__(self, what: str, code: int, reason: str, meaning: Meaning) -> None:
        super().__init__(what)
        self.code = code
        self.reason = reason
        self.meaning = meaning


def meaning_of(status: int, code: int, message: str) -> Meaning:
    """What an answer other than success means for a request that may have an effect."""
    if status in (418, 429):
        return _M.RETRY
    if status >= 500 or status < 400 or status == _BACKEND_TIMEOUT:
        return _M.UNKNOWN
    if not code:
        # Not the venue's words: something on the way answered, and what it did with the request is open.
        return _M.FIX if status in _FORBIDDEN else _M.UNKNOWN
    if code in _ENGINE_CODES:
        for text, meaning in _BY_TEXT:
            if text in message.lower():
                return meaning
    return CODES.get(code, _M.UNKNOWN if code in _SERVER_CODES else _M.REJECTED)


def failure(response: httpx.Response, *, command: bool, clean: Callable[[str], str] = str) -> TradingError:
    """The error for an answer other than success.

    Parameters
    ----------
    command
        Whether the request could have an effect; a read has none, so that it may be tried again.
    clean
        Takes secrets out of the venue's words, should it quote the request.
    """
    code, message = code_and_message(response)
    message = clean(message)
    what = f"{response.request.method} {response.request.url.path} answered {response.status_code}"
    what = f"{what} ({code}): {message}" if code else what
    meaning = meaning_of(response.status_code, code, message)
    if response.status_code == _NOT_FOUND and not code and not command:
        meaning = _M.REJECTED
    return error_of(meaning, what, code, message, retry_after_seconds(response), command=command)


def error_of(
    meaning: Meaning,
    what: str,
    code: int,
    message: str,
    retry_after: float | None = None,
    *,
    command: bool,
) -> TradingError:
    """The error that a meaning is raised as."""
    if meaning is _M.UNKNOWN and command:
        return UnknownOutcome(f"{what}; whether it had an effect is not known: look it up")
    if meaning in (_M.RETRY, _M.UNKNOWN):
        return RetryLater(what, retry_after)
    if meaning is _M.CLOCK:
        return OutsideWindow(f"{what}; the request was under way for too long, or a clock is wrong")
    if meaning is _M.HALT:
        return HaltTrading(f"{what}; the venue stops this account: find out why before trading on")
    if meaning is _M.FIX:
        return FixConfiguration(f"{what}; {_KEY_ADVICE}")
    return Refused(what, code, message, meaning)


def code_and_message(response: httpx.Response) -> tuple[int, str]:
    """The venue's code and words; (0, "") when the answer is not the venue's, whose text is not quoted."""
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return 0, ""
    if isinstance(body, dict) and isinstance(body.get("code"), int):
        return body["code"], str(body.get("msg", ""))[:300]
    return 0, ""
