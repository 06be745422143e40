"""Cases worked out by hand; both engines must give them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from engine_worlds import FREE, RISES, agree, bars_of, changed, genome, trades

from trading.factory.genes.genome import Rules, Timeframe

FLAT = (100.0, 100.0, 100.0, 100.0)
UP = (100.0, 101.0, 100.0, 101.0)  # its close is a buy


def only(bars, frictions=FREE, **changes):  # type: ignore[no-untyped-def]
    population = agree([genome(**changes)], bars, frictions)
    (trade,) = trades(population)
    trade["bars"] = tuple((trade[f"{e}_time"].hour) for e in ("entry", "exit"))
    return trade, population


def test_decides_at_the_close_and_fills_at_the_next_open() -> None:
    bars = bars_of([FLAT, UP, (102, 103, 102, 103), (103, 103, 101, 101), (101.5, 102, 101, 101)])
    trade, population = only(bars)
    assert (trade["bars"], trade["entry_price"], trade["exit_price"]) == ((2, 4), 102, 101.5)
    assert trade["reason"] == "signal"
    assert trade["gain"] == pytest.approx(0.1 * (101.5 / 102 - 1))
    assert population.equity[0, -1] == pytest.approx(1 + 0.1 * (101.5 / 102 - 1))


def test_fee_spread_slippage_and_impact() -> None:
    """Value 0.1 × 1,000 × 2 = 200 against 1,000 × 100 of volume: impact 0.5 · 0.02/√24 · √0.002."""
    costs = changed(
        FREE, fee_bps=10, spread_bps=8, slippage_bps=1, impact_coefficient=0.5,
        daily_volatility_fraction=0.02, slot_quote=1000,
    )  # fmt: skip
    bars = bars_of([FLAT, UP, FLAT, (100, 100, 99, 99), FLAT])
    trade, population = only(bars, costs, leverage=2)
    cost = 0.0005 + 0.5 * 0.02 / math.sqrt(24) * math.sqrt(0.002)
    entry = 100 * (1 + cost)
    quantity = 0.2 / entry
    leaving = 0.0005 + 0.5 * 0.02 / math.sqrt(24) * math.sqrt(quantity * 1000 / 1000)
    exit_price = 100 * (1 - leaving)
    fees = 0.001 * (0.2 + quantity * exit_price)
    assert trade["entry_price"] == pytest.approx(entry)
    assert trade["exit_price"] == pytest.approx(exit_price)
    assert trade["fees"] == pytest.approx(fees)
    assert trade["gain"] == pytest.approx(quantity * (exit_price - entry) - fees)
    row = population.metrics().to_dicts()[0]
    assert row["turnover"] == pytest.approx(0.2 + quantity * exit_price)
    assert row["fees_fraction"] == pytest.approx(fees)
    assert row["slippage_fraction"] == pytest.approx(quantity * 100 * (cost + leaving))


@pytest.mark.parametrize(
    ("bar", "reason", "price"),
    [
        ((100, 105, 97, 104), "stop", 97.5),  # both touched: the stop counts
        ((96, 99, 95, 98), "stop", 96),  # gap through the stop: the open
        ((100, 103, 99, 102.5), "target", 102),
        ((104, 105, 103, 104), "target", 102),  # never better than the target
        ((100, 101, 97.5, 100), "stop", 97.5),  # to touch is enough
        ((100, 102, 99, 100), "target", 102),
    ],
)
def test_stop_and_target_inside_a_bar(bar: tuple[float, ...], reason: str, price: float) -> None:
    bars = bars_of([FLAT, UP, FLAT, bar, FLAT])
    trade, _ = only(bars, long=Rules(RISES), target_fraction=0.02)
    assert (trade["reason"], trade["exit_price"]) == (reason, pytest.approx(price))
    assert trade["bars"] == (2, 3)


def test_finer_bars_decide_what_came_first() -> None:
    """The same hour: up to 103, then down to 97. Its quarters show that the target came first."""
    hour = [(100, 103, 97, 98)]
    quarters = [(100, 101, 100, 101), (101, 103, 101, 102), (102, 102, 97, 98), (98, 98, 98, 98)]
    rules = {"long": Rules(RISES), "target_fraction": 0.02}
    coarse, _ = only(bars_of([FLAT, UP, *hour, FLAT]), **rules)
    fine = bars_of([FLAT] * 4 + [(100, 101, 100, 101)] * 4 + quarters + [FLAT] * 4, minutes=15)
    finer, _ = only(fine, **rules)
    assert (coarse["reason"], finer["reason"]) == ("stop", "target")
    assert finer["exit_time"].minute == 15


def test_trailing_stop_follows_the_best_price_of_earlier_bars() -> None:
    """Best 102 before the last bar; one percent below it is 100.98. The last bar's own high does not count."""
    rows = [FLAT, UP, (100, 102, 100, 102), (102, 105, 100.5, 104)]
    trade, _ = only(bars_of(rows), long=Rules(RISES), trailing_fraction=0.01, trailing_after_fraction=0.02)
    assert (trade["reason"], trade["exit_price"]) == ("trailing", pytest.approx(100.98))
    later = bars_of([FLAT, UP, (100, 101.9, 100, 101.9), (101.9, 105, 100.5, 104)])
    assert not trades(
        agree([genome(long=Rules(RISES), trailing_fraction=0.01, trailing_after_fraction=0.02)], later, FREE)
    )


def test_short_mirrors_long() -> None:
    bars = bars_of([FLAT, UP, FLAT, (100, 103, 100, 102)])
    trade, _ = only(bars, long=None, short=Rules(RISES))
    assert (trade["side"], trade["reason"]) == ("short", "stop")
    assert trade["exit_price"] == pytest.approx(102.5)
    assert trade["gain"] == pytest.approx(-0.1 * 0.025)


def test_time_exit_fills_at_the_open_after_the_hours() -> None:
    rows = [FLAT, UP, *[FLAT] * 30]
    population = agree([genome(long=Rules(RISES), time_exit_hours=24)], bars_of(rows), FREE)
    (trade,) = trades(population)
    assert trade["reason"] == "time"
    assert (trade["exit_time"] - trade["entry_time"]).total_seconds() == 24 * 3600


def test_funding_is_paid_from_the_bar_after_the_entry_up_to_the_exit() -> None:
    """Longs pay 1 % at bars 2 (the entry itself: nothing), 3 and 4 (the exit): at opens of 100 and 102."""
    rows = [FLAT, UP, UP, (100, 102, 99, 99.5), (102, 102, 102, 102)]
    trade, _ = only(bars_of(rows, funding={2: 0.01, 3: 0.01, 4: 0.01}))
    quantity = 0.1 / 100
    assert trade["funding"] == pytest.approx(quantity * 0.01 * (100 + 102))
    assert trade["gain"] == pytest.approx(quantity * 2 - quantity * 2.02)


def test_liquidation_takes_the_margin_when_the_open_gaps_past_it() -> None:
    """Three times leverage: nothing is left of the margin at 100 · (1 - 1/3)."""
    rows = [FLAT, UP, FLAT, (60, 61, 59, 60)]
    trade, population = only(bars_of(rows), leverage=3)
    assert (trade["reason"], trade["exit_price"]) == ("liquidation", 60)
    assert trade["gain"] == pytest.approx(-0.1)
    assert population.total("liquidations")[0] == 1


def test_an_open_on_the_liquidation_price_is_liquidated() -> None:
    trade, _ = only(bars_of([FLAT, UP, FLAT, (50, 60, 50, 60)]), leverage=2)
    assert (trade["reason"], trade["exit_price"]) == ("liquidation", 50)


def test_funding_moves_the_liquidation_price_above_the_stop() -> None:
    """Margin 1/3 of the value; funding of 31.5 % leaves 1.83 %: with 0.5 % maintenance it is 98.66, not 97.5."""
    rows = [FLAT, UP, FLAT, (100, 100, 98, 98)]
    costs = changed(FREE, maintenance_fraction=0.005)
    trade, _ = only(bars_of(rows, funding={3: 0.315}), costs, long=Rules(RISES), leverage=3)
    assert trade["reason"] == "liquidation"
    assert trade["exit_price"] == pytest.approx((100 * (1 - 1 / 3) + 31.5) / 0.995)
    assert trade["gain"] == pytest.approx(-0.1)


def test_a_missing_bar_drops_the_entry_and_delays_the_exit() -> None:
    dropped = bars_of([FLAT, UP, None, FLAT, FLAT])
    assert not trades(agree([genome()], dropped, FREE))
    delayed = bars_of([FLAT, UP, UP, (101, 101, 99, 99), None, (98.5, 99, 98.5, 99)])
    trade, _ = only(delayed)
    assert (trade["bars"], trade["exit_price"]) == ((2, 5), 98.5)


def test_a_bar_without_volume_fills_nothing() -> None:
    silent = (100.0, 100.0, 100.0, 100.0, 0.0)
    assert not trades(agree([genome()], bars_of([FLAT, UP, silent, FLAT]), FREE))


def test_an_unknown_column_decides_nothing() -> None:
    """The bar after a hole has no bar before it: its rise is unknown."""
    assert not trades(agree([genome()], bars_of([FLAT, None, UP, FLAT, FLAT]), FREE))


def test_entries_of_both_sides_at_once_are_none() -> None:
    both = genome(long=Rules(RISES), short=Rules(RISES))
    assert not trades(agree([both], bars_of([FLAT, UP, FLAT, FLAT]), FREE))


def test_nothing_is_filled_during_the_warmup() -> None:
    rows = [FLAT, UP, FLAT, UP, FLAT, FLAT]
    population = agree([genome(long=Rules(RISES))], bars_of(rows, warmup_bars=3), FREE)
    assert population.total("traded")[0] == pytest.approx(0.1)
    assert population.bars == 3
    assert population.total("bars_held")[0] == 2


def test_an_open_position_is_valued_at_the_last_close_and_is_no_trade() -> None:
    population = agree([genome(long=Rules(RISES))], bars_of([FLAT, UP, (100, 102, 100, 102)]), FREE)
    assert not trades(population)
    assert population.equity[0, -1] == pytest.approx(1 + 0.1 * 0.02)
    assert population.totals[0, 0, -1] == pytest.approx(1.002)


def test_slots_are_equal_and_days_are_marked() -> None:
    rows = [FLAT, UP] + [(100, 100, 100, 100)] * 21 + [(100, 101, 100, 101)] + [(101, 102, 101, 102)] * 2
    population = agree([genome(long=Rules(RISES), timeframe=Timeframe.H1)], bars_of(rows), FREE)
    np.testing.assert_allclose(population.equity[0], [1.001, 1.002])
    np.testing.assert_allclose(population.returns[0], [0.001, 1.002 / 1.001 - 1])
    assert population.first_day.isoformat() == "2026-01-01"


def test_a_watched_stop_looks_at_closes_and_fills_at_the_next_open() -> None:
    """Bought at 100; a wick to 90 is nothing; a close of 97.4 is below 97.5 and is filled at 96."""
    wick, below, after = (100, 100, 90, 99), (99, 99, 97, 97.4), (96, 98, 95, 97)
    bars = bars_of([FLAT, UP, FLAT, wick, below, after, FLAT])
    population = agree([genome(long=Rules(RISES))], bars, FREE, watched=True)
    first = trades(population)[0]
    assert (first["reason"], first["entry_time"].hour, first["exit_time"].hour) == ("stop", 2, 5)
    assert (first["entry_price"], first["exit_price"]) == (100, 96)


def test_a_watched_target_is_measured_from_the_cost_with_its_fee() -> None:
    """With a fee of 1 % the cost is 101: a close of 102.5 is no gain of 2 %, one of 103.1 is."""
    bars = bars_of([FLAT, UP, FLAT, (100, 103, 100, 102.5), (103, 104, 103, 103.1), (102, 102, 102, 102)])
    chosen = genome(long=Rules(RISES), target_fraction=0.02)
    (trade,) = trades(agree([chosen], bars, changed(FREE, fee_bps=100), watched=True))
    assert (trade["reason"], trade["exit_time"].hour, trade["exit_price"]) == ("target", 5, 102)
