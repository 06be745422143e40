from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import pytest
from ledger_samples import T0, decision, fill, order, verdict

from trading.errors import BadData, HaltTrading
from trading.ledger.accounting import cost_basis, mark
from trading.model.decision import Outcome
from trading.model.interval import DAY_MS
from trading.model.order import OrderState, Side
from warehouse.ledger import alerts, audit, controls, decisions, fills, orders, portfolio, snapshots
from warehouse.ledger.backend import Ledger
from warehouse.ledger.digest import content_digest, table_digests
from warehouse.ledger.snapshots import SnapshotRecord

D = Decimal
S = OrderState


def commit(ledger: Ledger, *given: int, **of: str) -> None:
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        orders.commit_intents(
            tx, [decision(n) for n in given], [verdict(n) for n in given], [order(n, **of) for n in given], T0
        )


def send(ledger: Ledger, client_order_id: str) -> None:
    with ledger.transaction() as tx:
        orders.transition(tx, client_order_id, S.SENDING, "sent", T0)


def test_the_first_snapshot_of_a_tick_wins(ledger: Ledger) -> None:
    first, second = SnapshotRecord("tick-1", "s1", T0, T0 + 1), SnapshotRecord("tick-1", "s2", T0, T0 + 9)
    with ledger.transaction() as tx:
        assert snapshots.load(tx, "tick-1") is None
        assert snapshots.save(tx, first) == first
        assert snapshots.save(tx, second) == first
    with ledger.read() as tx:
        assert snapshots.load(tx, "tick-1") == first
        assert snapshots.newest_bar_close_ms(tx) == T0


def test_decisions_come_back_as_they_were(ledger: Ledger) -> None:
    skipped = replace(decision(2, outcome=Outcome.SKIPPED), quote_amount=D(0))
    given = [decision(1), skipped]
    with ledger.transaction() as tx:
        assert decisions.record(tx, given, T0) == [d.decision_id for d in given]
        assert decisions.record_verdicts(tx, [verdict(1)], T0) == [given[0].decision_id]
    with ledger.read() as tx:
        loaded = decisions.for_tick(tx, "tick-1")
        assert decisions.load(tx, given[0].decision_id) == given[0] == loaded[0]
        assert math.isnan(loaded[1].reference_price)
        assert replace(loaded[1], reference_price=0.0) == replace(skipped, reference_price=0.0)
        assert decisions.verdicts_for_tick(tx, "tick-1") == {given[0].decision_id: verdict(1)}
        assert decisions.verdict(tx, given[1].decision_id) is None
        assert decisions.load(tx, "nobody") is None


def test_ids_are_found_by_unique_prefix(ledger: Ledger) -> None:
    commit(ledger, 0x1A, 0x1B, 0x20)
    with ledger.read() as tx:
        assert decisions.find(tx, "0020") == decisions.load(tx, "0020decision")
        assert orders.find(tx, "tm-0020").client_order_id == "tm-0020order"
        assert decisions.find(tx, "%") is orders.find(tx, "_m-0020") is None
        for find, prefix in ((decisions.find, "001"), (orders.find, "tm-001")):
            with pytest.raises(BadData, match="ambiguous: 2 ids"):
                find(tx, prefix)


def test_the_latest_tick_is_that_of_the_newest_bar(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert decisions.latest_tick(tx) is None
        decisions.record(tx, [replace(decision(1, "new"), bar_close_ms=T0 + 60_000)], T0)
        decisions.record(tx, [decision(2, "old")], T0 + 5)
        assert decisions.latest_tick(tx) == "new"


def test_intents_commit_together_or_not_at_all(ledger: Ledger) -> None:
    before = content_digest(ledger)
    with pytest.raises(BadData, match=r"tm-0002order: quantity .* 18 decimals"), ledger.transaction() as tx:
        orders.commit_intents(
            tx, [decision(1)], [verdict(1)], [order(1), replace(order(2), quantity=D("1e-19"))], T0
        )
    with pytest.raises(BadData, match="tm-0001order is open"), ledger.transaction() as tx:
        orders.commit_intents(tx, [decision(1)], [], [replace(order(1), state=S.OPEN)], T0)
    assert content_digest(ledger) == before


def test_committing_a_tick_again_changes_nothing(ledger: Ledger) -> None:
    commit(ledger, 1, 2)
    before = table_digests(ledger)
    with ledger.transaction() as tx:
        again = orders.commit_intents(
            tx, [decision(1), decision(2)], [verdict(1), verdict(2)], [order(1), order(2)], T0 + 999
        )
        assert again == []
    assert table_digests(ledger) == before
    send(ledger, "tm-0001order")
    with ledger.transaction() as tx:
        fresh = orders.commit_intents(tx, [decision(3)], [], [order(1), order(3)], T0)
        assert fresh == [order(3)]
        assert orders.by_id(tx, "tm-0001order").state is S.SENDING, "a rerun never takes a state back"


def test_transitions_are_events_and_audit_records(ledger: Ledger) -> None:
    commit(ledger, 1)
    name = "tm-0001order"
    with ledger.transaction() as tx:
        for state in (S.SENDING, S.UNKNOWN, S.UNKNOWN, S.OPEN, S.CANCELLED, S.CANCELLED):
            assert orders.transition(tx, name, state, f"to {state}", T0 + 5).state is state
    with ledger.transaction() as tx:
        with pytest.raises(HaltTrading, match="from cancelled to open"):
            orders.transition(tx, name, S.OPEN, "late", T0)
        with pytest.raises(HaltTrading, match="not in the ledger"):
            orders.transition(tx, "tm-nobody", S.OPEN, "lost", T0)
        assert [(e.sequence, e.from_state, e.to_state) for e in orders.events(tx, name)] == [
            (1, None, S.INTENT),
            (2, S.INTENT, S.SENDING),
            (3, S.SENDING, S.UNKNOWN),
            (4, S.UNKNOWN, S.OPEN),
            (5, S.OPEN, S.CANCELLED),
        ]
        kinds = [record.kind for record in audit.for_subject(tx, name)]
        assert kinds == ["order_intent"] + ["order_state"] * 4
        assert orders.in_states(tx, [S.CANCELLED, S.OPEN]) == [orders.by_id(tx, name)]
        assert orders.in_states(tx, [S.OPEN]) == orders.in_states(tx, []) == []
        assert orders.for_tick(tx, "tick-1") == orders.for_decision(tx, "0001decision")
    assert audit.verify(ledger).intact


def test_a_fill_is_booked_once_with_everything_it_moves(ledger: Ledger) -> None:
    commit(ledger, 1)
    bought = order(1)
    part, rest = fill(bought, 1, "4"), fill(bought, 2, "6", price="3")
    with pytest.raises(HaltTrading, match="from intent to"), ledger.transaction() as tx:
        fills.record(tx, part, bought, T0)
    send(ledger, bought.client_order_id)
    with ledger.transaction() as tx:
        assert fills.record(tx, part, bought, T0 + 3)
        assert orders.by_id(tx, bought.client_order_id).state is S.PARTIALLY_FILLED
        assert not fills.record(tx, part, bought, T0 + 9)
        assert fills.record(tx, rest, bought, T0 + 4)
    before = content_digest(ledger)
    with ledger.transaction() as tx:
        assert not fills.record(tx, part, bought, T0 + 9)
        assert not fills.record(tx, rest, bought, T0 + 9)
    assert content_digest(ledger) == before
    with ledger.read() as tx:
        assert orders.by_id(tx, bought.client_order_id).state is S.FILLED
        assert fills.for_order(tx, bought.client_order_id) == [part, rest]
        (held,) = portfolio.positions(tx)
        assert (held.quantity, held.average_cost) == (10, D("2.604"))
        assert portfolio.cash(tx) == D(1000) - 26 - D("0.04")
        assert portfolio.cash(tx, "EUR") == 0
        assert portfolio.cash(tx) + cost_basis(held) - portfolio.realised_pnl(tx) == 1000
    assert audit.verify(ledger).intact


def test_a_contradiction_of_the_venue_halts_and_leaves_nothing(ledger: Ledger) -> None:
    commit(ledger, 1)
    bought = order(1)
    send(ledger, bought.client_order_id)
    with ledger.transaction() as tx:
        fills.record(tx, fill(bought, 1, "4"), bought, T0)
    before = content_digest(ledger)
    for wrong, error in [
        (fill(bought, 1, "4", price="5"), HaltTrading),
        (fill(bought, 2, "6.5"), HaltTrading),
        (replace(fill(bought, 2, "1"), symbol="OTHERUSDT"), BadData),
        (replace(fill(bought, 2, "1"), side=Side.SELL), BadData),
        (replace(fill(bought, 2, "1"), price=D("1e-19")), BadData),
    ]:
        with pytest.raises(error), ledger.transaction() as tx:
            fills.record(tx, wrong, bought, T0)
        assert content_digest(ledger) == before


def test_a_late_fill_is_booked_and_the_end_state_stays(ledger: Ledger) -> None:
    commit(ledger, 1)
    bought = order(1)
    send(ledger, bought.client_order_id)
    with ledger.transaction() as tx:
        orders.transition(tx, bought.client_order_id, S.CANCELLED, "asked", T0)
        assert fills.record(tx, fill(bought), bought, T0)
        assert orders.by_id(tx, bought.client_order_id).state is S.CANCELLED
        assert portfolio.positions(tx)[0].quantity == 10


def test_a_sale_realises_and_the_closed_position_keeps_it(ledger: Ledger) -> None:
    sold = order(2, side=Side.SELL, symbol="S1USDT")
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", D(1000), "USDT", T0)
        orders.commit_intents(tx, [], [], [order(1), sold], T0)
        for each, price in ((order(1), "2"), (sold, "3")):
            orders.transition(tx, each.client_order_id, S.SENDING, "sent", T0)
            fills.record(tx, fill(each, price=price), each, T0)
        assert portfolio.positions(tx) == ()
        closed = portfolio.position(tx, "fork", "main", "S1USDT")
        assert closed.quantity == 0
        assert closed.realised_pnl == portfolio.realised_pnl(tx) == portfolio.cash(tx) - 1000 == D("9.96")


def test_the_portfolio_of_a_tick(ledger: Ledger) -> None:
    commit(ledger, 1, 2, 3)
    with ledger.transaction() as tx:
        for number in (1, 2):
            orders.transition(tx, f"tm-000{number}order", S.SENDING, "sent", T0)
        orders.transition(tx, "tm-0002order", S.UNKNOWN, "timeout", T0)
        fills.record(tx, fill(order(1)), order(1), T0)
        day = T0 // DAY_MS * DAY_MS
        loaded = portfolio.load(tx, {"S1USDT": 2.5}, day)
        assert (loaded.cash, loaded.equity, loaded.equity_day_start) == (D("979.98"), D("1004.98"), None)
        assert loaded.pending_symbols == ("S2USDT", "S3USDT")
        assert loaded.unknown_symbols == ("S2USDT",)
        for tick, at, cash in (
            ("late", day + 9, 3),
            ("first", day, 2),
            ("before", day - 1, 1),
            ("next", day + DAY_MS, 4),
        ):
            assert portfolio.record_equity(tx, tick, at, mark([], D(cash), {}))
        assert not portfolio.record_equity(tx, "first", day, mark([], D(77), {}))
        assert portfolio.load(tx, {}, day).equity_day_start == 2
        assert portfolio.load(tx, {}, day).equity == D("979.98") + D("20.02"), "unpriced counts at cost"
        assert [row["tick_id"] for row in portfolio.equity_curve(tx, day)] == ["first", "late", "next"]


def test_a_deposit_is_paid_in_once(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert portfolio.deposit(tx, "start", D("1000.5"), "USDT", T0)
        assert not portfolio.deposit(tx, "start", D("1000.50"), "USDT", T0 + 1)
        assert portfolio.cash(tx) == D("1000.5")
        with pytest.raises(HaltTrading, match=r"booked as 1000\.5 USDT, now it says 7 USDT"):
            portfolio.deposit(tx, "start", D(7), "USDT", T0)
        with pytest.raises(BadData):
            portfolio.deposit(tx, "none", D(0), "USDT", T0)
        assert len(audit.for_subject(tx, "start")) == 1


def test_the_kill_flag(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert not controls.current(tx).halted
        assert not controls.resume(tx, "nothing to do", "me", T0).halted
        controls.halt(tx, "loss", "risk", T0 + 1)
        controls.halt(tx, "again", "me", T0 + 2)
    with ledger.transaction() as tx:
        current = controls.current(tx)
        assert (current.halted, current.reason, current.changed_at_ms) == (True, "loss", T0 + 1)
        controls.resume(tx, "looked", "me", T0 + 3)
        assert controls.current(tx).halted is False
        assert [record.kind for record in audit.for_subject(tx, "halted")] == ["halt", "resume"]
        tx.execute("update controls set value = '?'")
        assert controls.current(tx).halted, "an unreadable flag fails closed"


def test_alerts_and_their_deliveries(ledger: Ledger) -> None:
    def alert(number: int, suppressed: bool = False) -> dict:
        return {
            "alert_id": f"a{number}",
            "dedupe_key": "stale",
            "severity": "error",
            "title": "t",
            "body": "b",
            "created_at_ms": T0 + number,
            "suppressed": suppressed,
        }

    with ledger.transaction() as tx:
        assert alerts.last_sent_ms(tx, "stale") is None
        assert alerts.record(tx, **alert(1))
        assert not alerts.record(tx, **alert(1))
        assert alerts.record(tx, **alert(2, suppressed=True))
        assert alerts.last_sent_ms(tx, "stale") == T0 + 1
        assert alerts.sent_since(tx, T0) == 1
        assert alerts.sent_since(tx, T0 + 2) == 0
        assert alerts.record_delivery(tx, "a1", "slack", "failed", "timeout", T0)
        assert alerts.record_delivery(tx, "a1", "slack", alerts.DELIVERED, "r1", T0 + 5)
        assert not alerts.record_delivery(tx, "a1", "slack", "failed", "", T0 + 6)
        assert alerts.deliveries(tx, "a1") == [
            {"channel": "slack", "status": "delivered", "receipt": "r1", "at_ms": T0 + 5}
        ]


def test_the_content_digest_sees_every_change_and_only_changes(ledger: Ledger) -> None:
    seen = {content_digest(ledger)}
    commit(ledger, 2, 1)
    seen.add(content_digest(ledger))
    for table, column, value in [
        ("orders", "quantity", D("10.000000000000000001")),
        ("decisions", "reference_price", 1.2346),
        ("order_events", "cause", "x"),
        ("audit_head", "sequence", 1),
    ]:
        with ledger.transaction() as tx:
            assert tx.execute(f"update {table} set {column} = :value", {"value": value})
        seen.add(content_digest(ledger))
    assert len(seen) == 6
    with ledger.transaction() as tx:
        tx.execute("update orders set updated_at_ms = 1")
    assert content_digest(ledger) not in seen
    without = ("updated_at_ms", "audit", "orders.created_at_ms")
    reduced = content_digest(ledger, without)
    with ledger.transaction() as tx:
        tx.execute("update orders set updated_at_ms = 2, created_at_ms = 3")
        tx.execute("delete from audit")
    assert content_digest(ledger, without) == reduced
