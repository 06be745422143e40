"""Values that are pulled back to a mean: premiums, bases, open interest and ratios.

A value has a slow part, one anchor at the start of each day, drawn in one pass, and a fast part within
the day that is nought at both ends. So days join, and each can be computed alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from trading.simulation.daily import Floats


@dataclass(frozen=True, slots=True)
class Reversion:
    """How a value moves around its mean, all in the value's own unit.

    Attributes
    ----------
    daily_deviation, daily_memory
        Standard deviation of the daily anchors, and the share of a deviation that is left a day later.
    fast_deviation, fast_memory
        The same of the noise within the day, per step.
    bound
        Largest distance from nought; beyond it the value is cut.
    """

    mean: float
    daily_deviation: float
    daily_memory: float
    fast_deviation: float
    fast_memory: float
    bound: float = math.inf


def anchors(random: np.random.Generator, process: Reversion, days: int, push: Floats | None = None) -> Floats:
    """Value at the start of each day, shape (days + 1,).

    Parameters
    ----------
    push
        What moves each anchor beside chance, shape (days + 1,); None for nothing.
    """
    memory = process.daily_memory
    noise = random.standard_normal(days + 1) * process.daily_deviation * math.sqrt(1.0 - memory * memory)
    if push is not None:
        noise = noise + push
    deviation, found = 0.0, np.empty(days + 1)
    for day, surprise in enumerate(noise.tolist()):
        deviation = memory * deviation + surprise
        found[day] = process.mean + deviation
    return np.asarray(np.clip(found, -process.bound, process.bound))


def within_day(
    random: np.random.Generator, process: Reversion, start: float, end: float, steps: int
) -> Floats:
    """Value at the day's start and after each step, shape (steps + 1,), from ``start`` to ``end`` exactly."""
    memory = process.fast_memory
    weights = memory ** np.arange(1, steps + 1)
    shocks = random.standard_normal(steps) * process.fast_deviation * math.sqrt(1.0 - memory * memory)
    noise = np.append(0.0, np.cumsum(shocks / weights) * weights)
    gone = np.arange(steps + 1) / steps
    path = start + (end - start) * gone + noise - noise[-1] * gone
    path[-1] = end
    return np.asarray(np.clip(path, -process.bound, process.bound))
