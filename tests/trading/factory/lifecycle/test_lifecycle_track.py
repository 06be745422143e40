"""Fills as trades and days, by hand and against a plain cash account."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import date
from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.factory.lifecycle.track import since, track_record
from trading.model.interval import DAY_MS
from trading.model.order import Fill, Side

DAY = date(2026, 1, 1)
DAY_START = 1_767_225_600_000


def fill(day: float, side: Side, quantity: str, price: str, fee: str = "0", symbol: str = "BTCUSDT") -> Fill:
    at_ms = DAY_START + round(day * DAY_MS)
    return Fill(
        venue="paper",
        venue_fill_id=f"{symbol}-{day}-{side}",
        client_order_id="tm-1",
        symbol=symbol,
        side=side,
        quantity=Decimal(quantity),
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency="USDT",
        filled_at_ms=at_ms,
        slippage_bps=0.0,
    )


def test_by_hand() -> None:
    fills = [
        fill(0.2, Side.BUY, "2", "100", "1"),
        fill(0.9, Side.SELL, "1", "110", "1"),  # + 8.5 on the first day, the trade is still open
        fill(2.1, Side.SELL, "1", "105", "1"),  # + 3.5 on the third
        fill(2.5, Side.BUY, "1", "100", symbol="ETHUSDT"),
        fill(3.5, Side.SELL, "1", "90", symbol="ETHUSDT"),  # − 10 on the fourth
    ]
    record = track_record(fills, DAY, date(2026, 1, 5))
    assert (record.days, record.trades, record.win_fraction) == (5, 2, 0.5)
    assert record.total_return_fraction == pytest.approx(2 / 201)
    equity = np.array([201, 209.5, 209.5, 213, 203, 203])
    returns = equity[1:] / equity[:-1] - 1
    assert record.sharpe == pytest.approx(365**0.5 * returns.mean() / returns.std(ddof=1))
    assert record.max_drawdown_fraction == pytest.approx(10 / 213)


def test_a_short_is_a_trade_like_any_other() -> None:
    fills = [
        fill(0.2, Side.SELL, "2", "100", "1"),
        fill(1.1, Side.BUY, "1", "90", "1"),  # + 8.5, the trade is still open
        fill(2.1, Side.BUY, "1", "104", "1"),  # − 5.5
    ]
    record = track_record(fills, DAY, date(2026, 1, 4))
    assert (record.trades, record.win_fraction) == (1, 1.0)
    assert record.total_return_fraction == pytest.approx(3 / 199)
    assert record.max_drawdown_fraction == pytest.approx(5.5 / 207.5)


def test_what_was_bought_before_the_days_counts_when_it_closes_in_them() -> None:
    fills = [fill(-40, Side.BUY, "1", "100"), fill(1.5, Side.SELL, "1", "120")]
    record = track_record(fills, DAY, date(2026, 1, 3))
    assert record.trades == 1
    assert record.total_return_fraction == pytest.approx(0.2)
    assert track_record(fills, date(2026, 1, 3), date(2026, 1, 4)).trades == 0


def test_nothing_done_is_unknown_and_not_zero() -> None:
    record = track_record([], DAY, date(2026, 1, 9))
    assert (record.days, record.trades) == (9, 0)
    assert all(map(math.isnan, (record.sharpe, record.total_return_fraction, record.max_drawdown_fraction)))
    empty = track_record([fill(0, Side.BUY, "1", "100")], DAY, date(2025, 12, 30))
    assert (empty.days, empty.trades) == (0, 0)
    open_only = track_record([fill(0, Side.BUY, "1", "100")], DAY, date(2026, 1, 9))
    assert open_only.trades == 0
    assert math.isnan(open_only.sharpe)
    assert math.isnan(open_only.win_fraction)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(1, 50), st.integers(50, 150), st.integers(50, 150)), min_size=1, max_size=8
    )
)
def test_gains_are_what_a_cash_account_gained_whatever_the_order_of_reports(
    trades: list[tuple[int, int, int]],
) -> None:
    fills, cash = [], 0.0
    for number, (quantity, bought, sold) in enumerate(trades):
        fills += [
            fill(number + 0.25, Side.BUY, str(quantity), str(bought), "0.5"),
            fill(number + 0.75, Side.SELL, str(quantity), str(sold), "0.5"),
        ]
        cash += quantity * (sold - bought) - 1
    record = track_record(fills[::-1], DAY, date(2026, 1, 1 + len(trades)))
    tied_up = max(quantity * bought + 0.5 for quantity, bought, _ in trades)
    assert record.trades == len(trades)
    assert record.total_return_fraction == pytest.approx(cash / tied_up)
    assert record == track_record(fills, DAY, date(2026, 1, 1 + len(trades)))


def test_the_days_of_a_record_are_closed_ones() -> None:
    noon = DAY_START + 20 * DAY_MS + DAY_MS // 2
    assert since(DAY_START, noon, 30) == (DAY, date(2026, 1, 20))
    assert since(DAY_START, noon, 7) == (date(2026, 1, 14), date(2026, 1, 20))
    first, last = since(noon, noon, 30)
    assert (last - first).days < 0
    assert replace(track_record([], first, last), days=0).days == 0
