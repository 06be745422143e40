"""What the exchange's prices come from: the ports, and the simulated markets behind them."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Protocol

import polars as pl

from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS
from trading.model.series import Series
from trading.simulation.futures import FuturesMarket
from trading.simulation.market import Market
from trading.simulation.second_venue import SecondVenue

#: Days remembered: of the spot market, which every desk asks for, and of each other series.
_SPOT_DAYS_KEPT, _DAYS_KEPT = 256, 64


class Minutes(Protocol):
    """One-minute bars of many symbols, by UTC day.

    Attributes
    ----------
    start_ms, end_ms
        First minute and exclusive end of the data; ``end_ms`` is None where it never ends.
    """

    start_ms: int
    end_ms: int | None

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Bars of a known symbol on the UTC day that starts at ``start_ms``, without nulls."""
        ...


class Backing(Minutes, Protocol):
    """Source of the spot market's klines.

    Attributes
    ----------
    derived, missing
        Kline columns computed from others, and columns that the backing does not have.
    """

    derived: tuple[str, ...]
    missing: tuple[str, ...]

    def instruments(self) -> list[Instrument]:
        """Every pair traded here."""
        ...


class SimulatedMinutes:
    """Days of a simulated market, the latest ones remembered.

    Parameters
    ----------
    compute
        Bars of a symbol and day.
    keep
        How many days to remember.
    """

    def __init__(
        self, market: Market, compute: Callable[[str, date], pl.DataFrame], keep: int = _DAYS_KEPT
    ) -> None:
        self._compute = compute
        self._keep = keep
        self.start_ms = market.origin_ms
        self.end_ms: int | None = None
        self._days: OrderedDict[tuple[str, int], pl.DataFrame] = OrderedDict()

    def day(self, symbol: str, start_ms: int) -> pl.DataFrame:
        """Bars of one symbol and UTC day."""
        key = (symbol, start_ms)
        known = self._days.get(key)
        if known is None:
            known = self._days[key] = self._compute(symbol, day_of(start_ms))
            while len(self._days) > self._keep:
                self._days.popitem(last=False)
        else:
            self._days.move_to_end(key)
        return known


class SimulationBacking(SimulatedMinutes):
    """The simulated spot market."""

    derived: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()

    def __init__(self, market: Market) -> None:
        super().__init__(market, market.minutes, _SPOT_DAYS_KEPT)
        self.market = market

    def instruments(self) -> list[Instrument]:
        """Every simulated pair."""
        return self.market.instruments()


class FuturesBacking:
    """The simulated futures market: bars by series, and what belongs to contracts alone."""

    def __init__(self, futures: FuturesMarket) -> None:
        self.market = futures
        self.bars: dict[Series, Minutes] = {
            series: SimulatedMinutes(futures.market, _compute(futures, series))
            for series in Series
            if series is not Series.SPOT
        }


class SecondVenueBacking(SimulatedMinutes):
    """The simulated second venue."""

    def __init__(self, venue: SecondVenue) -> None:
        super().__init__(venue.market, venue.minutes)
        self.products = tuple(venue.products)


@dataclass(frozen=True, slots=True)
class Backings:
    """Every market of a sandbox; a replay has the spot market alone."""

    spot: Backing
    futures: FuturesBacking | None = None
    second_venue: SecondVenueBacking | None = None


def _compute(futures: FuturesMarket, series: Series) -> Callable[[str, date], pl.DataFrame]:
    return lambda symbol, day: futures.minutes(symbol, day, series)


def day_of(start_ms: int) -> date:
    """UTC day of a moment."""
    return datetime.fromtimestamp(0, UTC).date() + timedelta(days=start_ms // DAY_MS)
