"""Seals of trials in the audit chain, on both backends."""

from __future__ import annotations

from datetime import date

from trading.factory.trials.chain import NOTHING, Segment
from warehouse.ledger import audit, trial_seals
from warehouse.ledger.backend import Ledger


def test_seals_come_back_in_order_and_belong_to_the_audit_chain(ledger: Ledger) -> None:
    first = Segment(1, date(2026, 1, 2), 500, NOTHING.head, "a" * 64)
    second = Segment(2, date(2026, 1, 1), 1, first.head, "b" * 64)
    with ledger.transaction() as tx:
        assert trial_seals.last(tx) == NOTHING
        trial_seals.seal(tx, first, 1)
        audit.append(tx, "halt", "all", {}, 2)
        trial_seals.seal(tx, second, 3)
    with ledger.read() as tx:
        assert trial_seals.segments(tx) == [first, second]
        assert trial_seals.last(tx) == second
    assert audit.verify(ledger).intact
    with ledger.transaction() as tx:
        tx.execute("delete from audit where subject = 'trials/1'")
    assert not audit.verify(ledger).intact
