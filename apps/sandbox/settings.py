"""Settings of the sandbox exchange."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from annotated_types import Ge, Gt

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
    """

    rate_limit_every: Annotated[int, Ge(0)] = 0
    server_error_every: Annotated[int, Ge(0)] = 0
    timeout_every: Annotated[int, Ge(0)] = 0
    timeout_seconds: Annotated[float, Gt(0)] = 5.0
    corrupt_zip_every: Annotated[int, Ge(0)] = 0
    retry_after_seconds: Annotated[int, Ge(0)] = 1


@dataclass(frozen=True, slots=True)
class SandboxSettings:
    """A sandbox exchange.

    Attributes
    ----------
    backing
        ``simulation``, or ``replay`` of a folder of Parquet klines.
    replay_folder
        Folder searched for ``*.parquet`` with one-minute klines.
    weight_limit
        Request weight allowed per minute; 0 never limits, though weights are still reported.
    archive_delay_minutes
        How long after its end a day appears in the archive.
    """

    backing: Literal["simulation", "replay"] = "simulation"
    market: MarketSettings = field(default_factory=MarketSettings)
    replay_folder: str = ""
    clock: ClockSettings = field(default_factory=ClockSettings)
    faults: FaultSettings = field(default_factory=FaultSettings)
    weight_limit: Annotated[int, Ge(0)] = 0
    archive_delay_minutes: Annotated[int, Ge(0)] = 0
