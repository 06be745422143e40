"""When simulated pairs are listed, delisted and silent."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from trading.model.interval import DAY_MS, MINUTE_MS
from trading.simulation.catalogue import CATALOGUE, ODD
from trading.simulation.daily import stream
from trading.simulation.intraday import MINUTES
from trading.simulation.moments import day_named, midnight_ms, moment_named
from trading.simulation.settings import MarketSettings

#: The odd pair that trades at first and is delisted later, and the one that no longer trades at all.
DELISTED_LATER, NEVER_TRADED = "WAVESUSDT", "SRMUSDT"
_LONGEST_VENUE_MINUTES, _LONGEST_SYMBOL_MINUTES = 45, 25
#: Delistings happen within these days, at this hour, as Binance has them.
_DELISTING_DAYS, _DELISTING_HOUR = 400, 3


class Calendar:
    """Listings, delistings and outages of one set of settings.

    Raises
    ------
    FixConfiguration
        If a date of the settings cannot be read.
    """

    def __init__(self, settings: MarketSettings) -> None:
        self._settings = settings
        self.origin = day_named(settings.origin, "origin")
        self.origin_ms = midnight_ms(self.origin)
        self.end_ms = self.origin_ms + settings.horizon_days * DAY_MS
        self._listings = _dated(settings.listings, "listings")
        self._delistings = _dated(settings.delistings, "delistings")
        self._silences = tuple((moment_named(outage.start, "outages"), outage) for outage in settings.outages)

    def listed_ms(self, symbol: str) -> int:
        """First moment at which a spot pair trades."""
        if symbol in self._listings:
            return max(self._listings[symbol], self.origin_ms)
        late_days = self._settings.late_listing_days
        if symbol in ODD or list(CATALOGUE).index(symbol) % 9 != 8 or not late_days:
            return self.origin_ms
        hours = stream(self._settings, "listing", symbol).integers(24 * late_days)
        return self.origin_ms + int(hours) * 60 * MINUTE_MS

    def contract_listed_ms(self, symbol: str) -> int:
        """First moment at which the future of a spot pair trades; every fourth follows its pair late."""
        spot_ms = self.listed_ms(symbol)
        late_days = min(self._settings.late_listing_days, 120)
        if symbol in ODD or list(CATALOGUE).index(symbol) % 4 != 2 or not late_days:
            return spot_ms
        hours = stream(self._settings, "contract listing", symbol).integers(24 * late_days)
        return spot_ms + int(hours) * 60 * MINUTE_MS

    def delisted_ms(self, symbol: str) -> int | None:
        """The moment after a pair's last trade; None while no end is planned."""
        if symbol in self._delistings:
            return self._delistings[symbol]
        if symbol == NEVER_TRADED:
            return self.origin_ms
        if symbol != DELISTED_LATER:
            return None
        longest = min(_DELISTING_DAYS, self._settings.horizon_days)
        share = stream(self._settings, "delisting", symbol).uniform(0.2, 0.8)
        return self.origin_ms + int(share * longest) * DAY_MS + _DELISTING_HOUR * 60 * MINUTE_MS

    def present(
        self, market: str, symbol: str, start_ms: int, listed_ms: int, delisted_ms: int | None
    ) -> npt.NDArray[np.bool_]:
        """Which minutes of the day that starts at ``start_ms`` have a kline, shape (1440,).

        Parameters
        ----------
        market
            ``spot``, ``usdm`` or ``coinbase``: each has outages of its own.
        """
        present = np.ones(MINUTES, dtype=np.bool_)
        present[: max(0, (listed_ms - start_ms) // MINUTE_MS)] = False
        if delisted_ms is not None:
            present[max(0, (delisted_ms - start_ms) // MINUTE_MS) :] = False
        index = (start_ms - self.origin_ms) // DAY_MS
        purpose = "outage" if market == "spot" else f"{market} outage"
        settings = self._settings
        for random, probability, longest in (
            (stream(settings, purpose, index), settings.venue_outage_probability, _LONGEST_VENUE_MINUTES),
            (
                stream(settings, purpose, symbol, index),
                settings.symbol_outage_probability,
                _LONGEST_SYMBOL_MINUTES,
            ),
        ):
            chance, first, length = random.random(3)
            if chance < probability:
                begin = int(first * (MINUTES - longest))
                present[begin : begin + 2 + int(length * (longest - 2))] = False
        for outage_ms, outage in self._silences:
            if outage.market == market and outage.symbol in ("", symbol):
                begin = (outage_ms - start_ms) // MINUTE_MS
                present[max(0, begin) : max(0, begin + outage.minutes)] = False
        return present


def _dated(entries: tuple[str, ...], setting: str) -> dict[str, int]:
    pairs = (entry.partition("=") for entry in entries)
    return {symbol: moment_named(moment, setting) for symbol, _, moment in pairs}
