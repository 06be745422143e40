"""Steps of a protected desk in processes of their own, each of which may be told at which commit or call to die.

Started once, this program imports everything and then forks one process per line of its input. A line is JSON:
``url`` of the ledger, ``rows`` of the market (see `protected_desk.Minutes`), ``steps`` to take, and ``die_at``: the
number of the moment at which the process kills itself, counted from 1; 0 lets it end. The answer is its exit
status: 0 when it ended, minus the signal when it was killed.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from protected_desk import Desk, Minutes

from trading.model.decision import Action
from trading.model.order import Order
from trading.ports import OrderReport, Venue
from warehouse.ledger import orders
from warehouse.ledger.backend import Ledger, Transaction, open_ledger


class Moments:
    """Counts what a crash may come between, and crashes at one of them."""

    def __init__(self, die_at: int) -> None:
        self.left = die_at

    def passed(self) -> None:
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class Watched:
    """A ledger and a venue whose commits and calls are moments, before and after."""

    absence_proven_after_ms = 0

    def __init__(self, ledger: Ledger, venue: Venue | None, moments: Moments) -> None:
        self.ledger, self.venue, self.moments = ledger, venue, moments
        self.name = "paper"

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.ledger.transaction() as tx:
            yield tx
            self.moments.passed()
        self.moments.passed()

    @contextmanager
    def read(self) -> Iterator[Transaction]:
        with self.ledger.read() as tx:
            yield tx

    def submit(self, order: Order) -> OrderReport:
        return self._called(lambda venue: venue.submit(order))

    def cancel(self, client_order_id: str) -> OrderReport:
        return self._called(lambda venue: venue.cancel(client_order_id))

    def lookup(self, client_order_id: str) -> OrderReport | None:
        assert self.venue is not None
        return self.venue.lookup(client_order_id)

    def _called(self, call: Callable[[Venue], OrderReport]) -> OrderReport:
        assert self.venue is not None
        answer = call(self.venue)
        self.moments.passed()
        return answer


def run(line: dict[str, Any]) -> None:
    ledger = open_ledger(line["url"])
    market = Minutes([tuple(row) for row in line["rows"]], minute=line["rows"][-1][0] + 1.0)
    plain = Desk(ledger, market)
    moments = Moments(line["die_at"])
    watched = Watched(ledger, plain.venue, moments)
    desk = Desk(watched, market, watched)
    for step in line["steps"]:
        if step == "exit":
            with ledger.read() as tx:
                known = orders.by_id(tx, "tm-exit") is not None
            if not known:
                desk.intend("exit", Action.EXIT, Decimal(10))
            desk.send("exit")
        elif step == "entry":
            desk.intend("entry", Action.ENTER, Decimal(10), stop_price=90.0, take_profit_price=120.0)
            desk.send("entry")
        else:
            getattr(desk, step)()


def forked(line: dict[str, Any]) -> int:
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    code = 1
    try:
        run(line)
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(code)


if __name__ == "__main__":
    for text in sys.stdin:
        print(forked(json.loads(text)), flush=True)
