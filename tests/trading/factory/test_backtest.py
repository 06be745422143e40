"""The back-test by hand, against a naive loop, and without any look ahead."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.trading.factory.conftest import bars_frame, market, panel_of
from trading.factory.backtest import backtest, simulate
from trading.factory.generate import generate
from trading.factory.genome import RsiReversal

FEE, SLIP = 0.001, 0.002
COSTS = {"fee_bps": 10.0, "slippage_bps": 20.0}
# Entry at an open of 100 fills at 100.2: the stop is 98.196, the target 105.21.
GENOME = RsiReversal(
    take_profit_fraction=0.05,
    stop_loss_fraction=0.02,
    time_exit_hours=24,
    rsi_length=14,
    oversold=30,
    overbought=70,
)
QUANTITY = 1 / (100.2 * 1.001)
CALM = (100, 101, 99, 100, 1)


def _run(rows, entries, exits=(), hours=None):
    panel = panel_of(bars_frame("A", rows), hours or len(rows))
    enter, leave = np.zeros(panel.close.shape, bool), np.zeros(panel.close.shape, bool)
    enter[0, list(entries)] = True
    leave[0, list(exits)] = True
    return simulate(panel, enter, leave, GENOME, **COSTS)


def _bars(*rest):
    return [(hour, *row) for hour, row in enumerate(rest)]


def _cash(price):
    return QUANTITY * price * (1 - SLIP) * (1 - FEE)


def test_stop_comes_before_the_target_of_the_same_bar():
    result = _run(_bars(CALM, (100, 106, 98, 101, 1), CALM), entries=[0])
    assert result.equity == pytest.approx([1, _cash(98.196), _cash(98.196)], rel=1e-12)
    assert result.trade_return == pytest.approx([_cash(98.196) - 1], rel=1e-12)
    assert result.equity[-1] == pytest.approx(0.976086, abs=1e-6)  # 98.196 x 0.998 x 0.999 / 100.3002
    paid = QUANTITY * (100 * SLIP + 100.2 * FEE) + QUANTITY * (98.196 * SLIP + 98.196 * (1 - SLIP) * FEE)
    assert result.fees_fraction == pytest.approx(paid, rel=1e-12)
    assert (result.trade_entry.tolist(), result.trade_exit.tolist()) == ([1], [1])


def test_entry_is_at_the_next_open_never_at_the_deciding_close():
    result = _run(_bars((90, 91, 89, 90, 1), CALM, CALM), entries=[0])
    assert result.equity == pytest.approx([1, QUANTITY * 100, QUANTITY * 100], rel=1e-12)
    assert result.trade_return.size == 0  # still open: valued at market, not a trade


def test_a_gap_below_the_stop_fills_at_the_open():
    result = _run(_bars(CALM, CALM, (95, 96, 94, 95, 1)), entries=[0])
    assert result.equity[-1] == pytest.approx(_cash(95), rel=1e-12)


def test_a_gap_above_the_target_fills_at_the_target_and_no_better():
    result = _run(_bars(CALM, CALM, (108, 109, 107, 108, 1)), entries=[0])
    assert result.equity[-1] == pytest.approx(_cash(105.21), rel=1e-12)


def test_an_exit_signal_sells_at_the_next_open():
    result = _run(_bars(CALM, CALM, CALM, (102, 103, 101, 103, 1)), entries=[0], exits=[2])
    assert result.equity[-1] == pytest.approx(_cash(102), rel=1e-12)
    assert result.trade_exit.tolist() == [3]


def test_a_position_is_closed_after_its_hours():
    result = _run([(h, *CALM) for h in range(40)], entries=[0])
    assert result.trade_entry.tolist() == [1]
    assert result.trade_exit.tolist() == [25]  # 24 hours after the fill at the open of hour 1


def test_after_a_stop_the_same_close_may_decide_again():
    result = _run(_bars(CALM, (100, 101, 98, 100, 1), CALM, CALM), entries=[0, 1])
    assert result.trade_entry.tolist() == [1]
    assert result.equity[2] == pytest.approx(_cash(98.196) * QUANTITY * 100, rel=1e-12)


def test_a_hole_drops_an_entry_and_delays_an_exit():
    hole = [(0, *CALM), (2, *CALM), (3, *CALM)]
    assert _run(hole, entries=[0], hours=4).equity.tolist() == [1, 1, 1, 1]
    late = [(0, *CALM), (1, *CALM), (3, 102, 103, 101, 103, 1)]
    result = _run(late, entries=[0], exits=[1], hours=4)
    assert result.trade_exit.tolist() == [3]
    assert result.equity[2] == result.equity[1]
    assert result.equity[-1] == pytest.approx(_cash(102), rel=1e-12)


def test_no_signal_leaves_equity_at_exactly_one_and_no_sharpe():
    from trading.factory import metrics

    panel = panel_of(market(7, 50, seed=1), 50)
    nothing = np.zeros(panel.close.shape, bool)
    result = simulate(panel, nothing, nothing, GENOME, **COSTS)
    assert (result.equity == 1.0).all()
    assert (result.fees_fraction, result.trade_return.size) == (0.0, 0)
    assert math.isnan(metrics.sharpe(result.returns))


def test_slots_are_equal_and_independent():
    import polars as pl

    rows = _bars(CALM, CALM, (102, 103, 101, 103, 1))
    two = pl.concat([bars_frame("A", rows), bars_frame("B", rows)])
    panel = panel_of(two, 3)
    enter = np.zeros(panel.close.shape, bool)
    enter[1, 0] = True
    result = simulate(panel, enter, np.zeros_like(enter), GENOME, **COSTS)
    assert result.equity[-1] == pytest.approx((1 + QUANTITY * 103) / 2, rel=1e-12)


def _naive(panel, entries, exits, genome):
    """The same rules told as a story, one symbol and one order at a time."""
    total, trades = np.zeros(panel.close.shape[1]), []
    for s in range(len(panel.symbols)):
        cash, position, order, worth = 1.0, None, None, 1.0
        for t in range(panel.close.shape[1]):
            o, h, low, c = (float(m[s, t]) for m in (panel.open, panel.high, panel.low, panel.close))
            if math.isnan(c):
                order = None if order == "buy" else order
                total[t] += worth
                continue
            sale = None
            if order == "sell":
                sale = o
            if order == "buy":
                fill = o * (1 + SLIP)
                position = {"fill": fill, "units": cash / fill / (1 + FEE), "cost": cash, "hour": t}
            order = None
            if position and sale is None:
                stop = position["fill"] * (1 - genome.stop_loss_fraction)
                target = position["fill"] * (1 + genome.take_profit_fraction)
                sale = min(o, stop) if low <= stop else target if h >= target else None
            if position and sale is not None:
                cash = position["units"] * sale * (1 - SLIP) * (1 - FEE)
                trades.append((s, position["hour"], t, cash / position["cost"] - 1))
                position = None
            worth = position["units"] * c if position else cash
            total[t] += worth
            if position:
                old = t + 1 - position["hour"] >= genome.time_exit_hours
                order = "sell" if exits[s, t] or old else None
            elif entries[s, t]:
                order = "buy"
    return total / len(panel.symbols), trades


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_naive_loop_agrees(walk, seed):
    panel = panel_of(walk, 300)
    rng = np.random.default_rng(seed)
    entries = panel.on_clock(rng.random(panel.row.size) < 0.1)
    exits = panel.on_clock(rng.random(panel.row.size) < 0.02)
    genome = generate(str(seed), 1)[0]
    result = simulate(panel, entries, exits, genome, **COSTS)
    equity, trades = _naive(panel, entries, exits, genome)
    assert len(trades) > 30
    assert result.equity == pytest.approx(equity, rel=1e-12)
    assert result.trade_entry.tolist() == [trade[1] for trade in trades]
    assert result.trade_exit.tolist() == [trade[2] for trade in trades]
    assert result.trade_return == pytest.approx([trade[3] for trade in trades], rel=1e-9)


def test_future_bars_never_change_the_past_of_an_equity_curve(walk):
    from datetime import timedelta

    import polars as pl

    from tests.trading.factory.conftest import START

    for genome in generate("truncation", 12):
        whole = backtest(genome, panel_of(walk, 300), **COSTS)
        cut = walk.filter(pl.col("close_time") <= START + timedelta(hours=200))
        assert (backtest(genome, panel_of(cut, 200), **COSTS).equity == whole.equity[:200]).all()
