"""What a genome says at the newest close: the rules of the back-test, for a desk."""

from __future__ import annotations

from dataclasses import dataclass

from trading.errors import BadData
from trading.factory.engine.bars import Bars
from trading.factory.engine.columns import Decisions, decision_ratio
from trading.factory.genes.genome import Genome, Rules
from trading.factory.genes.holds import holds
from trading.factory.genes.rules import Rule


@dataclass(frozen=True, slots=True)
class Signals:
    """Symbols by what the genome says about them, each sorted.

    A symbol to leave is never one to enter on the same side, and one that both sides would enter is in
    neither. Stop, target and time exits need the position and are the desk's.
    """

    enter_long: tuple[str, ...]
    leave_long: tuple[str, ...]
    enter_short: tuple[str, ...]
    leave_short: tuple[str, ...]


def signals(genome: Genome, bars: Bars) -> Signals:
    """The genome's answers at the close of the last bar.

    What it enters here is what the back-test enters at the next open. Bars before
    `Genome.lookback_bars` of the timeframe change values by less than 1e-6 of themselves.

    Raises
    ------
    BadData
        If the last bar does not close a bar of the genome's timeframe: nothing is decided then.
    """
    ratio = decision_ratio(bars, genome.timeframe.minutes)
    if bars.count % ratio:
        raise BadData(
            f"bars: {bars.count} of them end inside a bar of {genome.timeframe}; end them at its close"
        )
    decisions = Decisions(bars, slice(0, len(bars.symbols)), genome.timeframe.minutes)
    columns = {column: decisions.column(column) for column in genome.columns}
    values = [
        {column: matrix[row].tolist() for column, matrix in columns.items()}
        for row in range(len(bars.symbols))
    ]

    def said(rule: Rule | None) -> set[str]:
        if rule is None:
            return set()
        last = decisions.count - 1
        return {
            symbol for symbol, series in zip(bars.symbols, values, strict=True) if holds(rule, series, last)
        }

    def asked(rules: Rules | None) -> tuple[set[str], set[str]]:
        leave = said(rules.exit if rules else None)
        return said(rules.entry if rules else None) - leave, leave

    (long, leave_long), (short, leave_short) = asked(genome.long), asked(genome.short)
    both = long & short
    return Signals(
        enter_long=tuple(sorted(long - both)),
        leave_long=tuple(sorted(leave_long)),
        enter_short=tuple(sorted(short - both)),
        leave_short=tuple(sorted(leave_short)),
    )
