"""One task of a back-test: every genome over a few symbols."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from trading.factory.engine.bars import Bars, IntArray
from trading.factory.engine.columns import Decisions, decision_ratio
from trading.factory.engine.kept import KeptColumns
from trading.factory.engine.program import Program, compile_genomes
from trading.factory.engine.tape import Tape, tape
from trading.factory.engine.totals import TOTALS, TRADE_COLUMNS, TRADES
from trading.factory.genes.genome import Genome, Timeframe
from trading.factory.genes.rules import SLOPE_BARS, Column, leaves
from trading.indicators.columns import FloatArray

#: Decision bars over which a task spreads, so that short histories do not drown in calls.
_TASK_BARS = 150_000


@dataclass(frozen=True, slots=True)
class Batch:
    """Genomes of one timeframe whose columns and answers fit into memory together."""

    members: IntArray
    program: Program
    minutes: int
    ratio: int
    hold_bars: IntArray


@dataclass(frozen=True, slots=True)
class Part:
    """What a task found: totals, equity per day (symbols, genomes, days), trades by genome and symbol."""

    totals: FloatArray
    equity: FloatArray
    trades: dict[tuple[int, int], FloatArray]


def batches(genomes: Sequence[Genome], bars: Bars, memory_values: int) -> Iterator[Batch]:
    """Genomes by timeframe, cut where columns or answers of one symbol would outgrow ``memory_values``."""
    for timeframe in Timeframe:
        members = [place for place, genome in enumerate(genomes) if genome.timeframe is timeframe]
        if not members:
            continue
        decisions = max(bars.count // decision_ratio(bars, timeframe.minutes), 1)
        seen: set[Column] = set()
        answers, batch = 0, list[int]()
        for place in members:
            genome = genomes[place]
            count = sum(1 for rule in genome.rules() for _ in leaves(rule))
            columns = seen | genome.columns
            if batch and (
                len(columns) * decisions > memory_values or (answers + count) * decisions > 64 * memory_values
            ):
                yield _batch(genomes, batch, timeframe, bars)
                answers, batch, columns = 0, [], set(genome.columns)
            batch.append(place)
            answers, seen = answers + count, columns
        yield _batch(genomes, batch, timeframe, bars)


def _batch(genomes: Sequence[Genome], members: list[int], timeframe: Timeframe, bars: Bars) -> Batch:
    program = compile_genomes([genomes[place] for place in members])
    hold = np.where(program.hold_minutes < 0, bars.count + 1, program.hold_minutes // bars.minutes)
    ratio = decision_ratio(bars, timeframe.minutes)
    return Batch(np.array(members, dtype=np.int64), program, timeframe.minutes, ratio, hold)


def symbol_blocks(bars: Bars, work: Sequence[Batch], threads: int, memory_values: int) -> Iterator[slice]:
    """Runs of symbols: enough bars for a task, few enough for its memory and for every thread to get some."""
    genomes = sum(batch.members.size for batch in work)
    most = min(-(-len(bars.symbols) // threads), memory_values // (genomes * bars.day_ends.size))
    for batch in work:
        decisions = max(bars.count // batch.ratio, 1)
        fits = memory_values // (decisions * max(len(batch.program.columns), 1))
        most = min(most, fits, _TASK_BARS // decisions)
    size = max(most, 1)
    for start in range(0, len(bars.symbols), size):
        yield slice(start, min(start + size, len(bars.symbols)))


@dataclass(frozen=True, slots=True)
class Task:
    """What every task shares: the population, the bars and the costs of each symbol."""

    work: Sequence[Batch]
    bars: Bars
    costs: FloatArray
    slot_quote: float
    genomes: int
    record_trades: bool
    watched: bool = False
    kept: KeptColumns | None = None

    def run(self, rows: slice) -> Part:
        """Back-test all genomes over the symbols of ``rows``."""
        tapes = [tape(self.bars, row, watched=self.watched) for row in range(rows.start, rows.stop)]
        part = Part(
            np.zeros((self.genomes, len(tapes), len(TOTALS))),
            np.empty((len(tapes), self.genomes, self.bars.day_ends.size)),
            {},
        )
        for batch in self.work:
            decisions = Decisions(self.bars, rows, batch.minutes)
            self.trade(batch, rows, self._columns(batch, rows, decisions), decisions.count, tapes, part)
        return part

    def _columns(self, batch: Batch, rows: slice, decisions: Decisions) -> Callable[[Column], FloatArray]:
        """What gives a column of the symbols of ``rows``."""
        kept = self.kept
        if kept is None:
            return decisions.column
        # The first bar that decides, less the bars that the longest slope looks back.
        first = max(self.bars.warmup_bars - 1, 0) // batch.ratio
        unread = max(first - int(SLOPE_BARS.high), 0)
        symbols = len(self.bars.symbols)
        return lambda column: kept.column(
            batch.minutes, column, rows, symbols, unread, lambda: decisions.column(column)
        )

    def trade(
        self,
        batch: Batch,
        rows: slice,
        column: Callable[[Column], FloatArray],
        decisions: int,
        tapes: Sequence[Tape],
        part: Part,
    ) -> None:
        """Back-test a batch over the symbols of ``rows``, into ``part``.

        Parameters
        ----------
        column
            Computes a column, shape (symbols, decision bars).
        decisions
            Number of decision bars.
        tapes
            Of the symbols.
        """
        words = _answers(batch.program, column, len(tapes), decisions)
        for place, row in enumerate(range(rows.start, rows.stop)):
            totals, equity, trades = self._simulate(batch, words[place], decisions, tapes[place], row)
            part.totals[batch.members, place] = totals
            part.equity[place, batch.members] = equity
            part.trades.update({(int(batch.members[g]), row): found for g, found in trades.items()})

    def _simulate(
        self, batch: Batch, words: NDArray[np.uint64], decisions: int, symbol: Tape, row: int
    ) -> tuple[FloatArray, FloatArray, dict[int, FloatArray]]:
        from trading.factory.engine.kernel import simulate

        count, program = batch.members.size, batch.program
        clock = (batch.ratio, self.bars.warmup_bars, decisions, self.watched)
        equity = np.empty((count, self.bars.day_ends.size))

        def walk(offsets: IntArray, trades: FloatArray) -> FloatArray:
            totals = np.zeros((count, len(TOTALS)))
            simulate(
                words, program.codes, program.offsets, program.numbers, batch.hold_bars, clock, symbol,
                self.costs[row], self.slot_quote, totals, equity, offsets, trades,
            )  # fmt: skip
            return totals

        totals = walk(np.zeros(count + 1, dtype=np.int64), np.empty((0, len(TRADE_COLUMNS))))
        if not self.record_trades:
            return totals, equity, {}
        offsets = np.concatenate(([0], np.cumsum(totals[:, TRADES]))).astype(np.int64)
        trades = np.empty((int(offsets[-1]), len(TRADE_COLUMNS)))
        totals = walk(offsets, trades)
        return totals, equity, {g: trades[offsets[g] : offsets[g + 1]] for g in range(count)}


def _answers(
    program: Program, column: Callable[[Column], FloatArray], symbols: int, decisions: int
) -> NDArray[np.uint64]:
    """Every comparison as words, shape (symbols, comparisons, words); a column lives while it is needed."""
    from trading.factory.engine.bits import leaf_words

    words = np.empty((symbols, program.leaf_levels.size, -(-decisions // 64)), dtype=np.uint64)
    pairs = program.leaf_codes[:, 1:3].tolist()
    last_use = {place: leaf for leaf, pair in enumerate(pairs) for place in pair}
    held: dict[int, FloatArray] = {}
    first = 0
    for (one, other), run in groupby(pairs):
        end = first + len(list(run))
        against = one if other < 0 else other
        for place in (one, against):
            if place not in held:
                held[place] = column(program.columns[place])
        codes, levels = program.leaf_codes[first:end], program.leaf_levels[first:end]
        leaf_words(held[one], held[against], codes, levels, words, first)
        for place in {one, against}:
            if last_use[place] < end:
                del held[place]
        first = end
    return words
