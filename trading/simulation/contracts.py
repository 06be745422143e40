"""The perpetuals of the simulated market: which pair each one follows, and its funding interval."""

from __future__ import annotations

from dataclasses import dataclass, replace

from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS
from trading.model.series import Market as Venue
from trading.simulation import candles
from trading.simulation.catalogue import CATALOGUE, Listing
from trading.simulation.daily import stream
from trading.simulation.market import Market

#: Coins cheaper than this (quote) are traded in thousands.
THOUSANDS_BELOW = 0.11
#: The one that is paid every hour, and the one that changes from eight to four hours one day.
HOURLY, CHANGING = "ENAUSDT", "NEARUSDT"
USUAL_HOURS = 8
_TURNOVER_OF_SPOT = 2.2


@dataclass(frozen=True, slots=True)
class Contract:
    """One perpetual.

    Attributes
    ----------
    spot
        Pair whose price is the index.
    multiplier
        Coins in one unit of the contract's base.
    listing
        Tick, lot and usual turnover of the contract.
    intervals
        Funding intervals: the moment (ms) from which each holds, and its hours; by rising moment.
    """

    spot: Listing
    multiplier: int
    listing: Listing
    listed_at_ms: int
    delisted_at_ms: int | None
    intervals: tuple[tuple[int, int], ...]

    @property
    def symbol(self) -> str:
        """The contract's symbol, for example 1000PEPEUSDT."""
        return self.listing.symbol

    def interval_hours(self, at_ms: int) -> int:
        """Hours between payments in force at a moment."""
        return next(hours for from_ms, hours in reversed(self.intervals) if from_ms <= at_ms)

    def instrument(self, at_ms: int) -> Instrument:
        """The contract with its filters, as of a moment."""
        underlying = self.spot.symbol.removesuffix("USDT")
        return Instrument(
            symbol=self.symbol,
            base=self.symbol.removesuffix("USDT"),
            quote="USDT",
            tick_size=self.listing.tick_size,
            lot_step=self.listing.lot_step,
            min_quantity=self.listing.lot_step,
            max_quantity=candles.decimal_bound(9_000_000.0 / self.listing.start_price * 100.0),
            min_notional=candles.MIN_NOTIONAL,
            listed_at_ms=self.listed_at_ms,
            delisted_at_ms=self.delisted_at_ms,
            market=Venue.USDM,
            underlying=underlying,
            multiplier=self.multiplier,
            funding_interval_hours=self.interval_hours(at_ms),
        )


def contracts(market: Market) -> dict[str, Contract]:
    """Every perpetual by symbol: one for each pair of the catalogue, and for the odd coin that ends."""
    found = (
        _contract(market, listing)
        for symbol, listing in market.listings.items()
        if symbol in CATALOGUE or market.calendar.delisted_ms(symbol) not in (None, market.origin_ms)
    )
    return {contract.symbol: contract for contract in found}


def _contract(market: Market, spot: Listing) -> Contract:
    multiplier = 1000 if spot.start_price < THOUSANDS_BELOW else 1
    listing = replace(
        spot,
        symbol=spot.symbol if multiplier == 1 else f"{multiplier}{spot.symbol}",
        start_price=spot.start_price * multiplier,
        daily_quote_volume=spot.daily_quote_volume * _TURNOVER_OF_SPOT,
    )
    return Contract(
        spot=spot,
        multiplier=multiplier,
        listing=listing,
        listed_at_ms=market.calendar.contract_listed_ms(spot.symbol),
        delisted_at_ms=market.calendar.delisted_ms(spot.symbol),
        intervals=_intervals(market, spot.symbol),
    )


def _intervals(market: Market, symbol: str) -> tuple[tuple[int, int], ...]:
    if symbol == HOURLY:
        return ((0, 1),)
    if symbol == CHANGING:
        random = stream(market.settings, "funding interval", symbol)
        share = random.uniform(0.2, 0.8)
        day = int(share * min(market.settings.horizon_days, 400))
        return ((0, USUAL_HOURS), (market.origin_ms + day * DAY_MS, 4))
    every_seventh = symbol in CATALOGUE and list(CATALOGUE).index(symbol) % 7 == 4
    return ((0, 4 if every_seventh else USUAL_HOURS),)
