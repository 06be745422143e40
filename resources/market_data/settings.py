"""Settings of the market data sources."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from apps.sandbox.settings import SandboxSettings


@dataclass(frozen=True, slots=True)
class BinanceSettings:
    """Binance's public REST market data.

    Attributes
    ----------
    base_url
        Address of the API. ``https://data-api.binance.vision`` serves market data only.
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
    weight_limit, weight_fraction
        Request weight per minute that the venue allows (until it states its own limit), and the
        share of it that may be used.
    discover_listings
        Ask for each instrument's first kline in `instruments`, at two weights each: Binance does
        not tell when a pair was listed.
    """

    base_url: str = "https://api.binance.com"
    timeout_seconds: Annotated[float, Gt(0)] = 10.0
    attempts: Annotated[int, Ge(1), Le(20)] = 5
    backoff_seconds: Annotated[float, Ge(0)] = 0.5
    backoff_limit_seconds: Annotated[float, Ge(0)] = 15.0
    longest_pause_seconds: Annotated[float, Ge(0)] = 90.0
    concurrency: Annotated[int, Ge(1), Le(64)] = 8
    weight_limit: Annotated[int, Gt(0)] = 6_000
    weight_fraction: Annotated[float, Gt(0), Le(1)] = 0.8
    discover_listings: bool = False


@dataclass(frozen=True, slots=True)
class ArchiveSettings:
    """Daily archive files; days not yet published come from the REST API.

    Attributes
    ----------
    base_url
        Address under which ``data/spot/daily/klines/…`` lies.
    cache_folder
        Where verified zips are kept; empty keeps none.
    timeout_seconds
        Longest wait for one file.
    concurrency
        Files in flight at once.
    """

    base_url: str = "https://data.binance.vision"
    cache_folder: str = ""
    timeout_seconds: Annotated[float, Gt(0)] = 30.0
    concurrency: Annotated[int, Ge(1), Le(64)] = 8


@dataclass(frozen=True, slots=True)
class FilesSettings:
    """A folder of one-minute klines, Parquet or CSV.

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
    """

    base_url: str = ""
    exchange: SandboxSettings = field(default_factory=SandboxSettings)


@dataclass(frozen=True, slots=True)
class MarketDataSettings:
    """Which source market data comes from, and the settings of each.

    Attributes
    ----------
    source
        The sandbox exchange, Binance's REST API, its archive (with REST for what the archive does
        not have yet), or a folder of files.
    """

    source: Literal["sandbox", "binance", "archive", "files"] = "sandbox"
    binance: BinanceSettings = field(default_factory=BinanceSettings)
    archive: ArchiveSettings = field(default_factory=ArchiveSettings)
    files: FilesSettings = field(default_factory=FilesSettings)
    sandbox: SandboxSourceSettings = field(default_factory=SandboxSourceSettings)
