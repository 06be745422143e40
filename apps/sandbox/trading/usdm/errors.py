"""Binance's refusals that only the futures market has."""

from __future__ import annotations

from decimal import Decimal

from apps.sandbox.errors import ApiError


def no_price() -> ApiError:
    """Nothing has traded for a day."""
    return ApiError(400, -4108, "Symbol is not in trading status.")


def use_algo_endpoint() -> ApiError:
    """A conditional type was sent to the plain order endpoint."""
    return ApiError(
        400,
        -4120,
        "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.",
    )


def reduce_only_refused() -> ApiError:
    """There is nothing to reduce, or less than asked for."""
    return ApiError(400, -2022, "ReduceOnly Order is rejected.")


def insufficient_margin() -> ApiError:
    """The account cannot bear the order."""
    return ApiError(400, -2019, "Margin is insufficient.")


def too_large_for_leverage() -> ApiError:
    """The position would be larger than its leverage allows."""
    return ApiError(400, -2027, "Exceeded the maximum allowable position at current leverage.")


def would_trigger() -> ApiError:
    """The trigger price is reached already."""
    return ApiError(400, -2021, "Order would immediately trigger.")


def not_a_maker() -> ApiError:
    """A post-only order would take."""
    return ApiError(
        400,
        -5022,
        "Due to the order could not be executed as maker, the Post Only order will be rejected.",
    )


def too_precise() -> ApiError:
    """More digits than tick or lot have."""
    return ApiError(400, -1111, "Precision is over the maximum defined for this asset.")


def quantity_out_of_range() -> ApiError:
    """Below the smallest or above the largest quantity."""
    return ApiError(400, -4005, "Quantity greater than max quantity.")


def too_small(notional: object) -> ApiError:
    """Below the smallest value."""
    return ApiError(
        400,
        -4164,
        f"Order's notional must be no smaller than {notional} (unless you choose reduce only).",
    )


def too_high(bound: Decimal) -> ApiError:
    """A purchase too far above the mark price."""
    return ApiError(400, -4016, f"Limit price can't be higher than {bound:.2f}.")


def too_low(bound: Decimal) -> ApiError:
    """A sale too far below the mark price."""
    return ApiError(400, -4024, f"Limit price can't be lower than {bound:.2f}.")


def too_many_open() -> ApiError:
    """No more orders may be open."""
    return ApiError(400, -2025, "Reach max open order limit.")


def too_many_waiting() -> ApiError:
    """No more conditional orders may wait."""
    return ApiError(400, -4045, "Reach max stop order limit.")


def duplicate_client_id() -> ApiError:
    """An open order has the client id."""
    return ApiError(400, -4116, "ClientOrderId is duplicated.")


def wrong_position_side() -> ApiError:
    """BOTH in hedge mode, or LONG or SHORT in one-way mode."""
    return ApiError(400, -4061, "Order's position side does not match user's setting.")


def same_mode() -> ApiError:
    """The position mode is that already."""
    return ApiError(400, -4059, "No need to change position side.")


def mode_with_orders() -> ApiError:
    """The position mode cannot change now."""
    return ApiError(400, -4067, "Position side cannot be changed if there exists open orders.")


def mode_with_positions() -> ApiError:
    """The position mode cannot change now."""
    return ApiError(400, -4068, "Position side cannot be changed if there exists position.")


def same_margin_type() -> ApiError:
    """The margin type is that already."""
    return ApiError(400, -4046, "No need to change margin type.")


def margin_type_with_orders() -> ApiError:
    """The margin type cannot change now."""
    return ApiError(400, -4047, "Margin type cannot be changed if there exists open orders.")


def margin_type_with_position() -> ApiError:
    """The margin type cannot change now."""
    return ApiError(400, -4048, "Margin type cannot be changed if there exists position.")


def bad_leverage(leverage: int) -> ApiError:
    """Leverage out of range."""
    return ApiError(400, -4028, f"Leverage {leverage} is not valid")
