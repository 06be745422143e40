"""Kept columns change nothing but the time, hold to their room, and keep what is asked for most."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from engine_worlds import random_bars

from trading.factory.engine.frictions import Frictions
from trading.factory.engine.kept import KeptColumns
from trading.factory.engine.run import backtest
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe
from trading.factory.genes.rules import Column
from trading.indicators.columns import FloatArray

SYMBOLS, BARS = 4, 10
SIZE = SYMBOLS * BARS


class Source:
    """Gives columns, and remembers how often it was asked for each."""

    def __init__(self) -> None:
        self.computed: list[Column] = []

    def values(self, column: Column, rows: slice, bars: int = BARS) -> FloatArray:
        self.computed.append(column)
        length = dict(column.parameters).get("length", 0.0)
        symbols = np.arange(rows.start, rows.stop, dtype=np.float64)
        return 1000 * length + 100 * symbols[:, None] + np.arange(bars, dtype=np.float64)

    def ask(self, kept: KeptColumns, column: Column, rows: slice, unread: int = 0) -> FloatArray:
        return kept.column(60, column, rows, SYMBOLS, unread, lambda: self.values(column, rows))


def ema(place: int) -> Column:
    return Column.of("ema", length=10 * (place + 1))


def test_a_column_is_computed_once_for_each_symbol() -> None:
    kept, source = KeptColumns(10 * SIZE), Source()
    for rows in (slice(0, 3), slice(3, 4), slice(0, 4), slice(1, 3)):
        np.testing.assert_array_equal(source.ask(kept, ema(0), rows), Source().values(ema(0), rows))
    assert source.computed == [ema(0)] * 2


def test_what_no_rule_reads_is_not_kept() -> None:
    kept, source = KeptColumns(SYMBOLS * (BARS - 6)), Source()
    whole = source.ask(kept, ema(1), slice(0, 4), unread=6)
    again = source.ask(kept, ema(1), slice(0, 4), unread=6)
    assert source.computed == [ema(1)]
    np.testing.assert_array_equal(again[:, 6:], whole[:, 6:])
    assert np.isnan(again[:, :6]).all()


def test_timeframes_are_kept_apart() -> None:
    kept, rows = KeptColumns(10 * SIZE), slice(0, SYMBOLS)
    hourly = kept.column(60, ema(0), rows, SYMBOLS, 0, lambda: Source().values(ema(0), rows))
    slower = kept.column(240, ema(0), rows, SYMBOLS, 0, lambda: Source().values(ema(0), rows, 3))
    assert (hourly.shape, slower.shape) == ((SYMBOLS, BARS), (SYMBOLS, 3))


def test_room_goes_to_what_is_asked_for_more_often() -> None:
    kept, source, rows = KeptColumns(2 * SIZE), Source(), slice(0, SYMBOLS)
    for column in (ema(0), ema(1), ema(1), ema(2)):
        source.ask(kept, column, rows)
    assert source.computed == [ema(0), ema(1), ema(2)], (
        "the third found no room: it is no dearer than the first"
    )
    source.ask(kept, ema(2), rows)
    assert source.computed.pop() == ema(2)
    source.ask(kept, ema(2), rows)
    source.ask(kept, ema(1), rows)
    assert source.computed == [ema(0), ema(1), ema(2)], "asked for twice, it took the place of the first"
    source.ask(kept, ema(0), rows)
    assert source.computed[-1] == ema(0)


def test_a_rating_outlives_a_round_of_other_columns() -> None:
    kept, source, rows = KeptColumns(SIZE), Source(), slice(0, SYMBOLS)
    source.ask(kept, ema(0), rows)
    source.ask(kept, Column.of("rating"), rows)
    for place in range(1, 19):
        source.ask(kept, ema(place), rows)
    source.ask(kept, Column.of("rating"), rows)
    assert source.computed.count(Column.of("rating")) == 1


def test_without_room_every_column_is_computed() -> None:
    kept, source, rows = KeptColumns(0), Source(), slice(0, SYMBOLS)
    for _ in range(3):
        source.ask(kept, ema(0), rows)
    assert source.computed == [ema(0)] * 3


def test_threads_that_work_on_different_symbols_share_them() -> None:
    kept, wrong = KeptColumns(5 * SIZE), list[str]()

    def work(row: int) -> None:
        source, rng, rows = Source(), np.random.default_rng(row), slice(row, row + 1)
        for place in rng.integers(0, 19, 300):
            found = source.ask(kept, ema(int(place)), rows)
            if not np.array_equal(found, Source().values(ema(int(place)), rows)):
                wrong.append(f"{place} of {row}")

    threads = [threading.Thread(target=work, args=(row,)) for row in range(SYMBOLS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize("room", [0, 3_000, 10**7])
@pytest.mark.parametrize(("minutes", "timeframe"), [(60, Timeframe.H1), (15, Timeframe.H1)])
def test_back_tests_are_the_same_to_the_last_digit(room: int, minutes: int, timeframe: Timeframe) -> None:
    """Round after round, with a warm-up, holes, and slopes and crossings at the first bar that decides."""
    rng = np.random.default_rng(3)
    bars = random_bars(
        rng, symbols=3, count=1200, minutes=minutes, holes=0.02, funding=1e-4, warmup_bars=400 + minutes
    )
    kept = KeptColumns(room)
    for _ in range(3):
        genomes = generate(rng, 40, timeframes=[timeframe])
        with_kept = backtest(genomes, bars, Frictions(), record_trades=True, kept=kept)
        without = backtest(genomes, bars, Frictions(), record_trades=True)
        assert without.trades.shape[0] > 100
        for name in ("totals", "equity", "trades", "trade_genome", "trade_symbol"):
            np.testing.assert_array_equal(getattr(with_kept, name), getattr(without, name))
