"""The guard's way to the configured venue, with credentials of its own."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import replace

from apps.guard.grid import OnGrid
from apps.guard.rules import Rules
from apps.guard.spot import SpotHoldings
from resources.instruments.signed import KEY_VARIABLE, SECRET_VARIABLE
from resources.market_data.binance.source import BinanceMarketData
from resources.settings import Settings
from resources.venues.binance.opening import open_binance
from resources.venues.binance.settings import addresses
from resources.venues.binance.signing import PRIVATE_KEY_VARIABLE, Signer, signer_from_environment
from resources.venues.binance.spot.account import SpotAccount
from resources.venues.binance.spot.prices import last_prices
from trading.errors import FixConfiguration
from trading.guard.spot import SpotPlan
from trading.model.instrument import Instrument
from trading.model.series import Market

#: The guard's key and its secret, or the PEM file of its Ed25519 private key.
GUARD_KEY = "TIDEMILL_GUARD_KEY"
GUARD_SECRET = "TIDEMILL_GUARD_SECRET"  # noqa: S105 - the name, not the secret
GUARD_PRIVATE_KEY_FILE = "TIDEMILL_GUARD_PRIVATE_KEY_FILE"

#: A venue that has not answered by then is asked again.
_TIMEOUT_SECONDS = 5.0


def guard_account(settings: Settings, environment: Mapping[str, str] | None = None) -> OnGrid:
    """Open the configured venue's account for the guard.

    It counts its requests for itself, and may use the tenth of the venue's limit that all others leave: a
    budget that they have used up must not hold it back.

    Raises
    ------
    FixConfiguration
        If the guard's own key is missing or may withdraw.
    RetryLater
        If the venue does not answer.
    """
    venue = settings.venue
    signer = guard_signer(os.environ if environment is None else environment)
    own = replace(
        venue.binance,
        weight_file="",
        timeout_seconds=min(venue.binance.timeout_seconds, _TIMEOUT_SECONDS),
        weight_limit=_whole(venue.binance.weight_limit),
        futures_weight_limit=_whole(venue.binance.futures_weight_limit),
    )
    own_venue = replace(venue, binance=own)
    opened = open_binance(own_venue, lambda client_order_id: None, signer=signer)
    url = addresses(own_venue).rest_url
    market = Market.SPOT if venue.kind == "binance_spot" else Market.USDM
    public = BinanceMarketData(
        replace(
            settings.market_data.binance,
            base_url=url,
            futures_base_url=url,
            weight_file="",
            weight_fraction=1.0,
        )
    )

    def instruments() -> dict[str, Instrument]:
        return {item.symbol: item for item in public.instruments(market)}

    rules = Rules(instruments)
    rules.prepare()
    account = opened.account
    if isinstance(account, SpotAccount) and settings.guard.spot_holdings == "guard":
        spot = SpotPlan(settings.universe.quote, settings.guard.spot_keep)
        return OnGrid(SpotHoldings(account, rules, lambda: last_prices(opened.api), spot), rules)
    return OnGrid(account, rules)


def _whole(limit: int) -> int:
    """A limit of which nine tenths, where reads stop, are the venue's own."""
    return limit * 10 // 9


def guard_signer(environment: Mapping[str, str]) -> Signer:
    """Who the guard's requests are from. No message holds a value of the environment.

    Raises
    ------
    FixConfiguration
        If the guard has no key of its own, or it is the trading key.
    """
    key = environment.get(GUARD_KEY, "").strip()
    if not key:
        raise FixConfiguration(
            f"{GUARD_KEY} is not set: the guard needs a key of its own, so that it works when the trading key does not"
        )
    if key == environment.get(KEY_VARIABLE, "").strip():
        raise FixConfiguration(f"{GUARD_KEY} is the trading key: make another key at the venue for the guard")
    given = {
        KEY_VARIABLE: key,
        SECRET_VARIABLE: environment.get(GUARD_SECRET, ""),
        PRIVATE_KEY_VARIABLE: environment.get(GUARD_PRIVATE_KEY_FILE, ""),
    }
    try:
        return signer_from_environment(given)
    except FixConfiguration as error:
        words = str(error).replace(SECRET_VARIABLE, GUARD_SECRET).replace(KEY_VARIABLE, GUARD_KEY)
        raise FixConfiguration(words.replace(PRIVATE_KEY_VARIABLE, GUARD_PRIVATE_KEY_FILE)) from None
