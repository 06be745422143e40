"""Names and places of what the kernel adds up for each genome and symbol."""

from __future__ import annotations

from typing import Final

#: Closed trades, those with a net gain, liquidations; net gains and losses (as a positive number) of
#: closed trades; bars in a position; value traded, fees, spread with slippage and impact, funding paid
#: (all as fractions of the slot's starting equity); equity at the end, an open position at market.
TOTALS: Final = (
    "trades",
    "wins",
    "liquidations",
    "gains",
    "losses",
    "bars_held",
    "traded",
    "fees",
    "slippage",
    "funding",
    "equity",
)
TRADES, WINS, LIQUIDATIONS, GAINS, LOSSES, HELD, TRADED, FEES, SLIPPAGE, FUNDING, EQUITY = range(len(TOTALS))

#: Why a position was closed.
REASONS: Final = ("signal", "time", "stop", "trailing", "target", "liquidation")
SIGNAL, TIME, STOP, TRAILING, TARGET, LIQUIDATION = range(len(REASONS))

#: Columns of a recorded trade.
TRADE_COLUMNS: Final = (
    "entry_bar",
    "exit_bar",
    "side",
    "reason",
    "entry_price",
    "exit_price",
    "quantity",
    "fees",
    "funding",
    "gain",
)
