"""A simulated market: one-minute klines of any symbol and day, in any order, always the same."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from trading.errors import FixConfiguration
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS
from trading.simulation import candles, daily
from trading.simulation.calendar import Calendar
from trading.simulation.catalogue import CATALOGUE, ODD, Listing
from trading.simulation.daily import DailyPath, Floats
from trading.simulation.intraday import MINUTES, bridge, minute_volatility
from trading.simulation.moments import midnight_ms
from trading.simulation.settings import MarketSettings

_FACTOR_DAYS_KEPT = 64


@dataclass(frozen=True, slots=True)
class UnbrokenDay:
    """A pair's day as its price ran, whatever the listing and the outages.

    Attributes
    ----------
    minutes
        All 1440 klines.
    sigma
        Standard deviation of each minute's log return, shape (1440,).
    usual_sigma
        The pair's usual daily deviation.
    """

    minutes: pl.DataFrame
    sigma: Floats
    usual_sigma: float


class Market:
    """The simulated market of one set of settings.

    Every answer is a pure function of the settings: the same whatever was asked before. Instances
    only remember intermediate results and may be shared between threads that tolerate recomputing.

    Parameters
    ----------
    odd_symbols
        Also simulate the pairs that a universe must leave out (`catalogue.ODD`).

    Raises
    ------
    FixConfiguration
        If the settings name an unknown symbol, or a date that cannot be read.
    """

    def __init__(self, settings: MarketSettings, *, odd_symbols: bool = False) -> None:
        self.settings = settings
        self.calendar = Calendar(settings)
        self.listings = {symbol: CATALOGUE[symbol] for symbol in _symbols(settings)}
        if odd_symbols:
            self.listings |= ODD
        self.symbols = tuple(self.listings)
        self.origin = self.calendar.origin
        self.origin_ms = self.calendar.origin_ms
        self.end_ms = self.calendar.end_ms
        self._listed = {symbol: self.calendar.listed_ms(symbol) for symbol in self.symbols}
        self._delisted = {symbol: self.calendar.delisted_ms(symbol) for symbol in self.symbols}
        self._own: dict[str, DailyPath] = {}
        self._factors: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()

    def instruments(self) -> list[Instrument]:
        """Every simulated pair with its filters, listing and delisting."""
        return [self._instrument(listing) for listing in self.listings.values()]

    def listed_at_ms(self, symbol: str) -> int:
        """First moment at which the symbol trades."""
        if symbol not in self._listed:
            near = difflib.get_close_matches(symbol, self.symbols, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise FixConfiguration(f"symbol {symbol!r} is not simulated{hint}")
        return self._listed[symbol]

    def minutes(self, symbol: str, day: date) -> pl.DataFrame:
        """One-minute klines of a symbol on a UTC day.

        Returns
        -------
        polars.DataFrame
            The venue's columns of the ``klines`` dataset (up to ``taker_buy_quote``), sorted by time, at
            most 1440 rows. Minutes before the listing, after the delisting or in an outage are absent.
            Prices are whole ticks, volumes whole lots. Days outside the simulated history have no rows.
        """
        listed_ms, delisted_ms = self.listed_at_ms(symbol), self._delisted[symbol]
        start_ms = midnight_ms(day)
        ended = delisted_ms is not None and delisted_ms <= start_ms
        if self.index(day) is None or listed_ms >= start_ms + DAY_MS or ended:
            return candles.empty()
        present = self.calendar.present("spot", symbol, start_ms, listed_ms, delisted_ms)
        return self._day(symbol, day, present).minutes

    def unbroken(self, symbol: str, day: date) -> UnbrokenDay:
        """The day of a symbol without holes; the day must lie in the simulated history."""
        return self._day(symbol, day, np.ones(MINUTES, dtype=np.bool_))

    def index(self, day: date) -> int | None:
        """Number of a day from the origin; None outside the simulated history."""
        number = (day - self.origin).days
        return number if 0 <= number < self.settings.horizon_days else None

    def log_levels(self, symbol: str) -> Floats:
        """Log price relative to the start price at the start of each day, one longer than the days."""
        listing = self.listings[symbol]
        return np.asarray(listing.beta * self._market.log_level + self._own_path(listing).log_level)

    def _day(self, symbol: str, day: date, present: npt.NDArray[np.bool_]) -> UnbrokenDay:
        listing = self.listings[symbol]
        index = (day - self.origin).days
        own = self._own_path(listing)
        factor, factor_sigma = self._factor(index)
        random = daily.stream(self.settings, listing.follows or symbol, index)
        own_sigma = minute_volatility(random, own.volatility[index], own.volatility[index + 1])
        own_return = float(own.log_level[index + 1] - own.log_level[index])
        moves = bridge(random, own_sigma, own_return, self.settings.reversal)
        base = np.log(listing.start_price) + float(self.log_levels(symbol)[index])
        sigma = np.hypot(listing.beta * factor_sigma, own_sigma)
        usual_sigma = float(
            np.hypot(listing.beta * self.settings.market_daily_volatility, listing.daily_volatility)
        )
        minutes = candles.candles(
            random,
            listing,
            start_ms=midnight_ms(day),
            log_prices=np.append(base, base + listing.beta * factor + moves),
            sigma=sigma,
            usual_sigma=usual_sigma,
            present=present,
        )
        return UnbrokenDay(minutes, sigma, usual_sigma)

    @cached_property
    def _market(self) -> DailyPath:
        return daily.market_path(self.settings, self.regimes)

    @cached_property
    def regimes(self) -> npt.NDArray[np.int8]:
        """Regime of each day from the origin: 0 bull, 1 bear, 2 quiet."""
        return daily.regimes(self.settings)

    def _own_path(self, listing: Listing) -> DailyPath:
        path = self._own.get(listing.symbol)
        if path is None:
            path = self._own[listing.symbol] = daily.own_path(self.settings, self._leader(listing))
        return path

    def _leader(self, listing: Listing) -> Listing:
        return CATALOGUE[listing.follows] if listing.follows else listing

    def _factor(self, index: int) -> tuple[Floats, Floats]:
        """Market factor of a day: cumulative log return and deviation per minute."""
        known = self._factors.get(index)
        if known is None:
            random = daily.stream(self.settings, "market", index)
            path = self._market
            sigma = minute_volatility(random, path.volatility[index], path.volatility[index + 1])
            total = float(path.log_level[index + 1] - path.log_level[index])
            known = bridge(random, sigma, total, self.settings.reversal), sigma
            self._factors[index] = known
            while len(self._factors) > _FACTOR_DAYS_KEPT:
                self._factors.popitem(last=False)
        return known

    def _instrument(self, listing: Listing) -> Instrument:
        return Instrument(
            symbol=listing.symbol,
            base=listing.symbol.removesuffix("USDT"),
            quote="USDT",
            tick_size=listing.tick_size,
            lot_step=listing.lot_step,
            min_quantity=listing.lot_step,
            max_quantity=candles.decimal_bound(9_000_000.0 / listing.start_price * 100.0),
            min_notional=candles.MIN_NOTIONAL,
            listed_at_ms=self._listed[listing.symbol],
            delisted_at_ms=self._delisted[listing.symbol],
        )


def _symbols(settings: MarketSettings) -> tuple[str, ...]:
    if not settings.symbols:
        if settings.count > len(CATALOGUE):
            raise FixConfiguration(
                f"market.count is {settings.count}, but only {len(CATALOGUE)} pairs can be simulated"
            )
        return tuple(CATALOGUE)[: settings.count]
    for symbol in settings.symbols:
        if symbol not in CATALOGUE:
            near = difflib.get_close_matches(symbol, CATALOGUE, n=1)
            hint = f"; the nearest is {near[0]}" if near else ""
            raise FixConfiguration(f"market.symbols names {symbol!r}, which cannot be simulated{hint}")
    return tuple(dict.fromkeys(settings.symbols))
