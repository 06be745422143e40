"""Back-test one genome over a panel: decided at a close, filled at the next open, costs on both sides."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trading.factory.conditions import conditions
from trading.factory.genome import Genome
from trading.factory.panel import Mask, Panel
from trading.indicators.columns import FloatArray

_BPS = 1e-4


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a genome would have done.

    Attributes
    ----------
    equity
        Value at each hour's close, shape (hours,), from 1.0 before the first; positions at market.
    returns
        Change of equity per hour, shape (hours,), the first against 1.0.
    trade_symbol, trade_entry, trade_exit
        Panel row and hour columns of each closed trade's fills.
    trade_return
        Net gain of each closed trade as a fraction of what it cost, fees and slippage included.
    fees_fraction
        Fees and slippage paid, share of starting equity.
    """

    equity: FloatArray
    returns: FloatArray
    trade_symbol: NDArray[np.int64]
    trade_entry: NDArray[np.int64]
    trade_exit: NDArray[np.int64]
    trade_return: FloatArray
    fees_fraction: float


def backtest(genome: Genome, panel: Panel, *, fee_bps: float, slippage_bps: float) -> Backtest:
    """Trade the genome's conditions over the panel; see `simulate` for the rules.

    ``fee_bps`` and ``slippage_bps`` are paid on each side, in basis points.
    """
    entries, exits = conditions(genome, panel)
    return simulate(panel, entries, exits, genome, fee_bps=fee_bps, slippage_bps=slippage_bps)


def simulate(
    panel: Panel, entries: Mask, exits: Mask, genome: Genome, *, fee_bps: float, slippage_bps: float
) -> Backtest:
    """Trade given entry and exit signals, long only, spot (no funding), without leverage.

    Each symbol has its own slot of 1 / symbols of the starting equity and reinvests within it; one
    position per slot. A signal at a close fills at the next hour's open; if that hour has no bar, an
    entry is dropped and an exit waits for the next bar. Target and stop are set from the entry fill
    and checked against each bar's high and low from the entry bar on: the stop first, filled at the
    stop or at a worse open; the target at the target, never better. After ``time_exit_hours`` a
    position is closed at the next open. What is open at the end is valued at the last close and is
    not a trade. Holes keep the last value.
    """
    from trading.factory import kernel

    equity, symbol, entry, exit_, gain, paid = kernel.simulate(
        panel.open,
        panel.high,
        panel.low,
        panel.close,
        entries,
        exits,
        float(genome.take_profit_fraction),
        float(genome.stop_loss_fraction),
        int(genome.time_exit_hours),
        fee_bps * _BPS,
        slippage_bps * _BPS,
    )
    returns = np.diff(equity, prepend=1.0) / np.concatenate(([1.0], equity[:-1]))
    return Backtest(equity, returns, symbol, entry, exit_, gain, float(paid))
