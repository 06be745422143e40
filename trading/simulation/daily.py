"""The slow part of the simulated market: regimes, volatility levels and daily prices, in one pass.

Every random stream is keyed by (seed, purpose, name), so a symbol's history depends neither on the
other symbols nor on the order of questions.

The market factor's daily log return is ``drift(regime) + volatility · t₅``, where

- the regime follows a Markov chain bull → quiet → bear … with mean stays of 20, 15 and 12 days;
- log volatility is an AR(1) around the regime's level (bear is stormy, quiet is calm);
- a weak pull towards the start keeps prices plausible over years.

A symbol adds its own return of the same kind around ``beta`` times the market's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from trading.simulation.catalogue import Listing
from trading.simulation.settings import MarketSettings

Floats = npt.NDArray[np.float64]

BULL, BEAR, QUIET = 0, 1, 2
_STAY_DAYS = (20.0, 12.0, 15.0)
_DRIFT = (0.006, -0.007, 0.0)
_VOLATILITY = (1.0, 1.45, 0.6)
_PERSISTENCE = 0.93
_DEGREES = 5.0
_MARKET_PULL = 0.006
_OWN_PULL = 0.01


@dataclass(frozen=True, slots=True)
class DailyPath:
    """Daily state of one factor; arrays over days from the origin.

    Attributes
    ----------
    log_level
        Log price relative to the origin at the start of each day, one longer than the days.
    volatility
        Daily standard deviation at the start of each day, one longer than the days.
    """

    log_level: Floats
    volatility: Floats


def stream(settings: MarketSettings, *purpose: str | int) -> np.random.Generator:
    """Random stream of one purpose, independent of all others."""
    text = "/".join(str(part) for part in (settings.seed, *purpose))
    return np.random.default_rng(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest()))


def fat_tails(random: np.random.Generator, size: int) -> Floats:
    """Student t draws with 5 degrees of freedom, scaled to variance one and cut at 8 deviations."""
    draws = random.standard_t(_DEGREES, size) * np.sqrt((_DEGREES - 2.0) / _DEGREES)
    return np.asarray(np.clip(draws, -8.0, 8.0), dtype=np.float64)


def regimes(settings: MarketSettings) -> npt.NDArray[np.int8]:
    """Regime of each day: 0 bull, 1 bear, 2 quiet."""
    random = stream(settings, "regimes")
    leave, pick = random.random(settings.horizon_days), random.random(settings.horizon_days)
    states = np.empty(settings.horizon_days, dtype=np.int8)
    state = QUIET
    for day in range(settings.horizon_days):
        if leave[day] < 1.0 / _STAY_DAYS[state]:
            others = [other for other in (BULL, BEAR, QUIET) if other != state]
            state = others[int(pick[day] * 2.0)]
        states[day] = state
    return states


def market_path(settings: MarketSettings, states: npt.NDArray[np.int8]) -> DailyPath:
    """Daily path of the market factor."""
    drift = settings.momentum * np.asarray(_DRIFT)[states]
    level = settings.market_daily_volatility * np.asarray(_VOLATILITY)[states]
    return _path(stream(settings, "market", "daily"), level, drift, _MARKET_PULL)


def own_path(settings: MarketSettings, listing: Listing) -> DailyPath:
    """Daily path of a symbol's own part, beside ``beta`` times the market."""
    days = settings.horizon_days
    level = np.full(days, listing.daily_volatility)
    return _path(stream(settings, listing.symbol, "daily"), level, np.zeros(days), _OWN_PULL)


def _path(random: np.random.Generator, level: Floats, drift: Floats, pull: float) -> DailyPath:
    days = level.size
    shocks, surprises = random.standard_normal(days) * 0.13, fat_tails(random, days)
    log_volatility, log_level = 0.0, 0.0
    deviations, levels = np.zeros(days + 1), np.zeros(days + 1)
    for day in range(days):
        sigma = level[day] * np.exp(log_volatility)
        log_level += drift[day] - pull * log_level + sigma * surprises[day]
        # Falls raise volatility more than rises (the leverage effect).
        log_volatility = _PERSISTENCE * log_volatility + shocks[day] - 0.05 * min(surprises[day] + 1.0, 0.0)
        levels[day + 1], deviations[day + 1] = log_level, log_volatility
    return DailyPath(levels, np.append(level, level[-1]) * np.exp(deviations))
