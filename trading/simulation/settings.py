"""Settings of the simulated market."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le


@dataclass(frozen=True, slots=True)
class Outage:
    """Minutes without klines: of one symbol, or of the whole market when ``symbol`` is empty."""

    start: str
    """First silent minute, ISO 8601, UTC when no offset is given: 2026-01-02T03:04."""
    minutes: Annotated[int, Gt(0)]
    symbol: str = ""
    market: Literal["spot", "usdm", "coinbase"] = "spot"
    """Which market is silent; the others go on."""


@dataclass(frozen=True, slots=True)
class MarketSettings:
    """What the simulated market is like. Equal settings give equal klines, on any process.

    Attributes
    ----------
    seed
        Start of all randomness.
    count
        How many pairs of the catalogue, most traded first; ignored where ``symbols`` names them.
    symbols
        Pairs by name.
    origin
        First day of the history (ISO date).
    horizon_days
        Days that can be simulated from the origin.
    listings
        Listing moments as ``SYMBOL=2026-01-02T03:00``. Every ninth pair of the catalogue is listed
        some time within the first ``late_listing_days`` unless named here.
    late_listing_days
        Days from the origin within which the late ones are listed. The futures of every fourth pair
        follow their pair within as many days, at most 120; 0 lists everything at the origin.
    delistings
        Moments after the last trade of a pair and its future, as ``SYMBOL=2026-01-02T03:00``.
    outages
        Planned silences, beside the random ones.
    venue_outage_probability, symbol_outage_probability
        Chance per day (and symbol) of a random silence of some minutes.
    market_daily_volatility
        Usual standard deviation of the market factor's daily log return.
    momentum
        Scale of the regimes' drift; 0 leaves nothing to learn from regimes.
    reversal
        Scale of the pull upwards in the hours after a sharp fall; 0 for none. At 1 a fall of two
        deviations in three hours is followed by about a sixth of a deviation, the size of costs.
    """

    seed: Annotated[int, Ge(0)] = 42
    count: Annotated[int, Ge(1)] = 20
    symbols: tuple[str, ...] = ()
    origin: str = "2024-06-01"
    horizon_days: Annotated[int, Ge(1), Le(20_000)] = 3_650
    listings: tuple[str, ...] = ()
    late_listing_days: Annotated[int, Ge(0)] = 400
    delistings: tuple[str, ...] = ()
    outages: tuple[Outage, ...] = ()
    venue_outage_probability: Annotated[float, Ge(0), Le(1)] = 0.015
    symbol_outage_probability: Annotated[float, Ge(0), Le(1)] = 0.003
    market_daily_volatility: Annotated[float, Gt(0), Le(0.5)] = 0.022
    momentum: Annotated[float, Ge(0), Le(5)] = 1.0
    reversal: Annotated[float, Ge(0), Le(5)] = 1.0
