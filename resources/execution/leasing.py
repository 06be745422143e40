"""Working on an account: the lease is taken, every commit is fenced by it, and it is given back."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from resources.clock import SystemClock
from trading.errors import TradingError
from trading.ports import Clock
from warehouse.ledger import leases
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.leases import Lease

#: How long a lease lasts that nobody renews. A venue's calls must time out well within it.
LEASE_MS = 15_000


class AccountHold:
    """The right to send for one account, as long as nobody takes it over.

    Every transaction of the sender goes through `transaction`, so that a sender which lost its lease
    commits nothing more.
    """

    def __init__(self, ledger: Ledger, lease: Lease, clock: Clock) -> None:
        self._ledger, self._lease, self._clock = ledger, lease, clock

    @property
    def ledger(self) -> Ledger:
        """Where facts of the venue are booked: they need no lease."""
        return self._ledger

    @property
    def lease(self) -> Lease:
        """The lease as last renewed."""
        return self._lease

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        """Open a write transaction that commits only while the lease is ours, and renews it.

        Raises
        ------
        RetryLater
            If another sender has taken over; nothing was committed.
        """
        with self._ledger.transaction() as tx:
            yield tx
            renewed = leases.renew(tx, self._lease, self._clock.now_ms(), LEASE_MS)
        self._lease = renewed


@contextmanager
def account_hold(
    ledger: Ledger,
    account: str,
    *,
    clock: Clock | None = None,
    holder: str = "",
    is_dead: Callable[[str], bool] | None = None,
) -> Iterator[AccountHold]:
    """Hold an account's lease for the length of a block.

    Parameters
    ----------
    account
        ``venue/account``.
    clock
        For the lease's term; by default the machine's.
    holder, is_dead
        Who holds it, and how to tell that a former holder is dead; by default this process, and
        `holder_is_dead`.

    Raises
    ------
    RetryLater
        If another live sender holds it.
    """
    clock = clock or SystemClock()
    dead = is_dead or holder_is_dead
    with ledger.transaction() as tx:
        former = leases.current(tx, account)
        gone = {former.holder} if former is not None and dead(former.holder) else set()
        lease = leases.acquire(tx, account, holder or this_holder(), clock.now_ms(), LEASE_MS, dead=gone)
    hold = AccountHold(ledger, lease, clock)
    try:
        yield hold
    finally:
        with suppress(TradingError), ledger.transaction() as tx:  # else it runs out
            leases.release(tx, hold.lease)


def this_holder() -> str:
    """A name for a holder in this process that is never used again, and tells when the process is dead."""
    return f"{_machine()}:{os.getpid()}:{_started(os.getpid())}:{secrets.token_hex(4)}"


def holder_is_dead(holder: str) -> bool:
    """Whether a holder's process is proven dead: it ran in this process namespace and is there no more.

    False for holders on other machines, in other containers, or before a restart of the machine: their
    leases must run out.
    """
    parts = holder.split(":")
    if len(parts) != 4 or not parts[0] or parts[0] != _machine() or not parts[1].isdigit() or not parts[2]:
        return False
    return _started(int(parts[1])) != parts[2]


def _machine() -> str:
    """Name of this boot of the machine and the process namespace; empty where the system does not tell."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot}/{os.readlink('/proc/self/ns/pid')}".replace(":", "")
    except OSError:
        return ""


def _started(pid: int) -> str:
    """When a live process started, in ticks since boot; empty when there is none."""
    try:
        # The name in parentheses may hold anything, spaces and parentheses included.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in {"Z", "X"} else fields[19]
