"""Genes as a desk reads them from the snapshot, and the trailing stop that two of them make."""

from __future__ import annotations

import math

from trading.desks.candidate import direction_of
from trading.model.check import known
from trading.model.decision import Direction
from trading.model.snapshot import PaperStrategy, Position


def gene(strategy: PaperStrategy | None, key: str) -> float:
    """The genome's value as a number; NaN where it is absent, text or not finite."""
    value = strategy.genome.get(key) if strategy is not None else None
    number = known(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    return math.nan if number is None else number


def trailing_level(position: Position, strategy: PaperStrategy | None) -> float:
    """Price of the trailing stop; NaN while it is not active, or not nearer than the fixed stop.

    It follows the highest close up, of a short the lowest one down.
    """
    if strategy is None:
        return math.nan
    side = 1 if direction_of(position) is Direction.LONG else -1
    cost = float(position.average_cost)
    closes = {item.symbol: item.close for item in strategy.best_closes}
    # An unknown best close is no reason to protect less: the position was once worth its cost.
    best = max(side * cost, side * (known(closes.get(position.symbol)) or cost)) * side
    active_from = cost * (1 + side * gene(strategy, "trailing_after_fraction"))
    if not side * best >= side * active_from:
        return math.nan
    level = best * (1 - side * gene(strategy, "trailing_fraction"))
    stop = cost * (1 - side * gene(strategy, "stop_fraction"))
    return level if side * level > side * stop else math.nan
