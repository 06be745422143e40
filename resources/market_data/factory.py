"""The market data source that the settings name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from resources.market_data.settings import MarketDataSettings
from trading.errors import FixConfiguration
from trading.ports import MarketData

if TYPE_CHECKING:
    from resources.market_data.binance.client import Surroundings


def create(settings: MarketDataSettings, surroundings: Surroundings | None = None) -> MarketData:
    """Make the source; an embedded sandbox is started once per process and settings.

    What a source needs is imported with it: a code location must load in about two seconds.
    """
    from resources.market_data.binance.source import BinanceMarketData

    if settings.source == "binance":
        return BinanceMarketData(settings.binance, surroundings=surroundings)
    if settings.source == "archive":
        from resources.market_data.archive.source import ArchiveMarketData

        rest = BinanceMarketData(settings.binance, surroundings=surroundings)
        return ArchiveMarketData(settings.archive, rest)
    if settings.source == "files":
        from resources.market_data.files.source import FilesMarketData

        return FilesMarketData(settings.files)
    if settings.source == "sandbox":
        from apps.sandbox.gate import UNLIMITED_WEIGHT
        from apps.sandbox.server import EmbeddedSandbox

        sandbox = settings.sandbox
        base_url = sandbox.base_url or EmbeddedSandbox.shared(sandbox.exchange).base_url
        local = replace(
            settings.binance,
            base_url=base_url,
            discover_listings=True,
            weight_limit=sandbox.exchange.weight_limit or UNLIMITED_WEIGHT,
        )
        return BinanceMarketData(local, name="sandbox", surroundings=surroundings)
    raise FixConfiguration(
        f"market_data.source is {settings.source!r}; choose sandbox, binance, archive or files"
    )
