"""Quantising in Decimal: on the grid, never in our favour, never beyond the amount."""

import math
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.trading_scenario import instrument
from trading.execution.filters import (
    broken_filters,
    ceil_to,
    floor_to,
    price_against,
    quantity_for,
    to_decimal,
)
from trading.model.order import Side

positive = st.decimals("0.00000001", "100000000", places=8)
steps = st.sampled_from([Decimal(text) for text in ("0.00000001", "0.001", "0.025", "1", "10")])


def test_a_float_becomes_what_it_prints_as_and_unknown_is_refused() -> None:
    assert to_decimal(0.1) == Decimal("0.1")
    assert to_decimal(1e-8) == Decimal("0.00000001")
    for unknown in (math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match="unknown"):
            to_decimal(unknown)


@given(positive, steps)
def test_floor_and_ceil_enclose_the_value_on_the_grid(value: Decimal, step: Decimal) -> None:
    low, high = floor_to(value, step), ceil_to(value, step)
    assert low <= value <= high
    assert high - low in (0, step)
    assert low % step == 0
    assert high % step == 0
    assert floor_to(low, step) == low


@given(positive, st.floats(1e-8, 1e6), steps)
def test_a_quantity_never_costs_more_than_the_amount_and_wastes_less_than_a_lot(
    amount: Decimal, price: float, step: Decimal
) -> None:
    unit = instrument(lot_step=step)
    exact = to_decimal(price)
    quantity = quantity_for(amount, exact, unit)
    assert quantity % step == 0
    assert quantity * exact <= amount
    assert (quantity + step) * exact > amount


@pytest.mark.parametrize(("amount", "price"), [("0", "1"), ("-5", "1"), ("5", "0"), ("5", "-1")])
def test_no_amount_or_no_price_is_no_quantity(amount: str, price: str) -> None:
    assert quantity_for(Decimal(amount), Decimal(price), instrument()) == 0


def test_prices_round_against_us() -> None:
    tick = Decimal("0.05")
    assert price_against(Decimal("1.01"), Side.BUY, tick) == Decimal("1.05")
    assert price_against(Decimal("1.04"), Side.SELL, tick) == Decimal("1.00")
    assert price_against(Decimal("1.05"), Side.BUY, tick) == Decimal("1.05")
    assert price_against(Decimal("1.05"), Side.SELL, tick) == Decimal("1.05")
    assert price_against(Decimal("0.01"), Side.SELL, tick) == tick
    assert price_against(Decimal("1.234"), Side.SELL, Decimal(0)) == Decimal("1.234")


@pytest.mark.parametrize(
    ("quantity", "price", "broken"),
    [
        ("1", "100", ""),
        ("0", "100", "not above 0"),
        ("1.0005", "100", "lot_step"),
        ("0.999", "100", "min_quantity"),
        ("5", "100", ""),
        ("5.001", "100", "max_quantity"),
        ("1", "10", ""),
        ("1", "9.99", "min_notional"),
    ],
)
def test_each_filter_at_its_limit(quantity: str, price: str, broken: str) -> None:
    unit = instrument(min_quantity=Decimal(1), max_quantity=Decimal(5))
    found = broken_filters(unit, Decimal(quantity), Decimal(price))
    assert (broken in "; ".join(found)) if broken else found == ()
    if broken == "min_notional":
        assert broken_filters(unit, Decimal(quantity), None) == ()


def test_a_largest_quantity_of_zero_is_no_bound() -> None:
    assert broken_filters(instrument(), Decimal(10**9), Decimal(1)) == ()
