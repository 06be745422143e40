"""What a market order pays beyond the price on the screen: half the spread, and its own impact."""

from __future__ import annotations

import math


def square_root_impact_bps(
    coefficient: float, daily_volatility_fraction: float, share_of_volume: float
) -> float:
    """Peak impact of an order, basis points: Y σ √(Q/V), the square-root law.

    Parameters
    ----------
    coefficient
        Y, about 0.5 to 1.
    daily_volatility_fraction
        σ of daily returns.
    share_of_volume
        Order quantity over daily volume, Q/V.

    Raises
    ------
    ValueError
        If an argument is negative or not finite: an unknown cost must not become a cost of 0.

    Notes
    -----
    The law does not depend on the horizon: with volume V/1440 and volatility σ/√1440 of one minute it
    gives the same number, which is how `minute_impact_bps` applies it to a single bar.
    """
    for name, value in (
        ("coefficient", coefficient),
        ("daily_volatility_fraction", daily_volatility_fraction),
        ("share_of_volume", share_of_volume),
    ):
        if not math.isfinite(value) or value < 0:
            raise ValueError(f"{name} is {value!r}; it must be a number of at least 0")
    return coefficient * daily_volatility_fraction * math.sqrt(share_of_volume) * 10_000.0


def minute_impact_bps(
    coefficient: float, daily_volatility_fraction: float, quantity: float, minute_volume: float
) -> float:
    """Square-root impact of a quantity traded against one minute's volume, basis points."""
    if not minute_volume > 0:
        raise ValueError(f"minute_volume is {minute_volume!r}; nothing can trade without volume")
    return square_root_impact_bps(
        coefficient, daily_volatility_fraction / math.sqrt(1440.0), quantity / minute_volume
    )
