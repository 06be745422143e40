"""The only part that talks to Coinbase: public reads, within what it allows."""

from __future__ import annotations

import httpx

from resources.market_data.budget import Quota, WeightBudget
from resources.market_data.reader import HttpReader, refused
from resources.market_data.settings import CoinbaseSettings
from resources.market_data.spending import MemoryBook
from resources.market_data.surroundings import Patience, Surroundings
from trading.errors import FixConfiguration, TradingError

#: Candles that one answer holds at most.
LARGEST_PAGE = 350


class CoinbaseClient:
    """Public market data of the Advanced Trade API; safe to share by threads."""

    def __init__(self, settings: CoinbaseSettings, surroundings: Surroundings | None = None) -> None:
        surroundings = surroundings or Surroundings()
        quota = Quota("coinbase", settings.requests_per_second, fraction=1.0, window_seconds=1)
        self._budget = WeightBudget(quota, MemoryBook(), surroundings.seconds, surroundings.sleep)
        self._reader = HttpReader(
            settings.base_url,
            timeout_seconds=settings.timeout_seconds,
            concurrency=settings.concurrency,
            patience=Patience(settings.attempts, settings.backoff_seconds, settings.backoff_limit_seconds),
            surroundings=surroundings,
            failure=_failure,
        )

    def minute_candles(self, product: str, first_seconds: int, last_seconds: int) -> bytes:
        """Candles that start from first to last (epoch seconds), newest first, as JSON."""
        return self._reader.get(
            f"/api/v3/brokerage/market/products/{product}/candles",
            {
                "start": first_seconds,
                "end": last_seconds,
                "granularity": "ONE_MINUTE",
                "limit": LARGEST_PAGE,
            },
            allowance=self._budget,
        ).content

    def close(self) -> None:
        """Close the connections."""
        self._reader.close()


def _failure(response: httpx.Response) -> TradingError:
    if response.status_code == httpx.codes.NOT_FOUND:
        return FixConfiguration(
            f"{response.request.url} answered 404: no such product; correct market_data.coinbase.products"
        )
    return refused(response, "market_data.coinbase")
