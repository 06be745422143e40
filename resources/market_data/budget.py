"""The weight of requests that a venue allows, spent by all threads, or all processes, together."""

from __future__ import annotations

import math
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from resources.market_data.spending import Spending
from trading.errors import RetryLater


class Book(Protocol):
    """Where the spending is kept; while it is open nobody else sees or changes it."""

    def opened(self) -> AbstractContextManager[Spending]:
        """The spending, kept with its changes when the context ends well."""
        ...


@dataclass(frozen=True, slots=True)
class Quota:
    """What a venue counts, and how much of it a window allows.

    Attributes
    ----------
    name
        What error messages and the shared file call it, such as ``fapi.binance.com``.
    limit, fraction
        Weight that the venue allows in one window, and the share of it that may be used.
    window_seconds
        Length of the window.
    longest_pause_seconds
        Longest pause, asked for by the venue, that a caller waits for.
    """

    name: str
    limit: int
    fraction: float = 0.8
    window_seconds: int = 60
    longest_pause_seconds: float = 90.0


class WeightBudget:
    """Delays requests so that what any window has seen stays under a share of the limit.

    The window slides, so the limit holds wherever the venue begins its own minutes. What the venue
    reports beyond our own count was spent by others at this address, and counts from then on.

    Parameters
    ----------
    seconds, sleep
        The clock that the book is kept in, and how to wait.
    """

    def __init__(
        self, quota: Quota, book: Book, seconds: Callable[[], float], sleep: Callable[[float], None]
    ) -> None:
        self._quota = quota
        self._limit = quota.limit
        self._book = book
        self._seconds = seconds
        self._sleep = sleep

    def set_limit(self, limit: int) -> None:
        """Take over the limit that the venue publishes."""
        self._limit = limit

    def pause(self, duration_seconds: float) -> None:
        """Let everybody who keeps this book wait: the venue asked for it."""
        with self._book.opened() as spending:
            spending.pause(self._seconds(), duration_seconds)

    def acquire(self, weight: int) -> None:
        """Wait until the weight may be spent, then count it.

        Raises
        ------
        RetryLater
            If the venue has asked for a longer pause than we wait for.
        """
        while True:
            with self._book.opened() as spending:
                wait_seconds = self._spend(spending, weight)
            if wait_seconds <= 0.0:
                return
            self._sleep(wait_seconds)

    def report(self, used: int) -> None:
        """Take over the venue's count of its window, where it is higher than ours."""
        with self._book.opened() as spending:
            now = self._seconds()
            spending.forget(now, self._quota.window_seconds)
            others = used - spending.total
            if others > 0:
                spending.add(math.ceil(now), others)

    def _spend(self, spending: Spending, weight: int) -> float:
        """Count the weight and return 0, or return the seconds to wait."""
        now = self._seconds()
        spending.forget(now, self._quota.window_seconds)
        pause_seconds = spending.pause_left(now)
        if pause_seconds > self._quota.longest_pause_seconds:
            raise RetryLater(
                f"{self._quota.name} has asked for a pause, and {pause_seconds:.0f} s of it are left; it "
                "bans who asks on: try again after that",
                pause_seconds,
            )
        if pause_seconds > 0.0:
            return pause_seconds
        allowed = self._limit * self._quota.fraction
        if spending.total and spending.total + weight > allowed:
            return spending.seconds_until(now, allowed - weight, self._quota.window_seconds)
        # A whole second is counted as if spent at its end, so that a window is never overspent.
        spending.add(math.ceil(now), weight)
        return 0.0
