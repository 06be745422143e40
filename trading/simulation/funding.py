"""Funding of simulated perpetuals, by Binance's rule.

Source: "Introduction to Binance Futures Funding Rates". With the average premium P, each minute
weighted by its place in the interval, and the interest rate I of 0.01 % for eight hours, the rate of N
hours is ``(P + clamp(I - P, -0.05 %, 0.05 %)) / (8 / N)``.
"""

from __future__ import annotations

import numpy as np

from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.contracts import USUAL_HOURS, Contract
from trading.simulation.daily import Floats

#: Interest for eight hours (fraction).
INTEREST = 0.0001
_CLAMP = 0.0005
HOUR_MS = 60 * MINUTE_MS


def funding_rate(premiums: Floats, interval_hours: int) -> float:
    """Rate (fraction, eight decimals) that longs pay to shorts for an interval.

    Parameters
    ----------
    premiums
        Premium at each minute's end within the interval, oldest first; at least one.
    """
    weights = np.arange(1, premiums.size + 1)
    average = float((premiums * weights).sum() / weights.sum())
    rate = average + min(max(INTEREST - average, -_CLAMP), _CLAMP)
    return round(rate * interval_hours / USUAL_HOURS, 8) + 0.0


def settlements(contract: Contract, day_ms: int) -> list[tuple[int, int]]:
    """Moments (ms) of a UTC day at which funding is paid, and the hours since the payment before."""
    found = []
    for at_ms in range(day_ms, day_ms + DAY_MS, HOUR_MS):
        hours = contract.interval_hours(at_ms - 1)
        ended = contract.delisted_at_ms is not None and at_ms > contract.delisted_at_ms
        if at_ms % (hours * HOUR_MS) == 0 and at_ms > contract.listed_at_ms and not ended:
            found.append((at_ms, hours))
    return found


def next_settlement(contract: Contract, now_ms: int) -> int:
    """The first payment (ms) after a moment."""
    step = contract.interval_hours(now_ms) * HOUR_MS
    return now_ms - now_ms % step + step
