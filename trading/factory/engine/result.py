"""What a back-test of a population leaves behind."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl

from trading.factory.engine import metrics
from trading.factory.engine.bars import IntArray
from trading.factory.engine.totals import REASONS, TOTALS, TRADE_COLUMNS
from trading.indicators.columns import FloatArray
from trading.model.interval import DAY_MS, MINUTE_MS


@dataclass(frozen=True, slots=True)
class Population:
    """Results of genomes over symbols, in the order they were given.

    Attributes
    ----------
    symbols
        Each has its own slot of equal equity at the start, and reinvests in it alone.
    totals
        Per genome and symbol, shape (genomes, symbols, totals); names in `TOTALS`.
    equity
        Mean of the slots at the end of each UTC day, shape (genomes, days), from 1.0 before the first.
    first_day
        The day of the first column; the first and the last may be partial.
    bars
        Execution bars of a symbol that could hold a position.
    trades
        Closed trades, if asked for: shape (trades, columns) with names in `TRADE_COLUMNS`.
    trade_genome, trade_symbol
        Whose they are: by genome, then symbol, then time.
    """

    symbols: tuple[str, ...]
    first_open_ms: int
    minutes: int
    first_day: date
    bars: int
    totals: FloatArray
    equity: FloatArray
    trades: FloatArray
    trade_genome: IntArray
    trade_symbol: IntArray

    @property
    def returns(self) -> FloatArray:
        """Daily returns, shape (genomes, days)."""
        return metrics.daily_returns(self.equity)

    def total(self, name: str) -> FloatArray:
        """One of `TOTALS` summed over symbols, shape (genomes,)."""
        summed: FloatArray = self.totals[:, :, TOTALS.index(name)].sum(axis=1)
        return summed

    def metrics(self) -> pl.DataFrame:
        """A row per genome; null where a figure is undefined.

        ``exposure`` is the share of slot and time in a position; ``turnover`` the value traded per
        day, ``fees``, ``slippage`` and ``funding`` what was paid, all over the starting equity.
        """
        slots, days = len(self.symbols), self.equity.shape[1]
        returns = self.returns
        columns = {
            "trades": self.total("trades").astype(np.int64),
            "sharpe": metrics.sharpe(returns),
            "sortino": metrics.sortino(returns),
            "total_return_fraction": self.equity[:, -1] - 1.0,
            "cagr_fraction": metrics.cagr(self.equity),
            "max_drawdown_fraction": metrics.maximum_drawdown(self.equity),
            "calmar": metrics.calmar(self.equity),
            "win_fraction": metrics.win_fraction(self.total("trades"), self.total("wins")),
            "profit_factor": metrics.profit_factor(self.total("gains"), self.total("losses")),
            "exposure": self.total("bars_held") / (slots * self.bars),
            "turnover": self.total("traded") / (slots * days),
            "fees_fraction": self.total("fees") / slots,
            "slippage_fraction": self.total("slippage") / slots,
            "funding_fraction": self.total("funding") / slots,
            "liquidations": self.total("liquidations").astype(np.int64),
        }
        return pl.DataFrame(columns).with_columns(pl.col(pl.Float64).fill_nan(None))

    def trade_list(self) -> pl.DataFrame:
        """Who traded, when, why, at which fills, and the net gain.

        Quantity, fees, funding and gain are per unit of the slot's starting equity; ``entry_time`` and ``exit_time`` are the open times of the bars of the fills.
        """
        raw = pl.DataFrame(self.trades, schema=dict.fromkeys(TRADE_COLUMNS, pl.Float64), orient="row")
        names = pl.Series(self.symbols, dtype=pl.String)

        def moment(column: str) -> pl.Expr:
            bar = pl.col(column).cast(pl.Int64)
            return (self.first_open_ms + bar * self.minutes * MINUTE_MS).cast(pl.Datetime("ms", "UTC"))

        return raw.select(
            pl.Series("genome", self.trade_genome),
            names.gather(self.trade_symbol).alias("symbol"),
            moment("entry_bar").alias("entry_time"),
            moment("exit_bar").alias("exit_time"),
            pl.when(pl.col("side") > 0).then(pl.lit("long")).otherwise(pl.lit("short")).alias("side"),
            pl.col("reason").cast(pl.Int64).replace_strict(dict(enumerate(REASONS)), return_dtype=pl.String),
            *TRADE_COLUMNS[4:],
        )


def first_day(first_open_ms: int, warmup_bars: int, minutes: int) -> date:
    """The UTC day of the first bar after the warm-up."""
    days = (first_open_ms + warmup_bars * minutes * MINUTE_MS) // DAY_MS
    return (datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=days)).date()
