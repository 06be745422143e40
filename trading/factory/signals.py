"""What a strategy would do at the newest close."""

from __future__ import annotations

from trading.factory.conditions import conditions
from trading.factory.genome import Genome
from trading.factory.panel import Panel


def signals(genome: Genome, panel: Panel) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Symbols to enter and symbols to exit at the panel's last close, each sorted.

    The same conditions as the back-test: what it enters at the next open is what is named here. A
    symbol whose last hour has no bar is in neither. Target, stop and time exits need the position
    and are the desk's.
    """
    entries, exits = conditions(genome, panel)

    def named(last: list[bool]) -> tuple[str, ...]:
        return tuple(symbol for symbol, on in zip(panel.symbols, last, strict=True) if on)

    return named(entries[:, -1].tolist()), named(exits[:, -1].tolist())
