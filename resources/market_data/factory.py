"""The market data sources that the settings name."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from resources.market_data.settings import MarketDataSettings
from trading.errors import FixConfiguration
from trading.ports import MarketData

if TYPE_CHECKING:
    from resources.market_data.coinbase.source import CoinbaseMarketData
    from resources.market_data.surroundings import Surroundings


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
        return ArchiveMarketData(settings.archive, rest, surroundings=surroundings)
    if settings.source == "files":
        from resources.market_data.files.source import FilesMarketData

        return FilesMarketData(settings.files)
    if settings.source == "sandbox":
        return _sandbox(settings, surroundings)
    raise FixConfiguration(
        f"market_data.source is {settings.source!r}; choose sandbox, binance, archive or files"
    )


def create_repair_sources(
    settings: MarketDataSettings, source: MarketData, surroundings: Surroundings | None = None
) -> tuple[MarketData, ...]:
    """Who is asked for what the source lacks: the archive's REST interface, and the archive for REST."""
    from resources.market_data.archive.source import ArchiveMarketData
    from resources.market_data.binance.source import BinanceMarketData

    if isinstance(source, ArchiveMarketData):
        return (source.rest,)
    if settings.source == "binance" and isinstance(source, BinanceMarketData):
        return (ArchiveMarketData(settings.archive, source, surroundings=surroundings),)
    return ()


def create_second(
    settings: MarketDataSettings, surroundings: Surroundings | None = None
) -> CoinbaseMarketData | None:
    """Make the second source; None where the settings name none.

    Beside the sandbox, the second venue is a part of the sandbox too.
    """
    if settings.second_source == "none":
        return None
    if settings.second_source == "coinbase":
        from resources.market_data.coinbase.source import CoinbaseMarketData

        coinbase = settings.coinbase
        if settings.source == "sandbox":
            coinbase = replace(coinbase, base_url=f"{_sandbox_url(settings)}/coinbase")
        return CoinbaseMarketData(coinbase, surroundings)
    raise FixConfiguration(
        f"market_data.second_source is {settings.second_source!r}; choose none or coinbase"
    )


def _sandbox(settings: MarketDataSettings, surroundings: Surroundings | None) -> MarketData:
    from apps.sandbox.gate import UNLIMITED_WEIGHT
    from resources.market_data.binance.source import BinanceMarketData

    sandbox = settings.sandbox
    url = _sandbox_url(settings)
    limit = sandbox.exchange.weight_limit or UNLIMITED_WEIGHT
    local = replace(
        settings.binance,
        base_url=url,
        futures_base_url=url,
        discover_listings=True,
        weight_file="",
        weight_limit=limit,
        futures_weight_limit=limit,
    )
    rest = BinanceMarketData(local, name="sandbox", surroundings=surroundings)
    if not sandbox.archive:
        return rest
    from resources.market_data.archive.source import ArchiveMarketData

    archive = replace(settings.archive, base_url=f"{url}/archive")
    return ArchiveMarketData(archive, rest, surroundings=surroundings)


def _sandbox_url(settings: MarketDataSettings) -> str:
    from apps.sandbox.server import EmbeddedSandbox

    sandbox = settings.sandbox
    return sandbox.base_url or EmbeddedSandbox.shared(sandbox.exchange).base_url
