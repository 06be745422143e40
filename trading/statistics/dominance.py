"""Stochastic dominance of one sample of outcomes over another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from trading.statistics.sample import Floats


@dataclass(frozen=True, slots=True)
class Dominance:
    """Whether chosen outcomes dominate a field of outcomes.

    Attributes
    ----------
    first_order
        At every level, the chosen are at least as likely as the field to be above it: whoever likes more
        prefers them.
    second_order
        The same for the accumulated shortfall below every level: whoever also dislikes risk prefers them.
        First order implies second.
    """

    first_order: bool
    second_order: bool


def dominance(chosen: Floats, field: Floats) -> Dominance:
    """Compare empirical distributions, shapes (chosen,) and (field,), finite and not empty; exact."""
    chosen, field = np.sort(chosen), np.sort(field)
    levels = np.sort(np.concatenate([chosen, field]))
    below_chosen = np.searchsorted(chosen, levels, side="right") / chosen.size
    below_field = np.searchsorted(field, levels, side="right") / field.size
    excess = below_chosen - below_field
    # Shares are multiples of one by the sizes, so any true excess is far above rounding.
    shortfall = np.cumsum(excess[:-1] * np.diff(levels))
    rounding = 1e-12 * float(levels[-1] - levels[0])
    return Dominance(
        first_order=bool((excess <= 1e-12).all()),
        second_order=bool((shortfall <= rounding).all()),
    )
