"""The one signed read: an account's margin schedules, with a key that may only read."""

from __future__ import annotations

import hashlib
import hmac
import os
from dataclasses import dataclass
from urllib.parse import urlencode, urlsplit

import httpx
import orjson
from pydantic import SecretStr

from resources.instruments.brackets import parse_venue
from trading.errors import BadData, FixConfiguration, RetryLater, TradingError
from trading.instruments.terms import Schedules

KEY_VARIABLE = "TIDEMILL_BINANCE_KEY"
SECRET_VARIABLE = "TIDEMILL_BINANCE_SECRET"  # noqa: S105 - the name, not the secret

_PATH = "/fapi/v1/leverageBracket"
_RECEIVE_WINDOW_MS = 5_000
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
#: The request reached the venue too late or too early by its clock.
_OUTSIDE_WINDOW = -1021
#: The key, its permissions, its addresses or the signature are wrong.
_REFUSED_KEYS = frozenset({-1022, -2008, -2014, -2015})


@dataclass(frozen=True, slots=True)
class Credentials:
    """A key of the venue and its secret; neither is ever printed."""

    key: SecretStr
    secret: SecretStr

    def sign(self, query: str) -> str:
        """HMAC-SHA256 of a query string in hex, as Binance's signed endpoints ask for it."""
        secret = self.secret.get_secret_value().encode()
        return hmac.new(secret, query.encode(), hashlib.sha256).hexdigest()


def credentials() -> Credentials | None:
    """The key in the environment; None when there is none.

    Raises
    ------
    FixConfiguration
        If only one of the two variables is set.
    """
    key, secret = (os.environ.get(name, "").strip() for name in (KEY_VARIABLE, SECRET_VARIABLE))
    if not key and not secret:
        return None
    if not key or not secret:
        there, missing = (KEY_VARIABLE, SECRET_VARIABLE) if key else (SECRET_VARIABLE, KEY_VARIABLE)
        raise FixConfiguration(f"{there} is set and {missing} is not; set both, or neither")
    return Credentials(SecretStr(key), SecretStr(secret))


def fetch_brackets(account: Credentials, base_url: str, *, timeout_seconds: float = 10.0) -> Schedules:
    """Every margin schedule of the account, from ``/fapi/v1/leverageBracket``.

    The request is stamped with the venue's time, so a wrong clock here does no harm.

    Raises
    ------
    RetryLater
        If the venue does not answer, is busy, or took too long to get the request.
    FixConfiguration
        If the venue refuses the key, or the address is no https.
    BadData
        If the answer is not as documented.
    """
    parts = urlsplit(base_url)
    local = parts.hostname in _LOOPBACK
    if parts.scheme != "https" and not (parts.scheme == "http" and local):
        raise FixConfiguration(f"futures address {base_url!r}: a key may only travel over https")
    headers = {"X-MBX-APIKEY": account.key.get_secret_value()}
    try:
        with httpx.Client(base_url=base_url, timeout=timeout_seconds, trust_env=not local) as http:
            query = urlencode({"recvWindow": _RECEIVE_WINDOW_MS, "timestamp": _server_time_ms(http)})
            answer = _checked(http.get(f"{_PATH}?{query}&signature={account.sign(query)}", headers=headers))
    except httpx.TransportError as error:
        raise RetryLater(f"{base_url}{_PATH} did not answer: {type(error).__name__}") from error
    return parse_venue(answer.content, f"{base_url}{_PATH}")


def _server_time_ms(http: httpx.Client) -> int:
    body = _body(_checked(http.get("/fapi/v1/time")))
    stamp = body.get("serverTime")
    if not isinstance(stamp, int):
        raise BadData(f"{http.base_url}/fapi/v1/time: serverTime is {stamp!r}, expected milliseconds")
    return stamp


def _checked(response: httpx.Response) -> httpx.Response:
    if not response.is_success:
        raise _failure(response)
    return response


def _failure(response: httpx.Response) -> TradingError:
    # The path alone: the query carries a signature.
    body, status = _body(response), response.status_code
    code = body.get("code")
    what = f"{response.request.url.path} answered {status}: {body.get('msg', response.text[:200])}"
    if status in (418, 429) or status >= 500:
        pause = response.headers.get("Retry-After", "")
        return RetryLater(what, float(pause) if pause.isdigit() else None)
    if code == _OUTSIDE_WINDOW:
        return RetryLater(f"{what}; the request was under way for too long")
    if code in _REFUSED_KEYS or status == 401:
        return FixConfiguration(
            f"{what}; check {KEY_VARIABLE} and {SECRET_VARIABLE}: the key needs reading, and this machine's "
            "address where it is bound to addresses"
        )
    return FixConfiguration(what)


def _body(response: httpx.Response) -> dict[str, object]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}
