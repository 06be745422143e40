"""Settings of the sandbox exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le

from apps.sandbox.trading.settings import TradingSettings
from trading.simulation.settings import MarketSettings


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """The exchange's time.

    Attributes
    ----------
    start
        Moment that the clock shows at the start (ISO 8601, UTC without offset). Empty: the system's
        time for a simulation, the end of the files for a replay.
    speed
        Sandbox seconds per real second; 0 stands still. A replay without ``start`` stands still.
    """

    start: str = ""
    speed: Annotated[float, Ge(0)] = 1.0


@dataclass(frozen=True, slots=True)
class ArchiveFault:
    """One fault of the archive, for rehearsals and tests.

    Attributes
    ----------
    kind
        ``bad_checksum``: the CHECKSUM file names another hash. ``truncated``: the zip ends half-way.
        ``missing_minutes``: the file lacks minutes that REST has. ``corrected``: from ``after`` on the
        file has other values. ``provisional``: REST has other values until the archive is published.
    files
        Which files, as a pattern of their path: ``data/spot/daily/klines/BTCUSDT/*-2025-01-02.zip``.
        The last three kinds change a day's klines: they look at the path of its daily file, and the
        monthly file follows.
    share
        Part of those files that the fault hits, chosen by the seed.
    times
        How often a file is served with a bad checksum or cut short before it is good; 0 always.
    minutes
        How many minutes are missing or changed, one after the other.
    after
        Sandbox time of a correction (ISO 8601, UTC without offset).
    """

    kind: Literal["bad_checksum", "truncated", "missing_minutes", "corrected", "provisional"]
    files: str = "*"
    share: Annotated[float, Ge(0), Le(1)] = 1.0
    times: Annotated[int, Ge(0)] = 0
    minutes: Annotated[int, Gt(0), Le(1440)] = 3
    after: str = ""


@dataclass(frozen=True, slots=True)
class FaultSettings:
    """Which requests go wrong, counted over the API requests; 0 never. For rehearsals and tests.

    Attributes
    ----------
    rate_limit_every, server_error_every, timeout_every
        Every n-th REST request answers 429, answers 503, or first hangs for ``timeout_seconds``.
    timeout_seconds
        How long a hanging request hangs.
    corrupt_zip_every
        Every n-th archive file is damaged (its checksum is of the good file).
    retry_after_seconds
        What a 429 asks for.
    archive
        Faults of archive files and of what REST says before them.
    seed
        Chooses the files and minutes that archive faults hit.
    """

    rate_limit_every: Annotated[int, Ge(0)] = 0
    server_error_every: Annotated[int, Ge(0)] = 0
    timeout_every: Annotated[int, Ge(0)] = 0
    timeout_seconds: Annotated[float, Gt(0)] = 5.0
    corrupt_zip_every: Annotated[int, Ge(0)] = 0
    retry_after_seconds: Annotated[int, Ge(0)] = 1
    archive: tuple[ArchiveFault, ...] = ()
    seed: Annotated[int, Ge(0)] = 0


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """A sandbox exchange: spot, USDT-margined futures, their archive, and a second venue's candles.

    A replay has the spot market only.

    Attributes
    ----------
    backing
        ``simulation``, or ``replay`` of a folder of Parquet klines.
    replay_folder
        Folder searched for ``*.parquet`` with one-minute klines.
    weight_limit
        Request weight allowed per minute; 0 never limits, though weights are still reported.
    futures_weight_limit
        The same for the futures API, which counts for itself. Binance's own is 2,400.
    archive_delay_minutes
        How long after its end a day or month appears in the archive.
    odd_symbols
        Also trade pairs that a universe must leave out: USDCUSDT, EURUSDT, WBTCUSDT, BTCUPUSDT, the
        coin WAVESUSDT, which is delisted one day, and SRMUSDT, which no longer trades.
    trading
        Paper accounts for signed requests: spot, and futures where the backing has them.
    """

    backing: Literal["simulation", "replay"] = "simulation"
    market: MarketSettings = field(default_factory=MarketSettings)
    replay_folder: str = ""
    clock: ClockSettings = field(default_factory=ClockSettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    weight_limit: Annotated[int, Ge(0)] = 0
    futures_weight_limit: Annotated[int, Ge(0)] = 0
    archive_delay_minutes: Annotated[int, Ge(0)] = 0
    odd_symbols: bool = False
    trading: TradingSettings = field(default_factory=TradingSettings)
