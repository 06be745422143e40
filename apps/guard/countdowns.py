"""Keeping the venue's countdowns running in normal times, off the thread that watches the flag."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor

from trading.errors import TradingError
from trading.guard.reach import Reach
from trading.guard.timers import timers

#: A countdown is set anew after this share of its time, so that one lost call does not let it run out.
_RENEW_AFTER = 1 / 3


class Countdowns:
    """The countdowns of one account.

    Parameters
    ----------
    milliseconds
        Length of a countdown; 0 runs none.
    """

    def __init__(self, reach: Reach, milliseconds: int, monotonic: Callable[[], float]) -> None:
        self._reach = reach
        self._milliseconds = milliseconds
        self._monotonic = monotonic
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="countdowns")
        self._work: Future[None] | None = None
        self._due = monotonic()
        self._running: set[str] | None = None

    def renew(self) -> str | None:
        """Set the countdowns anew when it is time, without waiting.

        Returns
        -------
        str or None
            What went wrong the last time (nothing: empty), once it is known; None between.
        """
        if self._milliseconds == 0 or self._monotonic() < self._due:
            return None
        problem = self._finished()
        if self._work is None:
            self._due = self._monotonic() + self._milliseconds * _RENEW_AFTER / 1000
            self._work = self._pool.submit(self._renew)
        return problem

    def stop(self, symbols: set[str]) -> None:
        """Stop every countdown that may run in the symbols, or was ever set by this process.

        Raises
        ------
        TradingError
            If the venue did not take it.
        """
        if self._milliseconds == 0:
            return
        if self._work is not None:
            self._work.exception()
        wanted = sorted(symbols if self._running is None else symbols & self._running)
        if wanted:
            self._reach.count_down(wanted, 0)
            self._running = (self._running or set()) - set(wanted)

    def close(self) -> None:
        """Let the thread end. Countdowns at the venue run out: nobody watches the entries any more."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _finished(self) -> str | None:
        if self._work is None or not self._work.done():
            return None
        error, self._work = self._work.exception(), None
        return "" if error is None else f"countdowns were not renewed: {error!r}"

    def _renew(self) -> None:
        orders = self._reach.open_orders()
        positions = self._reach.positions() if self._reach.derivatives else []
        wanted = timers(orders, positions, self._running, derivatives=self._reach.derivatives)
        if wanted.stop and not self._reach.count_down(wanted.stop, 0):
            self._milliseconds = 0  # the venue has no such timer
            return
        if wanted.run and not self._reach.count_down(wanted.run, self._milliseconds):
            self._milliseconds = 0
            return
        self._running = set(wanted.run)


def quietly(call: Callable[[], None]) -> str:
    """Make a call whose failure is only to be told: its words, or nothing."""
    try:
        call()
    except TradingError as error:
        return str(error)
    return ""
