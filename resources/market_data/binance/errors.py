"""What an answer of Binance means for the caller."""

from __future__ import annotations

import httpx
import orjson

from resources.market_data.reader import retry_after_seconds, retryable
from trading.errors import FixConfiguration, RetryLater, TradingError

#: Codes for a symbol, and for the pair of an index, that does not exist.
_UNKNOWN = frozenset({-1121, -4144})
_FORBIDDEN = frozenset({403, 451})


class UnknownSymbol(FixConfiguration):
    """The venue does not know the symbol of the request."""


def failure(response: httpx.Response) -> TradingError:
    """The error for an answer other than success."""
    code, message = _code_and_message(response)
    what = f"{response.request.url} answered {response.status_code}: {message}"
    if retryable(response.status_code):
        return RetryLater(what, retry_after_seconds(response))
    if code in _UNKNOWN:
        return UnknownSymbol(what)
    if response.status_code in _FORBIDDEN:
        return FixConfiguration(
            f"{what}; the venue refuses this address or place: set market_data.binance.base_url to "
            "https://data-api.binance.vision (spot only), or market_data.source to archive"
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
