"""Strategies in the ledger: append-only steps, legal ones only, each audited; reviews once a day."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest
from ledger_samples import T0, decision, fill, order, verdict

from trading.errors import BadData
from trading.factory.lifecycle.review import Action, Grade, Review
from trading.factory.lifecycle.states import Change, State, person
from trading.model.decision import VerdictKind
from trading.model.order import OrderState, Side
from warehouse.ledger import audit, controls, fills, orders, portfolio, strategies, strategy_reviews
from warehouse.ledger.backend import Ledger
from warehouse.ledger.strategies import NewStrategy

A, B = NewStrategy("a1" * 16, '{"g":"it\'s 100 %"}', "crossed"), NewStrategy("b2" * 16, '{"g":2}', "seed")


def to(new: NewStrategy, *states: State) -> list[Change]:
    return [Change(new.strategy_id, state, f"because {state}", {"n": 1}) for state in states]


def test_a_life_is_a_list_of_steps_and_the_last_one_is_the_state(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        assert strategies.register(tx, [A, B, A], "factory", T0) == [A.strategy_id, B.strategy_id]
        assert strategies.register(tx, [A], "factory", T0 + 9) == []
        figures = {"sharpe": 1.5, "missing": math.nan, "days": Decimal("1.50"), "checks": [{"name": "dsr"}]}
        change = Change(A.strategy_id, State.BACKTESTED, "1.5 after costs", figures)
        (event,) = strategies.advance(tx, [change], "factory", T0 + 1)
    assert (event.sequence, event.from_state, event.to_state) == (2, State.GENERATED, State.BACKTESTED)
    with ledger.transaction() as tx:
        strategies.advance(tx, to(A, State.PAPER, State.LIVE_CANDIDATE), "activation", T0 + 2)
    with ledger.read() as tx:
        life = strategies.history(tx, A.strategy_id)
        assert [(each.sequence, each.to_state) for each in life] == [
            (1, State.GENERATED),
            (2, State.BACKTESTED),
            (3, State.PAPER),
            (4, State.LIVE_CANDIDATE),
        ]
        assert life[1].evidence == {
            "sharpe": 1.5,
            "missing": None,
            "days": "1.5",
            "checks": [{"name": "dsr"}],
        }
        (status,) = strategies.current(tx, [State.LIVE_CANDIDATE, State.LIVE])
        assert (status.strategy_id, status.genome, status.origin) == (A.strategy_id, A.genome, "crossed")
        assert (status.born_at_ms, status.since_ms, status.actor) == (T0, T0 + 2, "activation")
        assert strategies.current(tx, [State.PAPER]) == []
        assert strategies.current(tx, []) == []
        assert strategies.counts(tx) == {State.LIVE_CANDIDATE: 1, State.GENERATED: 1}
        entries = strategies.newest_entries(tx, [A.strategy_id, B.strategy_id], State.BACKTESTED)
        assert entries.keys() == {A.strategy_id}
        assert entries[A.strategy_id] == life[1]


def test_every_step_is_audited(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        strategies.register(tx, [A], "factory", T0)
        strategies.advance(tx, to(A, State.BACKTESTED), "factory", T0 + 1)
        records = audit.for_subject(tx, A.strategy_id)
    assert [json.loads(each.payload)["to_state"] for each in records] == ["generated", "backtested"]
    assert {each.kind for each in records} == {"strategy"}
    assert json.loads(records[1].payload) == {
        "strategy_id": A.strategy_id,
        "sequence": 2,
        "from_state": "generated",
        "to_state": "backtested",
        "actor": "factory",
        "reason": "because backtested",
        "evidence": {"n": 1},
        "at_ms": T0 + 1,
    }
    assert audit.verify(ledger).intact


def test_an_illegal_step_takes_the_legal_ones_beside_it_back(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        strategies.register(tx, [A, B], "factory", T0)
    with pytest.raises(BadData, match="generated → live is no step; after generated may come: backtested"), ledger.transaction() as tx:  # fmt: skip
        strategies.advance(tx, [*to(A, State.BACKTESTED), *to(B, State.LIVE)], "factory", T0)
    with ledger.read() as tx:
        assert strategies.counts(tx) == {State.GENERATED: 2}
        assert len(audit.for_subject(tx, A.strategy_id)) == 1


def test_live_needs_the_setting_or_a_person_and_no_halt(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        strategies.register(tx, [A, B], "factory", T0)
        for each in (A, B):
            strategies.advance(
                tx, to(each, State.BACKTESTED, State.PAPER, State.LIVE_CANDIDATE), "factory", T0
            )
    with pytest.raises(BadData, match="factory.live is false"), ledger.transaction() as tx:
        strategies.advance(tx, to(A, State.LIVE), "activation", T0)
    with ledger.transaction() as tx:
        controls.halt(tx, "drill", "ann", T0)
    with pytest.raises(BadData, match="halted"), ledger.transaction() as tx:
        strategies.advance(tx, to(A, State.LIVE), person("ann"), T0)
    with ledger.transaction() as tx:
        controls.resume(tx, "over", "ann", T0)
        strategies.advance(tx, to(A, State.LIVE), person("ann"), T0)
        strategies.advance(tx, to(B, State.LIVE), "activation", T0, live=True)
        assert strategies.counts(tx) == {State.LIVE: 2}


def test_refusals(ledger: Ledger) -> None:
    with ledger.transaction() as tx:
        strategies.register(tx, [A], "factory", T0)
    with pytest.raises(BadData, match="does not know it"), ledger.transaction() as tx:
        strategies.advance(tx, to(B, State.GENERATED), "factory", T0)
    with pytest.raises(BadData, match="another genome under this id"), ledger.transaction() as tx:
        strategies.register(tx, [replace(A, genome="{}")], "factory", T0)
    with pytest.raises(BadData, match="needs a reason"), ledger.transaction() as tx:
        strategies.advance(tx, [Change(A.strategy_id, State.BACKTESTED, "")], "factory", T0)


@pytest.mark.parametrize(
    ("damage", "problem"),
    [
        ("update strategy_events set to_state = 'live' where sequence = 2", "step 2 differs from its audit"),
        ("update strategy_events set evidence = '{}' where sequence = 2", "step 2 differs from its audit"),
        ("update strategy_events set at_ms = at_ms + 1 where sequence = 1", "step 1 differs from its audit"),
        (
            "delete from strategy_events where sequence = 2",
            "step 2 is in the audit trail and not in the ledger",
        ),
        (
            "update strategy_events set sequence = 3 where sequence = 2",
            "step 2 is in the audit trail and not",
        ),
        (
            "insert into strategy_events select strategy_id, 3, 'backtested', 'paper', actor, reason, evidence, at_ms"
            " from strategy_events where sequence = 2",
            "step 3 has no audit record",
        ),
    ],
)
def test_an_edited_deleted_or_forged_step_is_found(ledger: Ledger, damage: str, problem: str) -> None:
    with ledger.transaction() as tx:
        strategies.register(tx, [A], "factory", T0)
        strategies.advance(tx, to(A, State.BACKTESTED), "factory", T0 + 1)
        assert strategies.contradiction(tx) == ""
    with ledger.transaction() as tx:
        tx.execute(damage)
        assert problem in strategies.contradiction(tx)


def test_find_by_the_beginning_of_an_id(ledger: Ledger) -> None:
    twin = NewStrategy("a1" * 15 + "ff", "{}", "fresh")
    with ledger.transaction() as tx:
        strategies.register(tx, [A, B, twin], "factory", T0)
        assert strategies.find(tx, "b2").strategy_id == B.strategy_id
        assert strategies.find(tx, A.strategy_id).strategy_id == A.strategy_id
        for beginning, message in (
            ("a1", "2 ids begin so"),
            ("c", "knows none"),
            ("", "hex digits"),
            ("%", "hex digits"),
        ):
            with pytest.raises(BadData, match=message):
                strategies.find(tx, beginning)


def test_more_strategies_than_fit_one_statement(ledger: Ledger) -> None:
    many = [NewStrategy(f"{i:032x}", f'{{"g":{i}}}', "fresh") for i in range(1203)]
    with ledger.transaction() as tx:
        assert len(strategies.register(tx, many, "factory", T0)) == 1203
        assert strategies.register(tx, many, "factory", T0) == []
        strategies.advance(tx, [c for each in many for c in to(each, State.BACKTESTED)], "factory", T0)
        assert strategies.counts(tx) == {State.BACKTESTED: 1203}
        names = [each.strategy_id for each in many]
        assert strategies.states(tx, [*names, "unknown"]) == dict.fromkeys(names, State.BACKTESTED)


REVIEW = Review(
    Grade.B, 55.5, {"sharpe": 20.0}, ("degradation",), Action.OPTIMISE, 1.0, 0.9, ("grade B", "why not")
)


def test_one_review_a_day_and_the_newest_counts(ledger: Ledger) -> None:
    days = [date(2026, 1, 1), date(2026, 1, 2)]
    with ledger.transaction() as tx:
        assert strategy_reviews.record(tx, A.strategy_id, days[0], REVIEW, T0)
        assert not strategy_reviews.record(tx, A.strategy_id, days[0], replace(REVIEW, score=1.0), T0)
        ungraded = replace(REVIEW, grade=Grade.NONE, score=math.nan, action=Action.KEEP, allocation_after=0.8)
        assert strategy_reviews.record(tx, A.strategy_id, days[1], ungraded, T0)
        strategy_reviews.record(tx, B.strategy_id, days[0], REVIEW, T0)
    with ledger.read() as tx:
        found = strategy_reviews.newest(tx)
        assert (found[A.strategy_id].review_day, found[A.strategy_id].grade) == (days[1], Grade.NONE)
        assert math.isnan(found[A.strategy_id].score)
        assert found[A.strategy_id].allocation == 0.8
        assert found[B.strategy_id].score == 55.5
        earlier = strategy_reviews.newest(tx, before=days[1])
        assert {each.review_day for each in earlier.values()} == {days[0]}
        assert strategy_reviews.newest(tx, before=days[0]) == {}
        assert strategy_reviews.of_strategy(tx, A.strategy_id)[0].score == 55.5
        kinds = [each.kind for each in audit.for_subject(tx, A.strategy_id)]
        assert kinds == ["strategy_review"] * 2


def test_fills_by_strategy(ledger: Ledger) -> None:
    mine = replace(order(1, symbol="BTCUSDT"), desk="genome", strategy_id=A.strategy_id)
    sold = replace(order(2, "4", Side.SELL, "BTCUSDT"), desk="genome", strategy_id=A.strategy_id)
    other = order(3, symbol="BTCUSDT")
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "d", Decimal(1000), "USDT", T0)
        orders.commit_intents(
            tx,
            [decision(n) for n in (1, 2, 3)],
            [verdict(n, VerdictKind.APPROVED) for n in (1, 2, 3)],
            [mine, sold, other],
            T0,
        )
        for each in (mine, sold, other):
            orders.transition(tx, each.client_order_id, OrderState.SENDING, "sending", T0)
        booked = [fill(mine, 1), fill(sold, 2, "4", "3")]
        for of, each in ((mine, booked[0]), (sold, booked[1]), (other, fill(other, 3))):
            fills.record(tx, each, of, T0)
        found = strategy_reviews.fills_of(tx, [A.strategy_id, B.strategy_id])
    assert found == {A.strategy_id: booked, B.strategy_id: []}
