"""What a statistic of a day may be, judged by what it was on the days before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from statistics import median

#: With fewer earlier days than this there is no band: a median of a few days promises nothing.
FEWEST_DAYS = 7
#: Half of a band, in robust standard deviations. Of a normal statistic one day in two million is outside.
WIDTH = 5.0
#: The median absolute deviation of a normal sample times this is its standard deviation
#: (Rousseeuw and Croux, Alternatives to the Median Absolute Deviation, JASA 1993).
MAD_TO_DEVIATION = 1.4826


class Scale(StrEnum):
    """How a statistic varies: amounts by factors, from zero upwards; levels by differences."""

    AMOUNT = "amount"
    LEVEL = "level"


@dataclass(frozen=True, slots=True)
class Limits:
    """Least and largest accepted value, both included."""

    least: float
    most: float


def band(earlier: Sequence[float | None], scale: Scale, floor: float) -> Limits | None:
    """Median of the earlier days, ±`WIDTH` robust standard deviations.

    Parameters
    ----------
    earlier
        The statistic on each earlier day; None and NaN where it was not known.
    scale
        An amount's deviations are taken of log(1 + value), so that a band never reaches below zero.
    floor
        Narrowest half of the band, lest a month without any variation (MAD 0) make the least change an alarm:
        a share of an amount, a distance for a level.

    Returns
    -------
    Limits or None
        None when fewer than `FEWEST_DAYS` values are known.
    """
    known = [value for value in earlier if value is not None and math.isfinite(value)]
    if len(known) < FEWEST_DAYS:
        return None
    values = [math.log1p(value) for value in known] if scale is Scale.AMOUNT else known
    middle = median(values)
    deviation = MAD_TO_DEVIATION * median(abs(value - middle) for value in values)
    half = max(WIDTH * deviation, math.log1p(floor) if scale is Scale.AMOUNT else floor)
    if scale is Scale.AMOUNT:
        return Limits(max(0.0, math.expm1(middle - half)), math.expm1(middle + half))
    return Limits(middle - half, middle + half)
