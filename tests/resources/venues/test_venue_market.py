"""Which market orders go to, and what the settings must not leave open."""

from __future__ import annotations

import pytest

from resources.venues.binance.settings import BinanceVenueSettings, VenueSettings, addresses
from trading.errors import FixConfiguration
from trading.model.series import Market

LEVERED = BinanceVenueSettings(leverage=5)


@pytest.mark.parametrize(
    ("settings", "market", "leverage"),
    [
        (VenueSettings(), Market.SPOT, 1),
        (VenueSettings(market="usdm"), Market.USDM, 1),
        (VenueSettings(market="usdm", binance=LEVERED), Market.USDM, 1),
        (VenueSettings(kind="binance_spot", binance=LEVERED), Market.SPOT, 1),
        (VenueSettings(kind="binance_usdm", binance=LEVERED), Market.USDM, 5),
    ],
)
def test_market_and_leverage(settings: VenueSettings, market: Market, leverage: int) -> None:
    assert (settings.trades, settings.leverage) == (market, leverage)


@pytest.mark.parametrize("kind", ["binance_spot", "binance_usdm"])
def test_a_market_beside_a_kind_that_names_its_own_is_refused(kind: str) -> None:
    with pytest.raises(FixConfiguration, match=r"venue\.market is usdm"):
        addresses(VenueSettings(kind=kind, market="usdm"))  # type: ignore[arg-type]  # one of the two
