"""What a desk is told at each close is what the back-test does at the next open."""

from __future__ import annotations

import dataclasses

import numpy as np
import polars as pl
import pytest
from engine_worlds import bars_of, genome, random_bars

from trading.errors import BadData
from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.engine.signals import signals
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe

_ARRAYS = ("open", "high", "low", "close", "volume", "funding_rate")


def first(bars: Bars, count: int) -> Bars:
    cut = {name: np.ascontiguousarray(getattr(bars, name)[:, :count]) for name in _ARRAYS}
    return dataclasses.replace(bars, **cut)


def test_replayed_close_by_close_the_signals_are_the_back_tests_trades() -> None:
    rng = np.random.default_rng(12)
    genomes = generate(rng, 12, timeframes=[Timeframe.H1], ratings=False)
    bars = random_bars(rng, symbols=2, count=160, minutes=30, holes=0.02, jumps=0.01)
    listed = backtest(genomes, bars, Frictions(), record_trades=True).trade_list()
    entries = 0
    for number, one in enumerate(genomes):
        told = {count: signals(one, first(bars, count)) for count in range(2, bars.count + 1, 2)}
        for symbol in bars.symbols:
            trades = listed.filter(pl.col("genome") == number, pl.col("symbol") == symbol)
            free_from = 0
            for trade in trades.to_dicts():
                at, until = (
                    (int(trade[f"{end}_time"].timestamp() * 1000) - bars.first_open_ms) // 1_800_000
                    for end in ("entry", "exit")
                )
                enter, leave = f"enter_{trade['side']}", f"leave_{trade['side']}"
                assert symbol in getattr(told[at], enter)
                row = bars.symbols.index(symbol)
                for count in range(free_from + free_from % 2, at, 2):  # nothing was skipped before
                    said = told.get(count)
                    asked = said is not None and symbol in {*said.enter_long, *said.enter_short}
                    assert not asked or np.isnan(bars.close[row, count])
                if trade["reason"] == "signal":
                    asked_at = [c for c in range(at + 2, until + 1, 2) if symbol in getattr(told[c], leave)]
                    assert asked_at
                    assert np.isnan(bars.close[row, asked_at[0] : until]).all()
                entries += 1
                free_from = until + 1
    assert entries > 50


def test_nothing_is_decided_inside_a_bar() -> None:
    with pytest.raises(BadData, match="end inside a bar of 1h"):
        signals(genome(), bars_of([(1, 1, 1, 1)] * 5, minutes=15))
