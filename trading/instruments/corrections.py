"""Dated corrections of what a venue says about its instruments."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import MISSING, dataclass, fields, replace
from typing import Any

from trading.model.instrument import Instrument
from trading.model.series import Market

#: What a correction must state to describe an instrument that the venue no longer lists.
REQUIRED = tuple(
    field.name for field in fields(Instrument) if field.default is MISSING and field.name != "symbol"
)


@dataclass(frozen=True, slots=True)
class Correction:
    """Facts of one instrument that hold for a span of time, whatever the venue says.

    Attributes
    ----------
    market, symbol
        The instrument.
    changes
        Pairs of `Instrument` field and value, in field order.
    why
        Where the facts are from.
    from_ms, to_ms
        First moment and exclusive end, UTC; None is unbounded.
    """

    market: Market
    symbol: str
    changes: tuple[tuple[str, Any], ...]
    why: str
    from_ms: int | None = None
    to_ms: int | None = None

    @property
    def complete(self) -> bool:
        """Whether it describes the instrument by itself, without the venue."""
        return {name for name, _ in self.changes}.issuperset(REQUIRED)

    def holds_at(self, moment_ms: int) -> bool:
        """Whether the moment lies in its span."""
        return (self.from_ms is None or self.from_ms <= moment_ms) and (
            self.to_ms is None or moment_ms < self.to_ms
        )

    def apply(self, instrument: Instrument | None) -> Instrument | None:
        """The corrected instrument; None while neither the venue nor a complete correction knows it."""
        if instrument is not None:
            return replace(instrument, **dict(self.changes))
        if self.complete:
            return Instrument(symbol=self.symbol, market=self.market, **dict(self.changes))
        return None


def unmatched(corrections: Iterable[Correction], venue: Iterable[Instrument]) -> list[str]:
    """A warning for each symbol whose corrections do nothing: the venue lists no such symbol.

    A misspelling, or a symbol that the venue has dropped; either way nothing else would tell.
    """
    given = list(corrections)
    listed = {(item.market, item.symbol) for item in venue}
    listed |= {(item.market, item.symbol) for item in given if item.complete}
    warnings = []
    for market, symbol in dict.fromkeys((item.market, item.symbol) for item in given):
        if (market, symbol) not in listed:
            near = difflib.get_close_matches(symbol, [name for where, name in listed if where == market], n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            warnings.append(
                f"corrections of {symbol} ({market}) have no effect: the venue lists no such symbol{hint}; "
                f"correct the name, or state {', '.join(REQUIRED)} too"
            )
    return warnings
