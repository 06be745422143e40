"""Settings of the venue that orders go to. Paper by default; real orders need two settings that agree."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le

from trading.errors import FixConfiguration
from trading.model.series import Market

#: What ``venue.live_trading`` must say before an order of real money is sent.
ACCEPTANCE = "i-accept-real-orders"

_TEST = {
    "base_url": "https://testnet.binance.vision",
    "futures_base_url": "https://testnet.binancefuture.com",
    "websocket_url": "wss://ws-api.testnet.binance.vision/ws-api/v3",
    "futures_websocket_url": "wss://fstream.binancefuture.com/ws",
}
_REAL = {
    "base_url": "https://api.binance.com",
    "futures_base_url": "https://fapi.binance.com",
    "websocket_url": "wss://ws-api.binance.com:443/ws-api/v3",
    "futures_websocket_url": "wss://fstream.binance.com/ws",
}
_LOOPBACK = frozenset({"127.0.0.1", "::1", "localhost"})
_TEST_DOMAINS = ("testnet.binance.vision", "binancefuture.com")
_SECURE = frozenset({"https", "wss"})


@dataclass(frozen=True, slots=True)
class BinanceVenueSettings:
    """How to trade on Binance. Empty addresses are the testnet's, or the exchange's own when it is off.

    Attributes
    ----------
    base_url, futures_base_url
        Addresses of the two REST APIs.
    websocket_url, futures_websocket_url
        Addresses of the spot WebSocket API and of the futures streams.
    receive_window_ms
        How old a request may be when the venue gets it; an older one is refused there.
    visibility_ms
        Longest time until a lookup shows an order that the venue has accepted.
    timeout_seconds
        Longest wait for one answer.
    attempts, backoff_seconds, backoff_limit_seconds
        How often a read is tried, and the pauses between. An order is never sent twice.
    longest_wait_seconds
        Longest wait for the budget before an order is sent; after that nothing is sent.
    longest_pause_seconds
        A longer ``Retry-After`` is not waited for.
    clock_refresh_seconds
        How often the venue's clock is read again.
    weight_limit, futures_weight_limit
        Request weight per minute that each API allows one address.
    orders_per_10_seconds, futures_orders_per_10_seconds, futures_orders_per_minute
        Orders that each API allows one account.
    weight_file
        File in which all processes count together; empty is ``var/binance_weights.json`` of the home.
    position_mode
        Mode that the futures account must be in. It is read and compared, never changed.
    margin_type, leverage
        Set on each contract before its first order, and verified.
    trigger_price
        Price that conditional futures orders watch: the last trade's (``contract``) or the mark price.
    """

    base_url: str = ""
    futures_base_url: str = ""
    websocket_url: str = ""
    futures_websocket_url: str = ""
    receive_window_ms: Annotated[int, Ge(100), Le(60_000)] = 5_000
    visibility_ms: Annotated[int, Ge(0)] = 10_000
    timeout_seconds: Annotated[float, Gt(0)] = 10.0
    attempts: Annotated[int, Ge(1), Le(10)] = 3
    backoff_seconds: Annotated[float, Ge(0)] = 0.3
    backoff_limit_seconds: Annotated[float, Ge(0)] = 5.0
    longest_wait_seconds: Annotated[float, Ge(0)] = 2.0
    longest_pause_seconds: Annotated[float, Ge(0)] = 10.0
    clock_refresh_seconds: Annotated[float, Gt(0)] = 300.0
    weight_limit: Annotated[int, Gt(0)] = 6_000
    futures_weight_limit: Annotated[int, Gt(0)] = 2_400
    orders_per_10_seconds: Annotated[int, Gt(0)] = 100
    futures_orders_per_10_seconds: Annotated[int, Gt(0)] = 300
    futures_orders_per_minute: Annotated[int, Gt(0)] = 1_200
    weight_file: str = ""
    position_mode: Literal["one_way", "hedge"] = "one_way"
    margin_type: Literal["isolated", "cross"] = "isolated"
    leverage: Annotated[int, Ge(1), Le(125)] = 1
    trigger_price: Literal["contract", "mark"] = "contract"


@dataclass(frozen=True, slots=True)
class VenueSettings:
    """Where orders go.

    Attributes
    ----------
    kind
        The paper venue, Binance spot, or Binance USDT-margined futures.
    market
        Market of the paper venue; the others have theirs in their name.
    testnet
        Trade on Binance's test exchange, with test money.
    live_trading
        Must be ``i-accept-real-orders``, and ``testnet`` false, for orders of real money.
    account
        Name of the account; leases, cash and fills are kept by venue and account.
    """

    kind: Literal["paper", "binance_spot", "binance_usdm"] = "paper"
    market: Literal["spot", "usdm"] = "spot"
    testnet: bool = True
    live_trading: Literal["", "i-accept-real-orders"] = ""
    account: str = "main"
    binance: BinanceVenueSettings = field(default_factory=BinanceVenueSettings)

    @property
    def trades(self) -> Market:
        """The market that orders go to."""
        if self.kind == "paper":
            return Market(self.market)
        return Market.USDM if self.kind == "binance_usdm" else Market.SPOT

    @property
    def leverage(self) -> int:
        """What contracts are set to; 1 where there are none."""
        return self.binance.leverage if self.kind == "binance_usdm" else 1


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where a venue's interfaces are; ``wallet_url`` serves what belongs to the key, not to a market."""

    rest_url: str
    websocket_url: str
    wallet_url: str


def addresses(settings: VenueSettings) -> Addresses:
    """The addresses of the configured kind, once the settings are known to mean what they say.

    Raises
    ------
    FixConfiguration
        If real orders were not accepted in so many words, if ``testnet`` and the acceptance contradict each
        other, or if an address is not of the exchange that ``testnet`` names.
    """
    if settings.kind == "paper":
        raise FixConfiguration(
            "venue.kind is paper, which has no address; choose binance_spot or binance_usdm"
        )
    if settings.market != "spot":
        raise FixConfiguration(
            f"venue.market is {settings.market} and venue.kind is {settings.kind}: it is for the paper venue, leave "
            "it out"
        )
    if settings.testnet and settings.live_trading:
        raise FixConfiguration(
            f"venue.live_trading is {settings.live_trading} while venue.testnet is true: set testnet to false to "
            "trade real money, or leave live_trading empty"
        )
    if not settings.testnet and settings.live_trading != ACCEPTANCE:
        raise FixConfiguration(
            f"venue.testnet is false and venue.live_trading is {settings.live_trading!r}: real orders need "
            f"live_trading: {ACCEPTANCE}; set testnet to true to trade test money"
        )
    spot = settings.kind == "binance_spot"
    rest, stream = ("base_url", "websocket_url") if spot else ("futures_base_url", "futures_websocket_url")
    return Addresses(_address(settings, rest), _address(settings, stream), _address(settings, "base_url"))


def require_same_market(settings: VenueSettings, source: str) -> None:
    """Require that decisions are made on the market, and by the clock, that the orders go to.

    Parameters
    ----------
    source
        ``market_data.source``.

    Raises
    ------
    FixConfiguration
        If market data comes from files, or from the sandbox while orders go elsewhere.
    """
    host = urlsplit(addresses(settings).rest_url).hostname
    if source == "files" or (source == "sandbox" and host not in _LOOPBACK):
        raise FixConfiguration(
            f"market_data.source is {source} and venue.kind is {settings.kind} at {host}: orders would be decided "
            "on another market; set market_data.source to binance or archive, or venue.kind to paper"
        )


def _address(settings: VenueSettings, name: str) -> str:
    defaults = _TEST if settings.testnet else _REAL
    url = getattr(settings.binance, name) or defaults[name]
    parts = urlsplit(url)
    host = parts.hostname or ""
    where = f"venue.binance.{name} {url!r}"
    if settings.testnet:
        if host not in _LOOPBACK and not _is_test(host):
            raise FixConfiguration(
                f"{where}: venue.testnet is true and this is no test exchange; leave it empty, or set testnet "
                "to false"
            )
        if parts.scheme not in _SECURE and host not in _LOOPBACK:
            raise FixConfiguration(f"{where}: a key may only travel over https or wss")
    elif parts.scheme not in _SECURE or _is_test(host) or not host.endswith(".binance.com"):
        raise FixConfiguration(
            f"{where}: venue.testnet is false and this is not Binance over https or wss; leave it empty, or set "
            "testnet to true"
        )
    return url.rstrip("/")


def _is_test(host: str) -> bool:
    return host.startswith("demo-") or any(
        host == domain or host.endswith(f".{domain}") for domain in _TEST_DOMAINS
    )
