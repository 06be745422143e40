"""A strategy as data: when to enter and leave, on which timeframe, with which exits, size and leverage."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from hashlib import sha256
from typing import Any

from trading.errors import BadData
from trading.factory.genes.grid import Grid
from trading.factory.genes.rules import Column, Rule, columns
from trading.factory.genes.text import plain_json

#: Raised when the meaning of a stored genome changes; a reader refuses what it does not know.
VERSION = 2


class Timeframe(StrEnum):
    """Length of the bars that decide."""

    M5 = "5m"
    M15 = "15m"
    M30 = "30m"
    H1 = "1h"
    H2 = "2h"
    H4 = "4h"

    @property
    def minutes(self) -> int:
        """Length in minutes."""
        return int(self.value[:-1]) * (60 if self.value.endswith("h") else 1)


class Side(StrEnum):
    """Which positions a genome takes."""

    LONG = "long"
    SHORT = "short"
    BOTH = "both"


@dataclass(frozen=True, slots=True)
class Rules:
    """When to enter, and when to leave before stop, target or time do it (None: they alone do)."""

    entry: Rule
    exit: Rule | None = None

    def plain(self) -> dict[str, Any]:
        """JSON-safe form."""
        return {"entry": self.entry.plain(), "exit": self.exit.plain() if self.exit else None}


#: Ranges of what every genome has.
GRIDS = {
    "stop_fraction": Grid(0.005, 0.025, 0.0025),
    "target_fraction": Grid(0.01, 0.05, 0.005),
    "trailing_fraction": Grid(0.005, 0.03, 0.0025),
    "trailing_after_fraction": Grid(0.0, 0.02, 0.005),
    "time_exit_hours": Grid(24, 72, 24),
    "size_fraction": Grid(0.02, 0.1, 0.01),
    "leverage": Grid(1, 3, 1),
}
_OPTIONAL = ("target_fraction", "trailing_fraction", "trailing_after_fraction", "time_exit_hours")


@dataclass(frozen=True, slots=True, kw_only=True)
class Genome:
    """A strategy, named by its content.

    Attributes
    ----------
    long, short
        Rules of each side; at least one. With both, an entry of both sides at one close is no entry.
    stop_fraction, target_fraction
        Distance of the protective stop and of the target from the entry price. A target is optional.
    trailing_fraction
        Distance of a stop that follows the best price since entry; optional.
    trailing_after_fraction
        Gain from which the trailing stop is active: 0 is at once. None exactly where there is no
        trailing stop.
    time_exit_hours
        Hours after which a position is closed at the next open; optional.
    size_fraction
        Margin of a position as a fraction of the equity of its slot; its value is that times leverage.

    Raises
    ------
    BadData
        If a number is off its grid, no side has rules, or the trailing stop is half given.
    """

    timeframe: Timeframe
    long: Rules | None = None
    short: Rules | None = None
    stop_fraction: float
    target_fraction: float | None = None
    trailing_fraction: float | None = None
    trailing_after_fraction: float | None = None
    time_exit_hours: int | None = None
    size_fraction: float
    leverage: int

    def __post_init__(self) -> None:
        if self.long is None and self.short is None:
            raise BadData("genome: neither long nor short has rules; one must")
        if (self.trailing_fraction is None) != (self.trailing_after_fraction is None):
            raise BadData(
                "genome: trailing_fraction and trailing_after_fraction belong together; give both or none"
            )
        for name, grid in GRIDS.items():
            value = getattr(self, name)
            if value is not None or name not in _OPTIONAL:
                object.__setattr__(self, name, grid.member(name, value))

    @property
    def side(self) -> Side:
        """Which positions the genome takes."""
        if self.long and self.short:
            return Side.BOTH
        return Side.LONG if self.long else Side.SHORT

    @property
    def parameters(self) -> dict[str, Any]:
        """JSON-safe form: what the ledger stores, and what `trading.factory.genes.parse.genome` reads."""
        return {
            "version": VERSION,
            "timeframe": self.timeframe.value,
            "long": self.long.plain() if self.long else None,
            "short": self.short.plain() if self.short else None,
        } | {name: getattr(self, name) for name in GRIDS}

    @property
    def desk_view(self) -> dict[str, float | int | str]:
        """What a desk acts on besides signals: text, timeframe and numbers; what it does not have is absent."""
        numbers = {name: getattr(self, name) for name in GRIDS}
        present = {name: value for name, value in numbers.items() if value is not None}
        return {"text": str(self), "timeframe": self.timeframe.value} | present

    @property
    def json(self) -> str:
        """Canonical JSON of the parameters, one line."""
        return plain_json(self.parameters)

    @property
    def strategy_id(self) -> str:
        """Content hash (32 hex digits): equal genomes are one strategy, on any day."""
        return sha256(plain_json(["strategy", self.parameters]).encode()).hexdigest()[:32]

    def rules(self) -> Iterator[Rule]:
        """Every rule of the genome: long entry, long exit, short entry, short exit, as far as given."""
        for side in (self.long, self.short):
            if side is not None:
                yield side.entry
                if side.exit is not None:
                    yield side.exit

    @property
    def columns(self) -> frozenset[Column]:
        """The columns that the rules read."""
        return frozenset(column for rule in self.rules() for column in columns(rule))

    @property
    def lookback_bars(self) -> int:
        """Bars of the timeframe before a decision that the rules depend on."""
        return max(column.feature.lookback_bars for column in self.columns) + 12

    def __str__(self) -> str:
        parts = [f"{self.timeframe} {self.side}"]
        for name, side in (("long", self.long), ("short", self.short)):
            if side is not None:
                parts.append(f"{name} when {side.entry}")
                if side.exit is not None:
                    parts.append(f"leave {name} when {side.exit}")
        parts.append(f"stop {self.stop_fraction:.2%}")
        if self.target_fraction is not None:
            parts.append(f"target {self.target_fraction:.2%}")
        if self.trailing_fraction is not None:
            parts.append(f"trail {self.trailing_fraction:.2%} after {self.trailing_after_fraction:.2%}")
        if self.time_exit_hours is not None:
            parts.append(f"out after {self.time_exit_hours} h")
        parts.append(f"size {self.size_fraction:.0%} × {self.leverage}")
        return " · ".join(parts)
