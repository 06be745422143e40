"""Labels of a rating, and the streak counter over bars."""

from __future__ import annotations

import math
from itertools import pairwise

import polars as pl

RATING_LABELS = ("strong_sell", "sell", "neutral", "buy", "strong_buy")

_STRONG = 0.5
_PLAIN = 0.1
_STREAK_LIMIT = 5


def label(rating: float | None) -> str | None:
    """Label of a rating in [-1, 1]; exactly 0.5 is a plain buy, exactly 0.1 neutral; None when missing."""
    if rating is None or math.isnan(rating):
        return None
    if abs(rating) <= _PLAIN:
        return "neutral"
    side = "buy" if rating > 0 else "sell"
    return side if abs(rating) <= _STRONG else f"strong_{side}"


def label_expression(rating: pl.Expr) -> pl.Expr:
    """:func:`label` of a column."""
    return (
        pl.when(rating < -_STRONG)
        .then(pl.lit("strong_sell"))
        .when(rating < -_PLAIN)
        .then(pl.lit("sell"))
        .when(rating <= _PLAIN)
        .then(pl.lit("neutral"))
        .when(rating <= _STRONG)
        .then(pl.lit("buy"))
        .when(rating > _STRONG)
        .then(pl.lit("strong_buy"))
    )


def streaks(ratings: list[float | None], starts: list[int]) -> list[int | None]:
    """Streak counter of |rating| per symbol.

    0 for a rating of 0; one more, at most 5, when |rating| is not smaller than before; otherwise one
    less, at least 1. None where the rating is missing; the next one starts afresh from 0.

    Parameters
    ----------
    ratings
        Total ratings, symbol after symbol.
    starts
        First row of each symbol, then the number of rows.
    """
    out: list[int | None] = []
    for start, stop in pairwise(starts):
        size, streak = 0.0, 0
        for rating in ratings[start:stop]:
            if rating is None:
                size, streak = 0.0, 0
                out.append(None)
                continue
            if rating == 0.0:
                streak = 0
            elif abs(rating) >= size:
                streak = min(_STREAK_LIMIT, streak + 1)
            else:
                streak = max(1, streak - 1)
            size = abs(rating)
            out.append(streak)
    return out
