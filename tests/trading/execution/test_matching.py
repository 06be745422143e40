"""Paper fills: which bar, which price, how much, and that later bars never change earlier fills."""

from dataclasses import replace
from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.trading_scenario import CLOSE_MS, NAN, bars, instrument, order
from trading.costs.model import CostModel
from trading.execution.matching import match
from trading.execution.triggers import triggered_at_ms
from trading.model.order import Fill, OrderType, Side

FREE = CostModel(
    taker_fee_bps=Decimal(0),
    spread_bps=0.0,
    slippage_bps=0.0,
    impact_coefficient=0.0,
    participation_fraction=1.0,
)
UNIT = instrument()


def one(frame: pl.DataFrame, costs: CostModel = FREE, **changes) -> Fill:
    (fill,) = match(order(**changes), frame, costs, UNIT)
    return fill


def test_the_fill_is_at_the_open_of_the_bar_that_starts_at_the_decision_close() -> None:
    fill = one(bars((-1, 1.0, 99.0), (0, 101.0, 99.0), (1, 3.0, 99.0)))
    assert fill == Fill(
        venue="paper",
        venue_fill_id="tm-0-1",
        client_order_id="tm-0",
        symbol="AAAUSDT",
        side=Side.BUY,
        quantity=Decimal(10),
        price=Decimal(101),
        fee=Decimal(0),
        fee_currency="USDT",
        filled_at_ms=CLOSE_MS,
        slippage_bps=0.0,
    )


def test_bars_before_the_close_never_fill_and_one_millisecond_counts() -> None:
    assert match(order(), bars((-1, 100.0, 99.0)), FREE, UNIT) == ()
    late = order(not_before_ms=CLOSE_MS + 1)
    (fill,) = match(late, bars((0, 100.0, 99.0), (1, 102.0, 99.0)), FREE, UNIT)
    assert fill.price == Decimal(102)


def test_bars_without_volume_or_price_and_other_symbols_are_passed_over() -> None:
    other = bars((0, 50.0, 99.0), symbol="BBBUSDT")
    empty = bars((-2, 9.0, 9.0), (0, 101.0, 0.0), (0, 101.0, NAN), (0, NAN, 99.0), (1, 0.0, 99.0))
    frame = pl.concat([other, bars((2, 103.0, 99.0)), empty])
    assert one(frame).price == Decimal(103)
    assert match(order(), other, FREE, UNIT) == ()


@pytest.mark.parametrize(("side", "price"), [(Side.BUY, "100.08"), (Side.SELL, "99.92")])
def test_the_price_is_worsened_by_half_spread_and_slippage_and_rounded_against_us(
    side: Side, price: str
) -> None:
    costs = replace(FREE, spread_bps=10.0, slippage_bps=2.5, taker_fee_bps=Decimal(10))
    fill = one(bars((0, 100.0, 99.0)), costs, side=side)
    assert fill.price == Decimal(price)  # 7.5 bps is 100.075 or 99.925
    assert fill.slippage_bps == pytest.approx(8.0)
    assert fill.fee == Decimal(10) * Decimal(price) / 1000
    assert fill.fee_currency == "USDT"


def test_impact_follows_the_square_root_of_the_share_of_volume() -> None:
    costs = replace(FREE, impact_coefficient=1.0, daily_volatility_fraction=0.03)
    fine = instrument(tick_size=Decimal("0.000001"))
    (whole,) = match(order(), bars((0, 100.0, 1000.0)), costs, fine)
    (quarter,) = match(order(), bars((0, 100.0, 4000.0)), costs, fine)
    assert whole.slippage_bps == pytest.approx(0.03 / 1440**0.5 * 0.01**0.5 * 1e4, abs=1e-3)
    assert whole.slippage_bps == pytest.approx(2 * quarter.slippage_bps, abs=1e-3)


def test_participation_spreads_an_order_over_bars_on_the_lot_grid() -> None:
    costs = replace(FREE, participation_fraction=0.1)
    frame = bars(
        (0, 100.0, 40.0049), (1, 101.0, 0.009), (2, 102.0, 35.0), (5, 103.0, 1000.0), (6, 1.0, 9999.0)
    )
    fills = match(order(), frame, costs, UNIT)
    assert [fill.quantity for fill in fills] == [Decimal(4), Decimal("3.5"), Decimal("2.5")]
    assert [fill.venue_fill_id for fill in fills] == ["tm-0-1", "tm-0-2", "tm-0-3"]
    assert [fill.price for fill in fills] == [100, 102, 103]
    assert fills[2].filled_at_ms == CLOSE_MS + 5 * 60_000


def test_what_cannot_fill_rests() -> None:
    costs = replace(FREE, participation_fraction=0.1)
    (fill,) = match(order(), bars((0, 100.0, 40.0)), costs, UNIT)
    assert fill.quantity == 4


def test_matching_goes_on_where_it_stopped_and_a_full_order_stays_full() -> None:
    costs = replace(FREE, participation_fraction=0.1)
    frame = bars((0, 100.0, 40.0), (1, 101.0, 40.0), (2, 102.0, 40.0))
    whole = match(order(), frame, costs, UNIT)
    first = match(order(), frame[:1], costs, UNIT)
    revised = pl.concat([bars((0, 7.0, 7.0)), frame[1:]])
    assert first + match(order(), revised, costs, UNIT, first) == whole
    assert match(order(), frame, costs, UNIT, whole) == ()


def test_a_rest_off_the_lot_grid_is_sold_whole() -> None:
    fill = one(bars((0, 100.0, 99.0)), side=Side.SELL, quantity=Decimal("1.23456"))
    assert fill.quantity == Decimal("1.23456")


rows = st.lists(
    st.tuples(st.integers(-3, 30), st.floats(0.01, 1e5), st.one_of(st.just(0.0), st.floats(0.001, 500))),
    max_size=12,
    unique_by=lambda row: row[0],
)


@given(rows, st.sampled_from(Side), st.decimals("0.001", "100", places=3), st.integers(0, 12))
@settings(max_examples=80, deadline=None)
def test_properties_of_every_match(given_rows: list, side: Side, quantity: Decimal, seen: int) -> None:
    own = order(side=side, quantity=quantity)
    costs = CostModel(participation_fraction=0.3)
    given_rows.sort()
    frame = bars(*given_rows)
    fills = match(own, frame, costs, UNIT)
    assert sum(fill.quantity for fill in fills) <= quantity
    by_time = {CLOSE_MS + minute * 60_000: (price, volume) for minute, price, volume in given_rows}
    for fill in fills:
        opened, volume = by_time[fill.filled_at_ms]
        assert fill.filled_at_ms >= CLOSE_MS
        assert 0 < float(fill.quantity) <= 0.3 * volume * (1 + 1e-12)
        assert fill.price % UNIT.tick_size == 0
        assert fill.slippage_bps > 0 or fill.price == UNIT.tick_size
        assert (float(fill.price) > opened) is (side is Side.BUY) or fill.price == UNIT.tick_size
    early = match(own, frame[:seen], costs, UNIT)
    assert fills[: len(early)] == early
    assert early + match(own, frame, costs, UNIT, early) == fills
    assert match(own, frame.sample(fraction=1.0, shuffle=True, seed=1), costs, UNIT) == fills


def candles(*rows: tuple[int, float, float, float], volume: float = 99.0) -> pl.DataFrame:
    """Minute bars from (minutes after the close, open, high, low)."""
    plain = bars(*((minute, opened, volume) for minute, opened, _, _ in rows))
    return plain.with_columns(
        pl.Series("high", [row[2] for row in rows]), pl.Series("low", [row[3] for row in rows])
    )


def waiting(kind: OrderType, side: Side, price: int, **changes):
    return order(order_type=kind, side=side, stop_price=Decimal(price), reduce_only=True, **changes)


STOP, TARGET = OrderType.STOP, OrderType.TAKE_PROFIT


@pytest.mark.parametrize(
    ("kind", "side", "bar", "price"),
    [
        (STOP, Side.SELL, (95.0, 96.0, 90.0), "90"),
        (STOP, Side.SELL, (95.0, 96.0, 90.01), None),
        (STOP, Side.SELL, (85.0, 96.0, 84.0), "85"),
        (STOP, Side.BUY, (85.0, 90.0, 84.0), "90"),
        (STOP, Side.BUY, (85.0, 89.99, 84.0), None),
        (STOP, Side.BUY, (95.0, 96.0, 94.0), "95"),
        (TARGET, Side.SELL, (85.0, 90.0, 84.0), "90"),
        (TARGET, Side.SELL, (95.0, 96.0, 94.0), "90"),
        (TARGET, Side.SELL, (85.0, 89.99, 84.0), None),
        (TARGET, Side.BUY, (95.0, 96.0, 90.0), "90"),
        (TARGET, Side.BUY, (85.0, 86.0, 84.0), "90"),
        (TARGET, Side.BUY, (95.0, 96.0, 90.01), None),
    ],
)
def test_a_waiting_order_meets_its_price_or_a_worse_open_never_a_better_one(
    kind: OrderType, side: Side, bar: tuple[float, float, float], price: str | None
) -> None:
    fills = match(waiting(kind, side, 90), candles((0, *bar)), FREE, UNIT)
    assert [fill.price for fill in fills] == ([] if price is None else [Decimal(price)])
    assert triggered_at_ms(waiting(kind, side, 90), candles((0, *bar))) == (
        None if price is None else CLOSE_MS
    )


def test_what_a_bar_sets_off_is_slipped_like_a_market_order_and_goes_on_at_the_opens() -> None:
    costs = replace(FREE, spread_bps=10.0, slippage_bps=5.0, participation_fraction=0.1)
    frame = candles((0, 99.0, 99.5, 95.0), (1, 95.0, 96.0, 89.0), (2, 80.0, 81.0, 79.0), (3, 99.0, 99.0, 99.0),
                    volume=60.0)  # fmt: skip
    fills = match(waiting(STOP, Side.SELL, 90), frame, costs, UNIT)
    assert [fill.quantity for fill in fills] == [6, 4]
    assert [fill.price for fill in fills] == [Decimal("89.91"), Decimal("79.92")]
    first = match(waiting(STOP, Side.SELL, 90), frame[:2], costs, UNIT)
    assert first + match(waiting(STOP, Side.SELL, 90), frame[2:], costs, UNIT, first) == fills


def test_bars_from_before_the_order_and_bars_without_trades_set_nothing_off() -> None:
    stop = waiting(STOP, Side.SELL, 90, not_before_ms=CLOSE_MS + 60_000)
    assert match(stop, candles((0, 85.0, 85.0, 80.0), (1, 95.0, 96.0, 94.0)), FREE, UNIT) == ()
    assert triggered_at_ms(stop, candles((2, 85.0, 85.0, 80.0), volume=0.0)) is None
    assert triggered_at_ms(order(), candles((0, 85.0, 85.0, 80.0))) is None


def test_no_more_fills_than_there_is_to_reduce() -> None:
    stop, frame = waiting(STOP, Side.SELL, 90), candles((0, 95.0, 96.0, 80.0))
    assert [fill.quantity for fill in match(stop, frame, FREE, UNIT, largest=Decimal(4))] == [4]
    assert match(stop, frame, FREE, UNIT, largest=Decimal(0)) == ()
