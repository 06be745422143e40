"""Weighted scores whose missing parts are left out, never taken for zero."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Weighted:
    """A score between 0 and 1 (NaN if nothing is known).

    Attributes
    ----------
    parts
        Every part that is known, 0 to 1.
    missing
        Names of the parts that are not known, in the order of the weights.
    known_weight
        Share of the weights whose parts are known, 0 to 1.
    """

    score: float
    parts: dict[str, float]
    missing: tuple[str, ...]
    known_weight: float


def weighted(parts: Mapping[str, float], weights: Mapping[str, float]) -> Weighted:
    """The mean of the known parts by weight; NaN or absent is missing. A weight of 0 switches a part off."""
    used = {name: weight for name, weight in weights.items() if weight > 0}
    known = {name: parts[name] for name in used if not math.isnan(parts.get(name, math.nan))}
    total, sum_of_weights = sum(used[name] for name in known), sum(used.values())
    if total <= 0:
        return Weighted(math.nan, {}, tuple(used), 0.0)
    score = sum(used[name] * value for name, value in known.items()) / total
    return Weighted(score, known, tuple(name for name in used if name not in known), total / sum_of_weights)


def clamped(value: float) -> float:
    """The value inside 0 to 1; NaN stays NaN."""
    return value if math.isnan(value) else min(max(value, 0.0), 1.0)
