"""Settings of the market data sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from apps.sandbox.settings import SandboxSettings


@dataclass(frozen=True, slots=True)
class BinanceSettings:
    """Binance's public REST market data, spot and USDT-margined futures.

    Attributes
    ----------
    base_url, futures_base_url
        Addresses of the two APIs. ``https://data-api.binance.vision`` serves spot market data only.
    timeout_seconds
        Longest wait for one answer.
    attempts
        How often one request is tried before giving up.
    backoff_seconds, backoff_limit_seconds
        First pause after a failure, doubled up to the limit, then scattered downwards by half.
    longest_pause_seconds
        A longer ``Retry-After`` is not waited for: the call ends with ``RetryLater``.
    concurrency
        Requests in flight at once.
    weight_limit, futures_weight_limit, weight_fraction
        Request weight per minute that each API allows (until it states its own limit), and the
        share of it that may be used.
    weight_file
        File in which all processes count their request weight together; empty is
        ``var/binance_weights.json`` of the home.
    discover_listings
        Ask for each spot instrument's first kline in `instruments`, at two weights each: Binance
        does not tell when a pair was listed.
    """

    base_url: str = "https://api.binance.com"
    futures_base_url: str = "https://fapi.binance.com"
    timeout_seconds: Annotated[float, Gt(0)] = 10.0
    attempts: Annotated[int, Ge(1), Le(20)] = 5
    backoff_seconds: Annotated[float, Ge(0)] = 0.5
    backoff_limit_seconds: Annotated[float, Ge(0)] = 15.0
    longest_pause_seconds: Annotated[float, Ge(0)] = 90.0
    concurrency: Annotated[int, Ge(1), Le(64)] = 8
    weight_limit: Annotated[int, Gt(0)] = 6_000
    futures_weight_limit: Annotated[int, Gt(0)] = 2_400
    weight_fraction: Annotated[float, Gt(0), Le(1)] = 0.8
    weight_file: str = ""
    discover_listings: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Daily and monthly archive files; what is not yet published comes from the REST API.

    Attributes
    ----------
    base_url
        Address under which ``data/spot/…`` and ``data/futures/um/…`` lie.
    cache_folder
        Where verified zips are kept; empty keeps none beyond the process. A kept file is not asked
        for again: empty the folder to see files that the venue has corrected since.
    timeout_seconds
        Longest silence of the server within one file.
    attempts
        How often one file is tried before giving up; each try goes on where the last one ended.
    backoff_seconds, backoff_limit_seconds
        First pause after a failure, doubled up to the limit, then scattered downwards by half.
    concurrency
        Files in flight at once.
    parsed_megabytes
        Memory for months that have been parsed: about 3.5 a symbol and month of klines.
    """

    base_url: str = "https://data.binance.vision"
    cache_folder: str = ""
    timeout_seconds: Annotated[float, Gt(0)] = 30.0
    attempts: Annotated[int, Ge(1), Le(20)] = 5
    backoff_seconds: Annotated[float, Ge(0)] = 0.5
    backoff_limit_seconds: Annotated[float, Ge(0)] = 15.0
    concurrency: Annotated[int, Ge(1), Le(64)] = 8
    parsed_megabytes: Annotated[int, Ge(0)] = 1_024


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """A folder of one-minute spot klines, Parquet or CSV.

    Attributes
    ----------
    folder
        Searched for ``*.parquet``, ``*.csv`` and ``*.csv.gz``. CSV files have named columns, or the
        twelve of Binance's archive without a header; the file name then starts with the symbol.
    """

    folder: str = ""


@dataclass(frozen=True, slots=True)
class SandboxSourceSettings:
    """The sandbox exchange as a source.

    Attributes
    ----------
    base_url
        Address of a running sandbox; empty starts one inside this process.
    archive
        Read closed days from the sandbox's archive files instead of its REST API.
    """

    base_url: str = ""
    archive: bool = False
    exchange: SandboxSettings = field(default_factory=SandboxSettings)


@dataclass(frozen=True, slots=True)
class CoinbaseSettings:
    """Coinbase's public candles, as a second opinion.

    Attributes
    ----------
    base_url
        Address of the API.
    products
        Coinbase's product for each of our symbols; other symbols get no second opinion.
    timeout_seconds, attempts, backoff_seconds, backoff_limit_seconds
        As for Binance.
    concurrency
        Requests in flight at once.
    requests_per_second
        How many requests a second are sent at most; Coinbase allows ten without a key.
    """

    base_url: str = "https://api.coinbase.com"
    products: dict[str, str] = field(default_factory=lambda: {"BTCUSDT": "BTC-USD", "ETHUSDT": "ETH-USD"})
    timeout_seconds: Annotated[float, Gt(0)] = 10.0
    attempts: Annotated[int, Ge(1), Le(20)] = 5
    backoff_seconds: Annotated[float, Ge(0)] = 0.5
    backoff_limit_seconds: Annotated[float, Ge(0)] = 15.0
    concurrency: Annotated[int, Ge(1), Le(16)] = 4
    requests_per_second: Annotated[int, Ge(1)] = 8


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """Which source market data comes from, and the settings of each.

    Attributes
    ----------
    source
        The sandbox exchange, Binance's REST API, its archive (with REST for what the archive does
        not have yet), or a folder of files.
    futures
        Follow the perpetuals of the universe's coins too: their instruments, klines, mark, index and
        premium prices, funding and open interest.
    second_source
        Another venue whose candles of the same minutes are compared with the klines.
    """

    source: Literal["sandbox", "binance", "archive", "files"] = "sandbox"
    futures: bool = False
    second_source: Literal["none", "coinbase"] = "none"
    binance: BinanceSettings = field(default_factory=BinanceSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    files: FilesSettings = field(default_factory=FilesSettings)
    sandbox: SandboxSourceSettings = field(default_factory=SandboxSourceSettings)
    coinbase: CoinbaseSettings = field(default_factory=CoinbaseSettings)
