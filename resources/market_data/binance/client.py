"""The only part that talks to Binance: reads, repeated with care."""

from __future__ import annotations

import random
import time
import weakref
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import httpx

from resources.market_data.binance import errors
from resources.market_data.binance.limits import WeightBudget
from resources.market_data.settings import BinanceSettings
from trading.errors import RetryLater


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance, so that tests can replace them."""

    seconds: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    chance: Callable[[], float] = random.random


class BinanceClient:
    """Public REST reads with weight budget, bounded retries and backoff; safe to share by threads."""

    def __init__(self, settings: BinanceSettings, surroundings: Surroundings | None = None) -> None:
        self.settings = settings
        self._surroundings = surroundings or Surroundings()
        self.budget = WeightBudget(
            settings.weight_limit,
            settings.weight_fraction,
            self._surroundings.seconds,
            self._surroundings.sleep,
        )
        self._http = httpx.Client(
            base_url=settings.base_url,
            timeout=settings.timeout_seconds,
            limits=httpx.Limits(
                max_connections=settings.concurrency, max_keepalive_connections=settings.concurrency
            ),
            trust_env=not settings.base_url.startswith("http://127.0.0.1"),
        )

        # Whoever drops the client without closing it leaves no open socket behind.
        weakref.finalize(self, self._http.close)

    def get(self, path: str, parameters: Mapping[str, str | int], *, weight: int) -> httpx.Response:
        """Read, and read again after failures that may pass.

        Raises
        ------
        RetryLater
            After the last attempt, or when the venue asks for a longer pause than we wait.
        FixConfiguration
            If the venue refuses the request itself.
        """
        last: RetryLater | None = None
        for attempt in range(self.settings.attempts):
            if attempt:
                self._pause(attempt, last)
            self.budget.acquire(weight)
            try:
                response = self._http.get(path, params=dict(parameters))
            except httpx.TransportError as error:
                last = RetryLater(f"{self.settings.base_url}{path} did not answer: {error!r}")
                continue
            used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
            if used.isdigit():
                self.budget.report(int(used))
            if response.is_success:
                return response
            failed = errors.failure(response)
            if not isinstance(failed, RetryLater):
                raise failed
            last = failed
        raise last or RetryLater(f"{path} was never tried")

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _pause(self, attempt: int, last: RetryLater | None) -> None:
        asked = last.retry_after_seconds if last else None
        if last is not None and asked is not None:
            if asked > self.settings.longest_pause_seconds:
                raise last
            # The limit is the account's: every thread holds its breath.
            self.budget.pause(asked)
            return
        backoff = min(
            self.settings.backoff_seconds * 2.0 ** (attempt - 1), self.settings.backoff_limit_seconds
        )
        self._surroundings.sleep(backoff * (0.5 + 0.5 * self._surroundings.chance()))
