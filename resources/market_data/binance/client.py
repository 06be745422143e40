"""The only part that talks to Binance: reads of one API, within what it allows."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import httpx

from resources.market_data.binance import errors
from resources.market_data.budget import Book, Quota, WeightBudget
from resources.market_data.reader import HttpReader
from resources.market_data.settings import BinanceSettings
from resources.market_data.spending import FileBook, MemoryBook
from resources.market_data.surroundings import Patience, Surroundings
from trading.model.series import Market

#: Requests that futures count apart from the weight, over five minutes: funding, and statistics.
FUNDING = "funding"
STATISTICS = "statistics"
_APART = {FUNDING: 500, STATISTICS: 1_000}
_APART_SECONDS = 300


class BinanceClient:
    """Public REST reads with weight budget, bounded retries and backoff; safe to share by threads.

    Parameters
    ----------
    market
        Which of the two APIs to talk to; each has its own address and limits.
    transport
        Replaces the network, for tests.
    """

    def __init__(
        self,
        settings: BinanceSettings,
        surroundings: Surroundings | None = None,
        *,
        market: Market = Market.SPOT,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        self.settings = settings
        self._surroundings = surroundings or Surroundings()
        spot = market is Market.SPOT
        base_url = settings.base_url if spot else settings.futures_base_url
        self._host = f"{httpx.URL(base_url).netloc.decode()} {market}"
        self.budget = self._budget(
            self._host, settings.weight_limit if spot else settings.futures_weight_limit, 60
        )
        self._apart = {
            name: self._budget(f"{self._host} {name}", limit, _APART_SECONDS)
            for name, limit in _APART.items()
            if not spot
        }
        self._reader = HttpReader(
            base_url,
            timeout_seconds=settings.timeout_seconds,
            concurrency=settings.concurrency,
            patience=Patience(settings.attempts, settings.backoff_seconds, settings.backoff_limit_seconds),
            surroundings=self._surroundings,
            failure=errors.failure,
            transport=transport,
        )

    def get(
        self, path: str, parameters: Mapping[str, str | int], *, weight: int, apart: str | None = None
    ) -> httpx.Response:
        """Read, and read again after failures that may pass.

        Parameters
        ----------
        apart
            `FUNDING` or `STATISTICS` for requests that are counted apart from the weight.

        Raises
        ------
        RetryLater
            After the last attempt, or when the venue asks for a longer pause than we wait.
        FixConfiguration
            If the venue refuses the request itself.
        """
        if apart is not None:
            self._apart[apart].acquire(1)
        response = self._reader.get(path, parameters, allowance=self.budget, weight=weight)
        used = response.headers.get("X-MBX-USED-WEIGHT-1M", "")
        if used.isdigit():
            self.budget.report(int(used))
        return response

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()

    def _budget(self, name: str, limit: int, window_seconds: int) -> WeightBudget:
        settings, surroundings = self.settings, self._surroundings
        shared = bool(settings.weight_file)
        book: Book = FileBook(Path(settings.weight_file), name) if shared else MemoryBook()
        quota = Quota(name, limit, settings.weight_fraction, window_seconds, settings.longest_pause_seconds)
        # Only the time of day means the same to every process.
        seconds = surroundings.wall_seconds if shared else surroundings.seconds
        return WeightBudget(quota, book, seconds, surroundings.sleep)
