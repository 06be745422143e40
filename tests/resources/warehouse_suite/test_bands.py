"""The bands: hand-made tables, and what holds for every history."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resources.warehouse_suite.bands import FEWEST_DAYS, MAD_TO_DEVIATION, WIDTH, Limits, Scale, band

AMOUNTS = st.lists(st.floats(0, 1e12), min_size=FEWEST_DAYS, max_size=30)
LEVELS = st.lists(st.floats(-1e6, 1e6), min_size=FEWEST_DAYS, max_size=30)


def test_a_level_by_hand():
    """Median 4, absolute deviations 3 2 1 0 1 2 3 with median 2."""
    half = WIDTH * MAD_TO_DEVIATION * 2
    assert band([1, 2, 3, 4, 5, 6, 7], Scale.LEVEL, 0.1) == Limits(4 - half, 4 + half)


def test_a_steady_month_takes_the_floor():
    assert band([0.25] * 7, Scale.LEVEL, 0.01) == Limits(0.24, 0.26)
    limits = band([999.0] * 7, Scale.AMOUNT, 0.05)
    assert (limits.least, limits.most) == pytest.approx((1000 / 1.05 - 1, 1000 * 1.05 - 1))


def test_an_amount_that_doubles_and_halves_is_judged_by_factors():
    limits = band([1e6 * 2.0**power for power in (-1, 0, 1, 0, -1, 1, 0)], Scale.AMOUNT, 0.05)
    assert limits.most / 1e6 == pytest.approx(1e6 / limits.least, rel=1e-3)


@pytest.mark.parametrize("unknown", [None, math.nan, math.inf])
def test_unknown_days_do_not_count(unknown):
    assert band([1.0] * (FEWEST_DAYS - 1) + [unknown] * 5, Scale.LEVEL, 0.1) is None
    assert band([1.0] * FEWEST_DAYS + [unknown] * 5, Scale.LEVEL, 0.1) == Limits(0.9, 1.1)


@given(AMOUNTS, st.floats(0.01, 1))
def test_an_amounts_band_holds_its_middle_and_never_reaches_below_zero(values, floor):
    limits = band(values, Scale.AMOUNT, floor)
    middle = sorted(values)[len(values) // 2]
    assert 0 <= limits.least <= middle * (1 + 1e-9) + 1e-9
    if len(values) % 2:
        assert middle <= limits.most * (1 + 1e-9)


@given(LEVELS, st.floats(0.01, 10), st.floats(-1e3, 1e3))
def test_a_levels_band_moves_with_its_values(values, floor, shift):
    limits = band(values, Scale.LEVEL, floor)
    moved = band([value + shift for value in values], Scale.LEVEL, floor)
    assert moved.least == pytest.approx(limits.least + shift, abs=1e-6)
    assert moved.most == pytest.approx(limits.most + shift, abs=1e-6)


@given(LEVELS, st.floats(1e7, 1e9))
def test_one_wild_day_moves_a_band_little(values, wild):
    """Unlike a mean and a standard deviation: the wild day stays outside."""
    steady = [value / 1e6 for value in values]
    limits = band([*steady, wild], Scale.LEVEL, 0.1)
    assert limits.most < wild
