"""What may still be sent: request weight by address and orders by account, counted by all processes together."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import httpx

from resources.market_data.budget import Book, Quota, WeightBudget
from resources.market_data.spending import FileBook, MemoryBook
from resources.market_data.surroundings import Surroundings
from resources.venues.binance.settings import BinanceVenueSettings
from trading.errors import RetryLater
from trading.model.series import Market

#: Market data keeps to four fifths of the limit; what is left is for the account's requests.
_READ_FRACTION = 0.9
_COMMAND_FRACTION = 0.98
_WEIGHT_HEADER = "X-MBX-USED-WEIGHT-1M"
_ORDERS_HEADER = "X-MBX-ORDER-COUNT-"


class Budgets:
    """The budgets of one API and account. Weights are counted in the book that market data counts in too.

    Parameters
    ----------
    host
        Network location of the API.
    account
        Name of the account, for the count of orders.
    """

    def __init__(
        self,
        host: str,
        market: Market,
        account: str,
        settings: BinanceVenueSettings,
        surroundings: Surroundings,
    ) -> None:
        self._settings = settings
        self._surroundings = surroundings
        spot = market is Market.SPOT
        weight = settings.weight_limit if spot else settings.futures_weight_limit
        name = f"{host} {market}"
        book = self._book(name)
        self._reads = self._budget(Quota(name, weight, _READ_FRACTION), book, surroundings.sleep)
        self._commands = self._budget(Quota(name, weight, _COMMAND_FRACTION), book, self._briefly)
        self._orders = {
            interval: self._budget(
                Quota(f"{name} orders {interval} of {account}", limit, 1.0, seconds),
                self._book(f"{name} orders {interval} of {account}"),
                self._briefly,
            )
            for interval, seconds, limit in _order_limits(settings, spot=spot)
        }

    def before_read(self, weight: int) -> None:
        """Wait until a read may be sent. Raises `RetryLater` if the venue asked for too long a pause."""
        self._reads.acquire(weight)

    def before_command(self, weight: int, *, orders: int = 0) -> None:
        """Wait briefly until a command may be sent.

        Raises
        ------
        RetryLater
            If that would take longer than a decision keeps; nothing was sent.
        """
        self._commands.acquire(weight)
        for budget in self._orders.values():
            if orders:
                budget.acquire(orders)

    def pause(self, duration_seconds: float) -> None:
        """Let nobody ask this API for a while."""
        self._reads.pause(duration_seconds)

    def report(self, headers: Mapping[str, str]) -> None:
        """Take over the venue's own counts of an answer."""
        used = headers.get(_WEIGHT_HEADER, "")
        if used.isdigit():
            self._reads.report(int(used))
        for interval, budget in self._orders.items():
            count = headers.get(f"{_ORDERS_HEADER}{interval}", "")
            if count.isdigit():
                budget.report(int(count))

    def _book(self, name: str) -> Book:
        file = self._settings.weight_file
        return FileBook(Path(file), name) if file else MemoryBook()

    def _budget(self, quota: Quota, book: Book, sleep: Callable[[float], None]) -> WeightBudget:
        # Only the time of day means the same to every process.
        shared = bool(self._settings.weight_file)
        seconds = self._surroundings.wall_seconds if shared else self._surroundings.seconds
        return WeightBudget(quota, book, seconds, sleep)

    def _briefly(self, duration_seconds: float) -> None:
        longest = self._settings.longest_wait_seconds
        if duration_seconds > longest:
            raise RetryLater(
                f"the budget of requests is spent for {duration_seconds:.1f} s, and an order waits at most "
                f"{longest} s; nothing was sent",
                duration_seconds,
            )
        self._surroundings.sleep(duration_seconds)


def _order_limits(settings: BinanceVenueSettings, *, spot: bool) -> tuple[tuple[str, int, int], ...]:
    """Interval as the header names it, its seconds and its limit."""
    if spot:
        return (("10S", 10, settings.orders_per_10_seconds),)
    return (
        ("10S", 10, settings.futures_orders_per_10_seconds),
        ("1M", 60, settings.futures_orders_per_minute),
    )


def host_of(base_url: str) -> str:
    """Network location by which an API's budgets are shared."""
    return httpx.URL(base_url).netloc.decode()
