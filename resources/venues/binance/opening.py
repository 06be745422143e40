"""Opens the account that the settings name, once everything that must be true of it has been asked."""

from __future__ import annotations

from dataclasses import dataclass

import httpx

from resources.market_data.surroundings import Surroundings
from resources.venues.binance.ordering import FindOrder
from resources.venues.binance.permissions import require_trading_key
from resources.venues.binance.settings import Addresses, VenueSettings, addresses
from resources.venues.binance.signing import Signer, signer_from_environment
from resources.venues.binance.spot.account import SpotAccount
from resources.venues.binance.spot.orders import SpotVenue
from resources.venues.binance.stream.sources import Source, SpotSource, UsdmSource
from resources.venues.binance.stream.user_stream import UserStream
from resources.venues.binance.transport import Api
from resources.venues.binance.usdm.account import UsdmAccount
from resources.venues.binance.usdm.orders import UsdmVenue
from resources.venues.binance.usdm.terms import Terms
from trading.model.series import Market


@dataclass(frozen=True, slots=True)
class BinanceConnection:
    """One account at one of Binance's markets.

    Attributes
    ----------
    venue, account
        Implement `trading.ports.Venue` and `trading.ports.Account`.
    source
        Opens the account's user-data stream.
    terms
        Position mode, margin type and leverage; None on spot.
    """

    api: Api
    venue: SpotVenue | UsdmVenue
    account: SpotAccount | UsdmAccount
    source: Source
    terms: Terms | None = None

    def stream(self) -> UserStream:
        """A new reader of the user-data stream."""
        return UserStream(self.source, surroundings=self.api.surroundings)

    def close(self) -> None:
        """Close the connections."""
        self.api.close()


def open_binance(
    settings: VenueSettings,
    find_order: FindOrder,
    *,
    signer: Signer | None = None,
    surroundings: Surroundings | None = None,
    transport: httpx.BaseTransport | None = None,
) -> BinanceConnection:
    """Open the account of ``venue.kind``.

    Before anything is handed out, the settings must agree with each other, the key must not be able to
    withdraw, and a futures account must be in the configured position mode.

    Parameters
    ----------
    find_order
        Finds our orders by client order id.
    signer
        Who signs; None takes the key from the environment.
    transport
        Replaces the network, for tests.

    Raises
    ------
    FixConfiguration
        If one of that is not so.
    RetryLater
        If the venue does not answer.
    """
    where = addresses(settings)
    market = Market.SPOT if settings.kind == "binance_spot" else Market.USDM
    who = signer or signer_from_environment()

    def api(url: str, of: Market) -> Api:
        return Api(
            url,
            of,
            who,
            settings.binance,
            account=settings.account,
            surroundings=surroundings,
            transport=transport,
        )

    trading = api(where.rest_url, market)
    wallet = trading if market is Market.SPOT else api(where.wallet_url, Market.SPOT)
    require_trading_key(wallet, market, testnet=settings.testnet)
    if market is Market.SPOT:
        return _spot(settings, where, trading, find_order)
    wallet.close()
    return _usdm(settings, where, trading, find_order)


def _spot(settings: VenueSettings, where: Addresses, api: Api, find_order: FindOrder) -> BinanceConnection:
    venue = SpotVenue(api, find_order, account=settings.account, visibility_ms=settings.binance.visibility_ms)
    account = SpotAccount(api, wallet=not settings.testnet)
    return BinanceConnection(api, venue, account, SpotSource(api, where.websocket_url))


def _usdm(settings: VenueSettings, where: Addresses, api: Api, find_order: FindOrder) -> BinanceConnection:
    terms = Terms(api, settings.binance)
    terms.require_mode()
    return BinanceConnection(
        api,
        UsdmVenue(api, find_order, terms, settings.binance, account=settings.account),
        UsdmAccount(api, terms, settings.binance),
        UsdmSource(api, where.websocket_url),
        terms,
    )
