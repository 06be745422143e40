"""What the exchange's prices come from: the port, and the simulated market behind it."""

from __future__ import annotations

from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import polars as pl

from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS
from trading.simulation.market import Market

_DAYS_KEPT = 256


class Backing(Protocol):
    """Source of one-minute klines.

    Attributes
    ----------
    start_ms, end_ms
        First minute and exclusive end of the data; ``end_ms`` is None where it never ends.
    derived, missing
        Kline columns computed from others, and columns that the backing does not have.
    """

    start_ms: int
    end_ms: int | None
    derived: tuple[str, ...]
    missing: tuple[str, ...]

    def instruments(self) -> list[Instrument]:
        """Every pair traded here."""
        ...

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Klines of a known symbol on the UTC day that starts at ``start_ms``, without nulls."""
        ...


class SimulationBacking:
    """The simulated market, with the latest days remembered."""

    derived: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __init__(self, market: Market) -> None:
        self.market = market
        self.start_ms = market.origin_ms
        self.end_ms: int | None = None
        self._days: OrderedDict[tuple[str, int], pl.DataFrame] = OrderedDict()

    def instruments(self) -> list[Instrument]:
        """Every simulated pair."""
        return self.market.instruments()

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Klines of one symbol and UTC day."""
        key = (symbol, start_ms)
        known = self._days.get(key)
        if known is None:
            known = self._days[key] = self.market.minutes(symbol, day_of(start_ms))
            while len(self._days) > _DAYS_KEPT:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(key)
        return known


def day_of(start_ms: int) -> date:
    """UTC day of a moment."""
    return datetime.fromtimestamp(0, UTC).date() + timedelta(days=start_ms // DAY_MS)
