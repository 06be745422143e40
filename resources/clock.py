"""Clocks: the system's, a market's, or one that stands still."""

from __future__ import annotations

import time
from dataclasses import dataclass

from trading.ports import MarketData


@dataclass(frozen=True, slots=True)
class SystemClock:
    """The time of the machine."""

    def now_ms(self) -> int:
        """Milliseconds since the epoch, UTC."""
        return time.time_ns() // 1_000_000


@dataclass(frozen=True, slots=True)
class SourceClock:
    """The time of a market: a venue's server time, or the end of a replay."""

    market_data: MarketData

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as the market sees it."""
        return self.market_data.now_ms()


@dataclass(frozen=True, slots=True)
class FixedClock:
    """A time that stands still."""

    fixed_ms: int

    def now_ms(self) -> int:
        """The fixed moment."""
        return self.fixed_ms
