"""A simulated market: one-minute klines of any symbol and day, in any order, always the same."""

from __future__ import annotations

import difflib
from collections import OrderedDict
from datetime import UTC, date, datetime, timedelta
from functools import cached_property

import numpy as np
import numpy.typing as npt
import polars as pl

from trading.errors import FixConfiguration
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation import candles, daily
from trading.simulation.catalogue import CATALOGUE, Listing
from trading.simulation.daily import DailyPath, Floats
from trading.simulation.intraday import MINUTES, bridge, minute_volatility
from trading.simulation.settings import MarketSettings

_FACTOR_DAYS_KEPT = 64


class Market:
    """The simulated market of one set of settings.

    Every answer is a pure function of the settings: the same whatever was asked before. Instances
    only remember intermediate results and may be shared between threads that tolerate recomputing.

    Raises
    ------
    FixConfiguration
        If the settings name an unknown symbol, or a date that cannot be read.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self.settings = settings
        self.symbols = _symbols(settings)
        self.origin = _date(settings.origin, "origin")
        self.origin_ms = _midnight_ms(self.origin)
        self.end_ms = self.origin_ms + settings.horizon_days * DAY_MS
        self._listed = {symbol: self._listing_ms(symbol) for symbol in self.symbols}
        self._silences = tuple(
            (_moment_ms(o.start, "outages"), o.minutes, o.symbol) for o in settings.outages
        )
        self._own: dict[str, DailyPath] = {}
        self._factors: OrderedDict[int, tuple[Floats, Floats]] = OrderedDict()

    def instruments(self) -> list[Instrument]:
        """Every simulated pair with its filters and listing."""
        return [self._instrument(CATALOGUE[symbol]) for symbol in self.symbols]

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
            Columns of the ``klines`` dataset without ``source``, sorted by time, at most 1440 rows.
            Minutes before the listing or in an outage are absent. Prices are whole ticks, volumes
            whole lots. Days outside the simulated history have no rows.
        """
        listed_ms = self.listed_at_ms(symbol)
        start_ms = _midnight_ms(day)
        index = (start_ms - self.origin_ms) // DAY_MS
        if not 0 <= index < self.settings.horizon_days or listed_ms >= start_ms + DAY_MS:
            return candles.empty()
        listing = CATALOGUE[symbol]
        own = self._own_path(listing)
        factor, factor_sigma = self._factor(index)
        random = daily.stream(self.settings, symbol, index)
        sigma = minute_volatility(random, own.volatility[index], own.volatility[index + 1])
        own_return = float(own.log_level[index + 1] - own.log_level[index])
        moves = bridge(random, sigma, own_return, self.settings.reversal)
        base = np.log(listing.start_price) + self._log_level(listing, index)
        return candles.candles(
            random,
            listing,
            start_ms=start_ms,
            log_prices=np.append(base, base + listing.beta * factor + moves),
            sigma=np.hypot(listing.beta * factor_sigma, sigma),
            usual_sigma=np.hypot(
                listing.beta * self.settings.market_daily_volatility, listing.daily_volatility
            ),
            present=self._present(symbol, index, start_ms, listed_ms),
        )

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
            path = self._own[listing.symbol] = daily.own_path(self.settings, listing)
        return path

    def _log_level(self, listing: Listing, index: int) -> float:
        own = self._own_path(listing)
        return float(listing.beta * self._market.log_level[index] + own.log_level[index])

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

    def _present(self, symbol: str, index: int, start_ms: int, listed_ms: int) -> npt.NDArray[np.bool_]:
        """Which minutes of the day have a kline."""
        present = np.ones(MINUTES, dtype=np.bool_)
        present[: max(0, (listed_ms - start_ms) // MINUTE_MS)] = False
        chances = (
            (daily.stream(self.settings, "outage", index), self.settings.venue_outage_probability, 45),
            (
                daily.stream(self.settings, "outage", symbol, index),
                self.settings.symbol_outage_probability,
                25,
            ),
        )
        for random, probability, longest in chances:
            chance, first, length = random.random(3)
            if chance < probability:
                begin = int(first * (MINUTES - longest))
                present[begin : begin + 2 + int(length * (longest - 2))] = False
        for outage_ms, minutes, only in self._silences:
            if only in ("", symbol):
                begin = (outage_ms - start_ms) // MINUTE_MS
                present[max(0, begin) : max(0, begin + minutes)] = False
        return present

    def _listing_ms(self, symbol: str) -> int:
        for entry in self.settings.listings:
            name, _, moment = entry.partition("=")
            if name == symbol:
                return max(_moment_ms(moment, "listings"), self.origin_ms)
        position = list(CATALOGUE).index(symbol)
        if position % 9 != 8 or not self.settings.late_listing_days:
            return self.origin_ms
        hours = daily.stream(self.settings, "listing", symbol).integers(24 * self.settings.late_listing_days)
        return self.origin_ms + int(hours) * 60 * MINUTE_MS

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


def _date(text: str, setting: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise FixConfiguration(f"market.{setting} is {text!r}; write a date as 2024-06-01") from error


def _moment_ms(text: str, setting: str) -> int:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise FixConfiguration(
            f"market.{setting} has {text!r}; write a moment as 2026-01-02T03:04"
        ) from error
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1000


def _midnight_ms(day: date) -> int:
    return (day - date(1970, 1, 1)) // timedelta(days=1) * DAY_MS
