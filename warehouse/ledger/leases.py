"""The right to send for an account: one holder at a time, with a token that fences off earlier holders.

Every acquisition raises the token. What a holder commits names its token, and the ledger refuses one that
is not the newest: a sender that slept through its lease can no longer write anything.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from trading.errors import RetryLater
from warehouse.ledger.backend import Transaction


@dataclass(frozen=True, slots=True)
class Lease:
    """An account's lease as it was granted."""

    account: str
    holder: str
    token: int
    expires_at_ms: int


def acquire(
    tx: Transaction, account: str, holder: str, now_ms: int, ttl_ms: int, *, dead: Collection[str] = ()
) -> Lease:
    """Take the lease of an account when it is free, has run out, or its holder is known to be dead.

    A lease with more time left than any is granted comes from a clock that was ahead, and is taken over as
    well: it might last for hours. That is safe at any time, since the token fences the former holder off.

    Parameters
    ----------
    holder
        Who asks; never used twice, so that a restarted process is another holder.
    dead
        Holders that are proven dead: their leases need not run out.

    Raises
    ------
    RetryLater
        If somebody else holds it; says who, and for how long.
    """
    found = current(tx, account)
    left_ms = 0 if found is None or found.holder in dead else found.expires_at_ms - now_ms
    if found is not None and 0 < left_ms <= ttl_ms:
        raise RetryLater(
            f"account {account} is being worked by {found.holder} for another {left_ms} ms: "
            "only one sender at a time",
            left_ms / 1000,
        )
    granted = Lease(account, holder, 1 if found is None else found.token + 1, now_ms + ttl_ms)
    tx.execute(
        "insert into leases (account, holder, token, acquired_at_ms, expires_at_ms)"
        " values (:account, :holder, :token, :now_ms, :expires_at_ms)"
        " on conflict (account) do update set holder = excluded.holder, token = excluded.token,"
        " acquired_at_ms = excluded.acquired_at_ms, expires_at_ms = excluded.expires_at_ms",
        {
            "account": account,
            "holder": holder,
            "token": granted.token,
            "now_ms": now_ms,
            "expires_at_ms": granted.expires_at_ms,
        },
    )
    return granted


def renew(tx: Transaction, lease: Lease, now_ms: int, ttl_ms: int) -> Lease:
    """Fence this transaction, and hold on for longer: it commits only while the token is the newest.

    A lease that ran out but that nobody has taken since is still the newest: nobody else can have sent.

    Raises
    ------
    RetryLater
        If somebody has taken the lease over: everything in the transaction rolls back.
    """
    renewed = replace(lease, expires_at_ms=now_ms + ttl_ms)
    # A write, not a read: on Postgres it also holds the row until the commit.
    held = tx.execute(
        "update leases set expires_at_ms = :until where account = :account and token = :token and holder = :holder",
        {
            "until": renewed.expires_at_ms,
            "account": lease.account,
            "token": lease.token,
            "holder": lease.holder,
        },
    )
    if held != 1:
        raise RetryLater(
            f"the lease of account {lease.account} with token {lease.token} is stale: another sender has taken "
            "over; nothing of this was committed"
        )
    return renewed


def release(tx: Transaction, lease: Lease) -> None:
    """Give the lease up; one that somebody else has taken meanwhile stays as it is."""
    tx.execute(
        "update leases set expires_at_ms = 0 where account = :account and token = :token",
        {"account": lease.account, "token": lease.token},
    )


def current(tx: Transaction, account: str) -> Lease | None:
    """The newest lease of an account, run out or not; None when there never was one."""
    rows = tx.query(
        "select account, holder, token, expires_at_ms from leases where account = :account",
        {"account": account},
    )
    return Lease(**rows[0]) if rows else None
