"""Binance's error answers."""

from __future__ import annotations


class ApiError(Exception):
    """An answer other than success, in Binance's words."""

    def __init__(self, status: int, code: int, message: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers or {}


def invalid_symbol() -> ApiError:
    """The exchange does not know the symbol."""
    return ApiError(400, -1121, "Invalid symbol.")


def invalid_interval() -> ApiError:
    """The interval is not served."""
    return ApiError(400, -1120, "Invalid interval.")


def missing(parameter: str) -> ApiError:
    """A mandatory parameter was not sent."""
    return ApiError(
        400,
        -1102,
        f"Mandatory parameter '{parameter}' was not sent, was empty/null, or malformed.",
    )


def illegal(parameter: str, legal: str = "^[0-9]{1,20}$") -> ApiError:
    """A parameter has characters that it may not have."""
    return ApiError(
        400, -1100, f"Illegal characters found in parameter '{parameter}'; legal range is '{legal}'."
    )


def out_of_reach(parameter: str) -> ApiError:
    """A parameter names what the exchange no longer keeps."""
    return ApiError(400, -1130, f"Data sent for parameter '{parameter}' is not valid.")


def not_served(what: str) -> ApiError:
    """The exchange has no such market."""
    return ApiError(404, -1121, f"{what} are not served here: a replay has spot klines only.")


def too_many_requests(limit: int, retry_after: int) -> ApiError:
    """The request weight of the minute is used up."""
    return ApiError(
        429,
        -1003,
        f"Too much request weight used; current limit is {limit} request weight per 1 MINUTE. "
        "Please use WebSocket Streams for live updates to avoid polling the API.",
        {"Retry-After": str(retry_after)},
    )


def banned(until_ms: int, retry_after: int) -> ApiError:
    """The client ignored earlier 429 answers."""
    return ApiError(
        418,
        -1003,
        f"Way too much request weight used; IP banned until {until_ms}. "
        "Please use WebSocket Streams for live updates to avoid bans.",
        {"Retry-After": str(retry_after)},
    )
