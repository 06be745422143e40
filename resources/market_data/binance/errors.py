"""What an answer of Binance means for the caller."""

from __future__ import annotations

import httpx
import orjson

from trading.errors import FixConfiguration, RetryLater, TradingError

INVALID_SYMBOL = -1121
_RATE_LIMITED = frozenset({418, 429})


class UnknownSymbol(FixConfiguration):
    """The venue does not know the symbol of the request."""


def retryable(status: int) -> bool:
    """Whether a read that got this status may simply be read again."""
    return status in _RATE_LIMITED or status >= 500


def retry_after_seconds(response: httpx.Response) -> float | None:
    """The pause that the venue asks for; None when it does not say (or not in seconds)."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isdigit() else None


def failure(response: httpx.Response) -> TradingError:
    """The error for an answer other than success."""
    code, message = _code_and_message(response)
    what = f"{response.request.url} answered {response.status_code}: {message}"
    if retryable(response.status_code):
        return RetryLater(what, retry_after_seconds(response))
    if code == INVALID_SYMBOL:
        return UnknownSymbol(what)
    if response.status_code in (403, 451):
        return FixConfiguration(
            f"{what}; the venue refuses this address or place: set market_data.binance.base_url "
            "to https://data-api.binance.vision, or use another source"
        )
    return FixConfiguration(what)


def _code_and_message(response: httpx.Response) -> tuple[int, str]:
    try:
        body = orjson.loads(response.content)
    except orjson.JSONDecodeError:
        body = None
    if isinstance(body, dict) and isinstance(body.get("code"), int):
        return body["code"], str(body.get("msg", ""))
    return 0, response.text[:200]
