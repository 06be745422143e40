"""Labels at their boundaries, and the streak counter."""

from __future__ import annotations

import math

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trading.ratings.labels import label, label_expression, streaks

BOUNDARIES = [
    (-1.0, "strong_sell"),
    (math.nextafter(-0.5, -1), "strong_sell"),
    (-0.5, "sell"),
    (math.nextafter(-0.1, -1), "sell"),
    (-0.1, "neutral"),
    (0.0, "neutral"),
    (-0.0, "neutral"),
    (0.1, "neutral"),
    (math.nextafter(0.1, 1), "buy"),
    (0.5, "buy"),
    (math.nextafter(0.5, 1), "strong_buy"),
    (1.0, "strong_buy"),
    (None, None),
]


@pytest.mark.parametrize(("rating", "expected"), BOUNDARIES)
def test_label_at_its_boundary(rating: float | None, expected: str | None) -> None:
    assert label(rating) == expected
    frame = pl.DataFrame({"rating": [rating]}, schema={"rating": pl.Float64})
    assert frame.select(label_expression(pl.col("rating"))).item() == expected


def test_a_missing_rating_has_no_label() -> None:
    assert label(math.nan) is None


@pytest.mark.parametrize(
    ("ratings", "expected"),
    [
        ([0.2, 0.2, 0.3, -0.3, 0.4, 0.5, 0.6], [1, 2, 3, 4, 5, 5, 5]),  # size counts, not sign
        ([0.6, 0.7, 0.5, 0.4, 0.3, 0.2], [1, 2, 1, 1, 1, 1]),  # never below 1 while not zero
        ([0.6, 0.0, 0.0, 0.1], [1, 0, 0, 1]),
        ([None, None, 0.4, 0.5, None, 0.6], [None, None, 1, 2, None, 1]),  # a hole starts afresh
    ],
)
def test_streak(ratings: list[float | None], expected: list[int | None]) -> None:
    assert streaks(ratings, [0, len(ratings)]) == expected


def test_streaks_do_not_run_from_one_symbol_into_the_next() -> None:
    assert streaks([0.1, 0.2, 0.3, 0.1, 0.2], [0, 3, 5]) == [1, 2, 3, 1, 2]


@given(st.lists(st.floats(-1, 1), min_size=1), st.lists(st.floats(-1, 1), max_size=8))
def test_a_streak_stays_within_its_ends_and_reads_no_future(past: list[float], future: list[float]) -> None:
    counted = streaks([*past, *future], [0, len(past) + len(future)])
    assert counted[: len(past)] == streaks(past, [0, len(past)])
    for rating, streak in zip([*past, *future], counted, strict=True):
        assert streak == 0 if rating == 0 else 1 <= streak <= 5
