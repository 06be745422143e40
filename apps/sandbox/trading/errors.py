"""Binance's answers to signed requests that it refuses."""

from __future__ import annotations

from typing import Any

from apps.sandbox.errors import ApiError


class PartlyRefused(ApiError):
    """A cancel-replace of which a part was refused; what succeeded stays done.

    Attributes
    ----------
    outcome
        Both results, and both answers.
    """

    def __init__(self, status: int, code: int, message: str, outcome: dict[str, Any]) -> None:
        super().__init__(status, code, message)
        self.outcome = outcome


def bad_key_format() -> ApiError:
    """No key was sent, or none that could be one."""
    return ApiError(401, -2014, "API-key format invalid.")


def unknown_key() -> ApiError:
    """The key belongs to nobody."""
    return ApiError(401, -2015, "Invalid API-key, IP, or permissions for action.")


def bad_signature() -> ApiError:
    """The signature does not fit the request."""
    return ApiError(400, -1022, "Signature for this request is not valid.")


def too_early() -> ApiError:
    """The request is from the future."""
    return ApiError(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.")


def too_late() -> ApiError:
    """The request is older than it allows itself to be."""
    return ApiError(400, -1021, "Timestamp for this request is outside of the recvWindow.")


def window_too_long() -> ApiError:
    """The receive window is longer than a minute."""
    return ApiError(400, -1131, "recvWindow must be less than 60000.")


def duplicate_parameter() -> ApiError:
    """A parameter was sent twice."""
    return ApiError(400, -1101, "Duplicate values for a parameter detected.")


def not_required(parameter: str) -> ApiError:
    """The order's type has no such parameter."""
    return ApiError(400, -1106, f"Parameter '{parameter}' sent when not required.")


def invalid_side() -> ApiError:
    """Neither BUY nor SELL."""
    return ApiError(400, -1117, "Invalid side.")


def invalid_order_type() -> ApiError:
    """No such type here."""
    return ApiError(400, -1116, "Invalid orderType.")


def invalid_time_in_force() -> ApiError:
    """No such time in force here."""
    return ApiError(400, -1115, "Invalid timeInForce.")


def unknown_combination() -> ApiError:
    """Optional parameters that do not go together."""
    return ApiError(400, -1128, "Combination of optional parameters invalid.")


def too_long_a_range() -> ApiError:
    """A query over more than a day."""
    return ApiError(400, -1127, "More than 24 hours between startTime and endTime.")


def filter_failure(name: str) -> ApiError:
    """The order breaks one of the symbol's filters."""
    return ApiError(400, -1013, f"Filter failure: {name}")


def rejected(message: str) -> ApiError:
    """The order was refused."""
    return ApiError(400, -2010, message)


def no_such_order() -> ApiError:
    """A query for an order that is not known."""
    return ApiError(400, -2013, "Order does not exist.")


def nothing_to_cancel() -> ApiError:
    """A cancel of an order that is not open."""
    return ApiError(400, -2011, "Unknown order sent.")


def too_many_orders(limit: int) -> ApiError:
    """New orders came too fast."""
    return ApiError(
        429,
        -1015,
        f"Too many new orders; current limit is {limit} orders per 10 SECOND.",
        {"Retry-After": "10"},
    )
