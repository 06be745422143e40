"""The compiled back-test loop. Import it inside functions only: Numba takes a second to load."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit


def _simulate(
    opens: Any,
    highs: Any,
    lows: Any,
    closes: Any,
    entries: Any,
    exits: Any,
    target_fraction: float,
    stop_fraction: float,
    hold_hours: int,
    fee: float,
    slippage: float,
) -> Any:
    """Run the rules that `trading.factory.backtest.simulate` documents; matrices are (symbols, hours).

    Every slot starts at 1 and is scaled at the end, so that an idle equity is exactly 1.
    """
    symbols, hours = closes.shape
    equity = np.zeros(hours)
    capacity = symbols * hours
    trade_symbol = np.empty(capacity, np.int64)
    trade_entry = np.empty(capacity, np.int64)
    trade_exit = np.empty(capacity, np.int64)
    trade_return = np.empty(capacity)
    trades, paid = 0, 0.0
    for s in range(symbols):
        cash, quantity, spent = 1.0, 0.0, 0.0
        stop, target, entered = 0.0, 0.0, 0
        holding, buying, selling = False, False, False
        value = 1.0
        for t in range(hours):
            if np.isnan(closes[s, t]):
                buying = False  # the bar the order was meant for does not exist
                equity[t] += value
                continue
            price = 0.0
            if holding and selling:
                price = opens[s, t]
            elif buying:
                fill = opens[s, t] * (1.0 + slippage)
                spent = cash
                quantity = cash / (fill * (1.0 + fee))
                paid += quantity * (opens[s, t] * slippage + fill * fee)
                cash = 0.0
                holding, entered = True, t
                stop, target = fill * (1.0 - stop_fraction), fill * (1.0 + target_fraction)
            if holding and price == 0.0:
                if lows[s, t] <= stop:  # the stop counts first where the bar reached both
                    price = min(opens[s, t], stop)
                elif highs[s, t] >= target:
                    price = target
            if price > 0.0:
                fill = price * (1.0 - slippage)
                cash = quantity * fill * (1.0 - fee)
                paid += quantity * (price * slippage + fill * fee)
                trade_symbol[trades], trade_entry[trades], trade_exit[trades] = s, entered, t
                trade_return[trades] = cash / spent - 1.0
                trades += 1
                quantity = 0.0
                holding = False
            value = quantity * closes[s, t] if holding else cash
            equity[t] += value
            selling = holding and (exits[s, t] or t - entered + 1 >= hold_hours)
            buying = (not holding) and entries[s, t]
    return (
        equity / symbols,
        trade_symbol[:trades].copy(),
        trade_entry[:trades].copy(),
        trade_exit[:trades].copy(),
        trade_return[:trades].copy(),
        paid / symbols,
    )


def _compiled() -> Any:
    try:
        return njit(cache=True, nogil=True)(_simulate)
    except RuntimeError:  # no folder to keep the compiled code in: compile again in every process
        return njit(nogil=True)(_simulate)


simulate = _compiled()
