"""Leases: one sender at a time, and whoever lost its turn commits nothing."""

from __future__ import annotations

import pytest
from ledger_samples import T0

from trading.errors import RetryLater
from warehouse.ledger import controls, leases
from warehouse.ledger.backend import Ledger
from warehouse.ledger.leases import Lease

TTL = 15_000


def take(ledger: Ledger, holder: str, now_ms: int, *dead: str) -> Lease:
    with ledger.transaction() as tx:
        return leases.acquire(tx, "paper/main", holder, now_ms, TTL, dead=dead)


def test_one_holder_at_a_time_with_a_rising_token(ledger: Ledger) -> None:
    first = take(ledger, "a", T0)
    assert first == Lease("paper/main", "a", 1, T0 + TTL)
    with pytest.raises(RetryLater, match="worked by a for another 15000 ms") as held:
        take(ledger, "b", T0)
    assert held.value.retry_after_seconds == 15
    with pytest.raises(RetryLater):
        take(ledger, "a", T0 + TTL - 1)
    assert take(ledger, "b", T0 + TTL).token == 2
    assert take(ledger, "c", T0 + TTL + 1, "b").token == 3, (
        "a holder that is proven dead need not be waited for"
    )
    with ledger.transaction() as tx:
        assert leases.acquire(tx, "paper/other", "a", T0, TTL).token == 1
        assert leases.current(tx, "paper/main") == Lease("paper/main", "c", 3, T0 + 2 * TTL + 1)
        assert leases.current(tx, "nobody") is None


def test_a_stale_token_rolls_everything_back(ledger: Ledger) -> None:
    old = take(ledger, "a", T0)
    new = take(ledger, "b", T0 + TTL)
    for stale in (old, Lease("paper/main", "a", new.token, 0), Lease("nobody", "a", 1, 0)):
        with pytest.raises(RetryLater, match="is stale"), ledger.transaction() as tx:
            controls.halt(tx, "by the stale one", "a", T0)
            leases.renew(tx, stale, T0, TTL)
    with ledger.transaction() as tx:
        assert not controls.current(tx).halted
        assert leases.renew(tx, new, T0 + 5, TTL).expires_at_ms == T0 + 5 + TTL


def test_a_lease_that_ran_out_untaken_is_still_good(ledger: Ledger) -> None:
    lease = take(ledger, "a", T0)
    with ledger.transaction() as tx:
        assert leases.renew(tx, lease, T0 + 10 * TTL, TTL).token == 1


def test_a_clock_that_was_ahead_blocks_nobody(ledger: Ledger) -> None:
    ahead = take(ledger, "a", T0 + 3_600_000)
    assert take(ledger, "b", T0).token == ahead.token + 1
    with pytest.raises(RetryLater), ledger.transaction() as tx:
        leases.renew(tx, ahead, T0, TTL)


def test_a_released_lease_is_free_and_a_lost_one_is_not_ours_to_release(ledger: Ledger) -> None:
    first = take(ledger, "a", T0)
    with ledger.transaction() as tx:
        leases.release(tx, first)
    second = take(ledger, "b", T0 + 1)
    with ledger.transaction() as tx:
        leases.release(tx, first)
        assert leases.current(tx, "paper/main") == second
