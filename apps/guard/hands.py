"""Carrying out a plan at the venue: several calls at a time, and no failure hides the others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from trading.errors import TradingError
from trading.guard.policy import Account, Action, Cancel, Protect, Reduce
from trading.guard.reach import Reach


@dataclass(frozen=True, slots=True)
class Outcome:
    """An action and what came of it; ``error`` is None when the venue took it."""

    action: Action
    error: Exception | None = None


class Hands:
    """The guard's hands at one account.

    Parameters
    ----------
    parallel_calls
        Most calls at a time.
    """

    def __init__(self, reach: Reach, parallel_calls: int) -> None:
        self._reach = reach
        self._pool = ThreadPoolExecutor(parallel_calls, thread_name_prefix="guard")

    def account(self) -> tuple[Account, TradingError | None]:
        """What the venue shows now; positions that cannot be read are None, and why comes with them.

        Raises
        ------
        TradingError
            If the orders cannot be read.
        """
        derivatives = self._reach.derivatives
        asked = self._pool.submit(self._reach.positions)
        orders = tuple(self._reach.open_orders())
        try:
            return Account(orders, tuple(asked.result()), derivatives=derivatives), None
        except TradingError as error:
            return Account(orders, None, derivatives=derivatives), error

    def carry_out(self, actions: Sequence[Action], before_stops: Callable[[], None]) -> list[Outcome]:
        """Do everything, entries first.

        Parameters
        ----------
        before_stops
            Called once the cancels are through and before the first stop goes out.
        """
        cancels = [action for action in actions if isinstance(action, Cancel)]
        others = [action for action in actions if not isinstance(action, Cancel)]
        done = list(self._pool.map(self._attempt, cancels))
        if others:
            before_stops()
            done += self._pool.map(self._attempt, others)
        return done

    def close(self) -> None:
        """Let the threads end."""
        self._pool.shutdown(wait=False, cancel_futures=True)

    def _attempt(self, action: Action) -> Outcome:
        try:
            self._do(action)
        # Whatever it is, a defect of an adapter included: the other actions must still be tried.
        except Exception as error:
            return Outcome(action, error)
        return Outcome(action)

    def _do(self, action: Action) -> None:
        match action:
            case Cancel(order):
                self._reach.cancel_order(order)
            case Protect(holding, side, quantity, price, key):
                self._reach.protect(holding.symbol, side, quantity, price, key)
            case Reduce(holding, side, quantity, key):
                self._reach.reduce(holding.symbol, side, quantity, key)
