"""Time and chance, so that tests can replace them, and how long to wait before a read is repeated."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance.

    Attributes
    ----------
    seconds, wall_seconds
        A steady source of seconds, and the time of day (UTC epoch), which processes share.
    sleep, pause
        How to wait in a thread, and in a coroutine.
    chance
        Draws from 0 up to 1.
    """

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random
    wall_seconds: Callable[[], float] = time.time
    pause: Callable[[float], Awaitable[None]] = asyncio.sleep


@dataclass(frozen=True, slots=True)
class Patience:
    """How often a read is tried, and the pauses between: doubled up to a limit, scattered by half."""

    attempts: int
    backoff_seconds: float
    backoff_limit_seconds: float

    def pause_seconds(self, attempt: int, chance: float) -> float:
        """Pause before an attempt, counted from 1 for the first repetition."""
        backoff = min(self.backoff_seconds * 2.0 ** (attempt - 1), self.backoff_limit_seconds)
        return backoff * (0.5 + 0.5 * chance)
