"""From a night's candidates to a live place and back, on a real ledger with real fills."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest
from strategy_lives import T0, candidate, genomes, trade

from resources.factory import lifecycle
from resources.factory.review import review_all
from trading.errors import BadData
from trading.factory.lifecycle.review import Action, Grade
from trading.factory.lifecycle.settings import LifecycleSettings, ReviewSettings
from trading.factory.lifecycle.states import State
from trading.model.interval import DAY_MS
from warehouse.ledger import audit, controls, portfolio, strategies, strategy_reviews
from warehouse.ledger.backend import Ledger, open_ledger

SETTINGS = LifecycleSettings()
#: A trade a day that gains, more on some days than on others.
UP = [3.0, 2.0, -1.0, 4.0, 1.0]
REVIEW = ReviewSettings(minimum_trades=4)
GOOD, WEAK, OTHER = genomes(3)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    ledger.migrate()
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "d", Decimal(100_000), "USDT", T0)
    yield ledger
    ledger.close()


def at(day: float) -> int:
    return T0 + round(day * DAY_MS)


def state_of(ledger: Ledger, name: str) -> State:
    with ledger.read() as tx:
        return strategies.find(tx, name).state


def test_a_night_enters_once_and_a_later_night_may_promote(ledger: Ledger) -> None:
    night = [candidate(GOOD), candidate(WEAK, promoted=False)]
    first = lifecycle.enter(ledger, night, at(0))
    assert (first.new, first.on_paper) == (2, (GOOD.strategy_id,))
    again = lifecycle.enter(ledger, night, at(0))
    assert (again.new, again.on_paper) == (0, ())
    assert state_of(ledger, WEAK.strategy_id) is State.BACKTESTED
    with ledger.read() as tx:
        assert strategies.history(tx, WEAK.strategy_id)[-1].reason == "fails dsr"
    later = lifecycle.enter(ledger, [candidate(WEAK)], at(1))
    assert (later.new, later.on_paper) == (0, (WEAK.strategy_id,))
    lifecycle.move(ledger, GOOD.strategy_id, State.RETIRED, "ann", "done", at(2))
    assert lifecycle.enter(ledger, night, at(3)).on_paper == ()
    assert state_of(ledger, GOOD.strategy_id) is State.RETIRED, "what is retired stays so"


def test_from_paper_to_live_by_a_person(ledger: Ledger) -> None:
    lifecycle.enter(ledger, [candidate(GOOD), candidate(WEAK)], at(0.1))
    trade(ledger, 1, {GOOD: UP, WEAK: [-1.0, -2.0, -3.0, -4.0, -5.0]})
    assert lifecycle.activate(ledger, SETTINGS, at(5), live=False).changes == ()
    found = lifecycle.activate(ledger, SETTINGS, at(8), live=False)
    assert [change.to_state for change in found.changes] == [State.LIVE_CANDIDATE]
    assert found.waiting == (GOOD.strategy_id,)
    place = found.places[0]
    assert place.standing.backtest_sharpe == 2.0
    assert (place.standing.record.days, place.standing.record.trades) == (8, 5)
    assert state_of(ledger, WEAK.strategy_id) is State.PAPER

    with ledger.transaction() as tx:
        controls.halt(tx, "drill", "ann", at(8))
    with pytest.raises(BadData, match="halted"):
        lifecycle.approve(ledger, GOOD.strategy_id[:8], SETTINGS, "ann", "fine", at(8))
    with ledger.transaction() as tx:
        controls.resume(tx, "over", "ann", at(8))
    event = lifecycle.approve(ledger, GOOD.strategy_id[:8], SETTINGS, "ann", "fine", at(8))
    assert (event.to_state, event.actor, event.reason) == (State.LIVE, "person:ann", "fine")
    assert lifecycle.activate(ledger, SETTINGS, at(8.2), live=False).waiting == ()
    late = lifecycle.activate(ledger, SETTINGS, at(14.2), live=False)
    assert [(change.strategy_id, change.to_state) for change in late.changes] == [
        (WEAK.strategy_id, State.RETIRED)
    ]
    with ledger.read() as tx:
        assert strategies.contradiction(tx) == ""
    assert audit.verify(ledger).intact


def test_the_setting_promotes_and_the_gate_can_refuse(ledger: Ledger) -> None:
    lifecycle.enter(ledger, [candidate(GOOD), candidate(OTHER)], at(0))
    trade(ledger, 1, {GOOD: UP, OTHER: UP})
    unjudged = lifecycle.activate(ledger, SETTINGS, at(8), live=True, gate={})
    assert unjudged.changes == ()
    gate = {GOOD.strategy_id: "passed", OTHER.strategy_id: "dsr"}
    lifecycle.activate(ledger, SETTINGS, at(8), live=True, gate=gate, market_fit={GOOD.strategy_id: 0.5})
    assert state_of(ledger, GOOD.strategy_id) is State.LIVE
    assert state_of(ledger, OTHER.strategy_id) is State.PAPER
    with ledger.read() as tx:
        parts = strategies.history(tx, GOOD.strategy_id)[-1].evidence["parts"]
    assert parts["market"] == 0.5
    assert "sentiment" not in parts


def test_approval_needs_a_free_place_and_the_right_state(ledger: Ledger) -> None:
    many = genomes(4)
    lifecycle.enter(ledger, [candidate(genome) for genome in many], at(0))
    with pytest.raises(BadData, match="is paper; only a live candidate"):
        lifecycle.approve(ledger, many[0].strategy_id, SETTINGS, "ann", "x", at(1))
    for genome in many:
        lifecycle.move(ledger, genome.strategy_id, State.LIVE_CANDIDATE, "ann", "x", at(1))
    for genome in many[:2]:
        lifecycle.approve(ledger, genome.strategy_id, SETTINGS, "ann", "x", at(1))
    with pytest.raises(BadData, match="2 of 2 live places are taken"):
        lifecycle.approve(ledger, many[2].strategy_id, SETTINGS, "ann", "x", at(1))
    lifecycle.move(ledger, many[0].strategy_id, State.PAUSED, "ann", "x", at(1))
    lifecycle.approve(ledger, many[2].strategy_id, SETTINGS, "ann", "x", at(1))
    back = lifecycle.approve(ledger, many[0].strategy_id, SETTINGS, "ann", "again", at(1))
    assert back.to_state is State.PAPER


def test_reviews_change_allocations_once_a_day_and_pause(ledger: Ledger) -> None:
    lifecycle.enter(ledger, [candidate(GOOD), candidate(WEAK), candidate(OTHER)], at(0))
    trade(ledger, 0, {GOOD: UP[:4], WEAK: [-2.0, 1.0, -3.0, -1.0]})
    found = {each.status.strategy_id: each.review for each in review_all(ledger, REVIEW, at(4.1))}
    assert (found[GOOD.strategy_id].grade, found[GOOD.strategy_id].allocation_after) == (Grade.A_PLUS, 1.2)
    assert found[WEAK.strategy_id].action is Action.REPLACE
    assert found[WEAK.strategy_id].allocation_after == pytest.approx(0.3)
    assert found[OTHER.strategy_id].grade is Grade.NONE
    assert review_all(ledger, REVIEW, at(4.5)) == []
    with ledger.read() as tx:
        traded = {status.strategy_id: share for status, share in lifecycle.trading_strategies(tx)}
        assert traded == {GOOD.strategy_id: 1.2, WEAK.strategy_id: pytest.approx(0.3), OTHER.strategy_id: 1.0}
        assert lifecycle.seeds(tx, before_ms=at(5)) == [GOOD, OTHER]
        assert lifecycle.seeds(tx, before_ms=at(0)) == [], "nothing traded before it came on paper"
    review_all(ledger, REVIEW, at(5.1))
    assert state_of(ledger, WEAK.strategy_id) is State.PAUSED
    with ledger.read() as tx:
        newest = strategy_reviews.newest(tx)
        assert newest[GOOD.strategy_id].allocation == pytest.approx(1.44)
        assert newest[WEAK.strategy_id].action is Action.PAUSE
        assert strategies.history(tx, WEAK.strategy_id)[-1].reason == "second D in a row"
    assert WEAK.strategy_id not in {each.status.strategy_id for each in review_all(ledger, REVIEW, at(6.1))}


def test_a_strategy_back_on_paper_starts_a_new_record(ledger: Ledger) -> None:
    lifecycle.enter(ledger, [candidate(WEAK)], at(0))
    trade(ledger, 0, {WEAK: [-10.0, -11.0, -12.0, -13.0]})
    (before,) = review_all(ledger, REVIEW, at(4.1))
    assert before.review.action is Action.PAUSE
    lifecycle.approve(ledger, WEAK.strategy_id, SETTINGS, "ann", "another chance", at(5))
    (after,) = review_all(ledger, REVIEW, at(7.1))
    assert after.review.reasons == ("0 closed trades in 2 days; 4 are needed to grade",)
