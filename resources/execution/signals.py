"""Signals of the strategies that trade, by the rules that their back-tests used."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import polars as pl

from trading.model.days import start_ms
from trading.model.interval import DAY_MS, MINUTE_MS, Interval
from trading.model.snapshot import BestClose, PaperStrategy, Position
from warehouse.datasets.market import BARS

if TYPE_CHECKING:
    from resources.execution.contracts import ContractMarket
    from resources.execution.market_view import LakeReader
    from trading.factory.engine.signals import Signals
    from trading.factory.genes.genome import Genome
    from warehouse.ledger.strategies import Status


def traded_strategies(
    reader: LakeReader,
    trading: Sequence[tuple[Status, float]],
    held: Sequence[Position],
    contracts: ContractMarket | None = None,
) -> tuple[PaperStrategy, ...]:
    """Strategies that trade, by id, with their signals at the bar close.

    A strategy has signals at the closes of its own timeframe only; between them there is nothing new to
    say, and the desk keeps to its stops.

    Parameters
    ----------
    trading
        Those that the ledger says trade, each with its allocation. A genome of another release is left out.
    held
        Open positions; a strategy that trails a stop is told the best close of those that are its own.
    contracts
        Where futures are traded: rules look at the bars of the pairs, and what they say is of the contracts.
    """
    if not trading:
        return ()
    from trading.factory.genes.parse import known

    allocations = {status.strategy_id: allocation for status, allocation in trading}
    genomes = sorted(known(status.genome for status, _ in trading), key=lambda genome: genome.strategy_id)
    return tuple(
        replace(_strategy(reader, genome, held, contracts), allocation=allocations[genome.strategy_id])
        for genome in genomes
    )


def _strategy(
    reader: LakeReader, genome: Genome, held: Sequence[Position], contracts: ContractMarket | None
) -> PaperStrategy:
    said = _signals(reader, genome)
    own = [item for item in held if item.strategy_id == genome.strategy_id and item.quantity]
    trails = genome.trailing_fraction is not None
    names = contracts.names if contracts else {}

    def named(pairs: Sequence[str]) -> tuple[str, ...]:
        return tuple(sorted(names.get(pair, pair) for pair in pairs))

    return PaperStrategy(
        strategy_id=genome.strategy_id,
        genome=genome.desk_view,
        entry_symbols=named(said.enter_long if said else ()),
        exit_symbols=named(said.leave_long if said else ()),
        best_closes=tuple(_best_close(reader, item, contracts) for item in own) if trails else (),
        short_entry_symbols=named(said.enter_short if said else ()),
        short_exit_symbols=named(said.leave_short if said else ()),
    )


def _signals(reader: LakeReader, genome: Genome) -> Signals | None:
    """What the rules say at the bar close; None where they say nothing new."""
    length_ms = genome.timeframe.minutes * MINUTE_MS
    if reader.bar_close_ms % length_ms:
        return None
    from trading.factory.engine.bars import bars_from_frame
    from trading.factory.engine.signals import signals

    # A day more than the rules look back, as the window starts at a midnight.
    days = -(-genome.lookback_bars * length_ms // DAY_MS) + 1
    frame = reader.window(BARS, Interval.M15, days)
    start = datetime.fromtimestamp(start_ms(reader.day) / 1000, UTC) - timedelta(days=days)
    end = datetime.fromtimestamp(reader.bar_close_ms / 1000, UTC)
    if frame.is_empty():
        return None
    return signals(genome, bars_from_frame(frame, start, end, minutes=Interval.M15.minutes))


def _best_close(reader: LakeReader, position: Position, contracts: ContractMarket | None) -> BestClose:
    """The highest close, of a short the lowest, from the bar of the first fill on; NaN while there is none."""
    if contracts is None:
        closes = _closes_since(reader, position)
    else:
        closes = contracts.closes_since(position.symbol, position.opened_at_ms)
    best = min if position.quantity < 0 else max
    return BestClose(position.symbol, best(closes, default=math.nan))


def _closes_since(reader: LakeReader, position: Position) -> list[float]:
    entered_ms = position.opened_at_ms - position.opened_at_ms % Interval.M15.milliseconds
    days = (start_ms(reader.day) - entered_ms) // DAY_MS + 1
    bars = reader.window(BARS, Interval.M15, max(days, 0))
    since = bars.filter(pl.col("symbol") == position.symbol, pl.col("open_time").dt.epoch("ms") >= entered_ms)
    return since["close"].to_list()
