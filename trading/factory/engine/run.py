"""Back-test a population: genomes × symbols × bars, on all processors, in bounded memory."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from trading.errors import BadData
from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.kept import KeptColumns
from trading.factory.engine.result import Population, first_day
from trading.factory.engine.task import Task, batches, symbol_blocks
from trading.factory.engine.totals import TOTALS, TRADE_COLUMNS
from trading.factory.genes.genome import Genome
from trading.indicators.columns import FloatArray

#: Values of columns, and words of answers, that a thread holds at a time (8 bytes each).
_MEMORY_VALUES = 100_000_000


def backtest(
    genomes: Sequence[Genome],
    bars: Bars,
    frictions: Frictions,
    *,
    record_trades: bool = False,
    watched: bool = False,
    workers: int | None = None,
    memory_values: int = _MEMORY_VALUES,
    kept: KeptColumns | None = None,
) -> Population:
    """Back-test every genome over every symbol; the rules are in docs/concepts/backtest-engine.md.

    A genome decides at the closes of its timeframe and trades on the execution bars, which may be finer:
    then stops and targets are met in the order in which the finer bars meet them.

    Parameters
    ----------
    record_trades
        Keep every trade; doubles the time.
    watched
        Stops, trailing stops and targets are looked at when a bar closes and filled at the next open, as by a
        desk that sends market orders. Otherwise they rest at the venue and act inside the bar.
    workers
        Threads; one per processor when None. Results do not depend on it.
    memory_values
        Bound of what a thread holds, in numbers of 8 bytes; a large population is cut to fit.
    kept
        Columns of earlier back-tests over the same bars, and room for more: who tests population after
        population computes each but once.

    Raises
    ------
    BadData
        If the bars do not fit a genome's timeframe, or there are no genomes.
    """
    if not genomes:
        raise BadData("genomes: none given; hand in at least one")
    threads = workers or os.cpu_count() or 1
    work = list(batches(genomes, bars, memory_values))
    costs = frictions.table(len(bars.symbols), bars.minutes)
    task = Task(work, bars, costs, frictions.slot_quote, len(genomes), record_trades, watched, kept)
    totals = np.empty((len(genomes), len(bars.symbols), len(TOTALS)))
    equity = np.zeros((len(genomes), bars.day_ends.size))
    found: dict[tuple[int, int], FloatArray] = {}
    blocks = list(symbol_blocks(bars, work, threads, memory_values))
    with ThreadPoolExecutor(threads, thread_name_prefix="backtest") as pool:
        for rows, part in zip(blocks, pool.map(task.run, blocks), strict=True):
            totals[:, rows] = part.totals
            # Added symbol by symbol in their order, whichever was ready first: the same digits every time.
            for slot in part.equity:
                equity += slot
            found |= part.trades
    keys = sorted(found)
    lengths = [len(found[key]) for key in keys]
    whose = np.array(keys, dtype=np.int64).reshape(-1, 2)
    return Population(
        symbols=bars.symbols,
        first_open_ms=bars.first_open_ms,
        minutes=bars.minutes,
        first_day=first_day(bars.first_open_ms, bars.warmup_bars, bars.minutes),
        bars=bars.count - bars.warmup_bars,
        totals=totals,
        equity=equity / len(bars.symbols),
        trades=np.concatenate([np.empty((0, len(TRADE_COLUMNS))), *(found[key] for key in keys)]),
        trade_genome=np.repeat(whose[:, 0], lengths),
        trade_symbol=np.repeat(whose[:, 1], lengths),
    )
