"""What the desk is told about the strategies on paper at a tick, read from the lake."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from resources.execution.market_view import LakeReader
from resources.execution.signals import traded_strategies
from tests.resources.factory.minute_lake import FIRST, SYMBOLS, filled, klines
from tests.trading_scenario import position
from trading.factory.engine.bars import bars_from_frame
from trading.factory.engine.minutes import bars_of_minutes
from trading.factory.engine.signals import signals
from trading.factory.genes.genome import Genome, Rules, Timeframe
from trading.factory.genes.rules import Column, Direction, Relation, Slope, Threshold
from trading.factory.lifecycle.states import State
from trading.model.snapshot import BestClose, PaperStrategy, Position
from warehouse.lake.lake import Lake
from warehouse.ledger.strategies import Status

DAYS = 5
START = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
START_MS = int(START.timestamp() * 1000)
RISES = Slope(Column.of("close"), Direction.RISING, 1)
HIGH_RSI = Threshold(Column.of("rsi", length=7), Relation.ABOVE, 60)
HOURLY = Genome(
    timeframe=Timeframe.H1, long=Rules(RISES, HIGH_RSI), stop_fraction=0.02, size_fraction=0.05, leverage=1
)
QUARTERLY = replace(HOURLY, timeframe=Timeframe.M15, trailing_fraction=0.01, trailing_after_fraction=0.0)


OLDER = '{"family":"rsi_reversal","rsi_length":14}'


def status(name: str, genome: str) -> Status:
    return Status(name, genome, "fresh", START_MS, State.PAPER, START_MS, "factory", "survivor")


TRADING = [
    (status(QUARTERLY.strategy_id, QUARTERLY.json), 1.0),
    (status(HOURLY.strategy_id, HOURLY.json), 0.3),
    (status("0" * 32, OLDER), 1.0),
]


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return filled(tmp_path_factory.mktemp("signals"), klines(DAYS))


def told(lake: Lake, close_ms: int, *held: Position) -> dict[str, PaperStrategy]:
    found = traded_strategies(LakeReader(lake, close_ms), TRADING, held)
    return {item.strategy_id: item for item in found}


def test_only_what_trades_and_is_of_this_release_each_with_its_allocation(lake: Lake) -> None:
    close_ms = START_MS + (DAYS - 1) * 86_400_000 + 3_600_000
    found = told(lake, close_ms)
    assert list(found) == sorted([HOURLY.strategy_id, QUARTERLY.strategy_id])
    assert {name: item.allocation for name, item in found.items()} == {
        QUARTERLY.strategy_id: 1.0,
        HOURLY.strategy_id: 0.3,
    }
    assert traded_strategies(LakeReader(lake, close_ms), [], ()) == ()


def test_the_signals_are_the_engines_at_every_close_of_the_timeframe(lake: Lake) -> None:
    frame = bars_of_minutes(klines(DAYS), 15)
    said = set()
    for quarter in range(1, 25):
        end = START + timedelta(days=DAYS - 1, minutes=15 * quarter)
        found = told(lake, int(end.timestamp() * 1000))
        bars = bars_from_frame(frame, START, end, minutes=15)
        for genome in (HOURLY, QUARTERLY):
            strategy = found[genome.strategy_id]
            assert strategy.genome == genome.desk_view
            if (quarter * 15) % genome.timeframe.minutes:
                assert strategy.entry_symbols == strategy.exit_symbols == ()
                continue
            expected = signals(genome, bars)
            assert strategy.entry_symbols == expected.enter_long
            assert strategy.exit_symbols == expected.leave_long
            said |= {("enter", *expected.enter_long), ("leave", *expected.leave_long)}
    assert len(said) > 4
    assert not any(SYMBOLS[-1] in item for item in said), "a pair without a bar says nothing"


def test_a_trailing_strategy_is_told_the_best_close_of_what_it_holds(lake: Lake) -> None:
    close_ms = START_MS + (DAYS - 1) * 86_400_000 + 7 * 900_000
    opened_ms = close_ms - 30 * 3_600_000 + 61_000

    def of(genome: Genome, symbol: str, **changes: object) -> Position:
        values = {"desk": "genome", "strategy_id": genome.strategy_id, "opened_at_ms": opened_ms} | changes
        return position(symbol, **values)

    held = (
        of(QUARTERLY, "AAAUSDT"),
        of(QUARTERLY, "BBBUSDT", quantity=Decimal(0)),
        of(QUARTERLY, "NONEUSDT"),
        of(HOURLY, "AAAUSDT"),
    )
    found = told(lake, close_ms, *held)
    assert found[HOURLY.strategy_id].best_closes == ()
    known, unknown = found[QUARTERLY.strategy_id].best_closes
    bars = bars_of_minutes(klines(DAYS), 15).filter(pl.col("symbol") == "AAAUSDT")
    opened = pl.col("open_time").dt.epoch("ms")
    since = bars.filter(opened >= opened_ms - opened_ms % 900_000, opened < close_ms)
    assert known == BestClose("AAAUSDT", since["close"].max())
    assert since.height > 100
    assert unknown.symbol == "NONEUSDT"
    assert math.isnan(unknown.close)
    assert np.isfinite(known.close)


def test_a_short_side_says_what_the_engine_says_of_it(lake: Lake) -> None:
    """On spot too: what the account cannot do is the desk's to say."""
    mirrored = replace(QUARTERLY, long=None, short=QUARTERLY.long)
    trading = [(status(mirrored.strategy_id, mirrored.json), 1.0)]
    opened_ms = START_MS + 3 * 86_400_000 + 61_000
    held = position(
        "AAAUSDT",
        desk="genome",
        strategy_id=mirrored.strategy_id,
        opened_at_ms=opened_ms,
        quantity=Decimal(-1),
    )
    frame = bars_of_minutes(klines(DAYS), 15)
    said = 0
    for quarter in range(1, 17):
        end = START + timedelta(days=DAYS - 1, minutes=15 * quarter)
        reader = LakeReader(lake, int(end.timestamp() * 1000))
        (found,) = traded_strategies(reader, trading, [held])
        expected = signals(mirrored, bars_from_frame(frame, START, end, minutes=15))
        assert (found.short_entry_symbols, found.short_exit_symbols) == (
            expected.enter_short,
            expected.leave_short,
        )
        assert (found.entry_symbols, found.exit_symbols) == ((), ())
        said += len(found.short_entry_symbols) + len(found.short_exit_symbols)
    assert said > 4
    opened = pl.col("open_time").dt.epoch("ms")
    since = frame.filter(
        pl.col("symbol") == "AAAUSDT",
        opened >= opened_ms - opened_ms % 900_000,
        opened < reader.bar_close_ms,
    )
    assert found.best_closes == (BestClose("AAAUSDT", since["close"].min()),)
