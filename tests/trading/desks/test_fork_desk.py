"""The fork desk: every rule at its limit, ranking for slots, exits that need no entry data."""

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.trading_scenario import CLOSE_MS, HOUR_MS, NAN, position, snapshot, view
from trading.desks.fork import ForkDesk, ForkDeskSettings
from trading.model.decision import Action, Decision, Outcome
from trading.model.snapshot import Snapshot

SETTINGS = ForkDeskSettings(
    minimum_fork_score=0.85,
    minimum_adjusted_score=0.73,
    minimum_confidence=0.55,
    slot_fraction=0.1,
    max_open_positions=2,
    take_profit_fraction=0.03,
    stop_loss_fraction=0.06,
    max_holding_hours=72.0,
)
DESK = ForkDesk(SETTINGS)


def entries(taken: Snapshot, desk: ForkDesk = DESK) -> dict[str, Decision]:
    return {item.symbol: item for item in desk.decide(taken) if item.action is Action.ENTER}


def exits(taken: Snapshot) -> list[Decision]:
    return [item for item in DESK.decide(taken) if item.action is Action.EXIT]


def only(taken: Snapshot, desk: ForkDesk = DESK) -> Decision:
    (decision,) = entries(taken, desk).values()
    return decision


def test_a_good_candidate_fires_with_a_tenth_of_equity() -> None:
    decision = only(snapshot())
    assert (decision.outcome, decision.reason_code) == (Outcome.FIRED, "fork_entry")
    assert decision.quote_amount == Decimal(10_000)
    assert decision.reference_price == 100.0
    assert all(check.passed for check in decision.checks)
    assert decision.inputs["fork.rsi_recovery"] == 0.5
    assert (decision.desk, decision.strategy_id, decision.snapshot_id) == ("fork", "", "snapshot")


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"close": NAN}, "data_missing"),
        ({"close": 0.0}, "data_missing"),
        ({"fork_score": NAN}, "data_missing"),
        ({"fork_adjusted": NAN}, "data_missing"),
        ({"fork_score": 0.8499999}, "fork_score_low"),
        ({"fork_score": 0.85}, None),
        ({"fork_passed": False}, "fork_not_passed"),
        ({"fork_adjusted": 0.7299999}, "rating_kick_low"),
        ({"fork_adjusted": 0.73}, None),
        ({"rating_tag": "sell"}, "rating_sell"),
        ({"rating_tag": "strong_sell"}, "rating_sell"),
        ({"rating_tag": ""}, "rating_sell"),
        ({"rating_tag": "neutral"}, None),
        ({"confidence": NAN}, "confidence_missing"),
        ({"confidence_expires_ms": CLOSE_MS - 1}, "confidence_expired"),
        ({"confidence_expires_ms": CLOSE_MS}, None),
        ({"confidence": 0.5499999}, "confidence_low"),
        ({"confidence": 0.55}, None),
    ],
)
def test_each_rule_at_its_limit(changes: dict, reason: str | None) -> None:
    decision = only(snapshot(view(**changes)))
    if reason is None:
        assert decision.outcome is Outcome.FIRED
    else:
        assert (decision.outcome, decision.reason_code) == (Outcome.SKIPPED, reason)
        assert decision.quote_amount == 0


@pytest.mark.parametrize("condition", ["bearish", "unknown", ""])
def test_no_entry_against_a_bearish_or_unknown_btc(condition: str) -> None:
    assert only(snapshot(btc_condition=condition)).reason_code == "btc_bearish"


def test_a_neutral_btc_is_no_obstacle() -> None:
    assert only(snapshot(btc_condition="neutral")).outcome is Outcome.FIRED


def test_the_first_failing_rule_is_the_reason_and_all_checks_are_kept() -> None:
    decision = only(
        snapshot(view(fork_score=0.1, rating_tag="sell", confidence=0.1), btc_condition="bearish")
    )
    assert decision.reason_code == "fork_score_low"
    failed = [check.name for check in decision.checks if not check.passed]
    assert failed == ["fork_score", "rating_label", "confidence", "btc_condition"]


def test_confidence_may_be_missing_where_not_required_but_an_expired_or_low_one_still_refuses() -> None:
    desk = ForkDesk(replace(SETTINGS, confidence_required=False))
    assert only(snapshot(view(confidence=NAN)), desk).outcome is Outcome.FIRED
    expired = view(confidence_expires_ms=CLOSE_MS - 1)
    assert only(snapshot(expired), desk).reason_code == "confidence_expired"
    assert only(snapshot(view(confidence=0.1)), desk).reason_code == "confidence_low"


def test_the_screener_pass_can_be_waived() -> None:
    desk = ForkDesk(replace(SETTINGS, fork_passed_required=False))
    assert only(snapshot(view(fork_passed=False)), desk).outcome is Outcome.FIRED


def test_free_slots_go_to_the_best_scores_and_every_symbol_is_recorded() -> None:
    views = [
        view(f"{name}USDT", fork_adjusted=score) for name, score in zip("ABCD", (1, 3, 2, 0.1), strict=True)
    ]
    taken = snapshot(*views)
    decided = DESK.decide(taken)
    assert [item.symbol for item in decided] == ["BUSDT", "CUSDT", "AUSDT", "DUSDT"]
    assert [item.reason_code for item in decided] == [
        "fork_entry",
        "fork_entry",
        "no_free_slot",
        "rating_kick_low",
    ]
    shuffled = replace(taken, symbols=dict(reversed(taken.symbols.items())))
    assert DESK.decide(shuffled) == decided


def test_a_held_symbol_is_not_bought_again_and_takes_a_slot() -> None:
    views = [view(f"{name}USDT") for name in "ABC"]
    taken = snapshot(*views, portfolio={"positions": (position("AUSDT"),)})
    reasons = {symbol: item.reason_code for symbol, item in entries(taken).items()}
    assert reasons == {"AUSDT": "already_held", "BUSDT": "fork_entry", "CUSDT": "no_free_slot"}


def test_a_full_desk_enters_nothing() -> None:
    held = (position("AUSDT"), position("BUSDT"))
    taken = snapshot(view("CUSDT"), portfolio={"positions": held})
    assert entries(taken)["CUSDT"].reason_code == "max_open_positions"


def test_positions_of_other_desks_and_closed_ones_do_not_count() -> None:
    others = (position(desk="genome", strategy_id="g"), position(quantity=Decimal(0)))
    taken = snapshot(portfolio={"positions": others})
    assert only(taken).outcome is Outcome.FIRED
    assert exits(taken) == []


@pytest.mark.parametrize(
    ("close", "opened_hours_ago", "tag", "reason"),
    [
        (93.9, 1, "buy", "stop_loss"),
        (94.1, 1, "buy", "hold"),
        (103.1, 1, "buy", "take_profit"),
        (102.9, 1, "buy", "hold"),
        (100.0, 72, "buy", "max_holding_time"),
        (100.0, 71.99, "buy", "hold"),
        (100.0, 1, "strong_sell", "rating_strong_sell"),
        (100.0, 1, "sell", "hold"),
        (93.0, 100, "strong_sell", "stop_loss"),
    ],
)
def test_exits(close: float, opened_hours_ago: float, tag: str, reason: str) -> None:
    held = position(opened_at_ms=CLOSE_MS - int(opened_hours_ago * HOUR_MS))
    (decision,) = exits(snapshot(view(close=close, rating_tag=tag), portfolio={"positions": (held,)}))
    assert decision.reason_code == reason
    assert decision.outcome is (Outcome.SKIPPED if reason == "hold" else Outcome.FIRED)
    assert decision.quote_amount == 0
    assert len(decision.checks) == 4


def test_stop_exactly_at_the_fraction_fires() -> None:
    held = position(average_cost=Decimal(128))
    desk = ForkDesk(replace(SETTINGS, stop_loss_fraction=0.25, take_profit_fraction=0.25))
    stopped = snapshot(view(close=96.0), portfolio={"positions": (held,)})
    taken = snapshot(view(close=160.0), portfolio={"positions": (held,)})
    assert desk.decide(stopped)[0].reason_code == "stop_loss"
    assert desk.decide(taken)[0].reason_code == "take_profit"


def test_exits_work_without_any_entry_data() -> None:
    held = position(opened_at_ms=CLOSE_MS - 100 * HOUR_MS)
    blind = view(fork_score=NAN, fork_adjusted=NAN, rating_tag="", confidence=NAN, close=90.0)
    (decision,) = exits(snapshot(blind, btc_condition="unknown", portfolio={"positions": (held,)}))
    assert decision.reason_code == "stop_loss"
    gone = snapshot(view("BBBUSDT"), portfolio={"positions": (held,)})
    (decision,) = exits(gone)
    assert decision.reason_code == "max_holding_time"
    assert decision.inputs["close"] is None


def test_an_unknown_price_triggers_neither_stop_nor_target() -> None:
    (decision,) = exits(snapshot(view(close=NAN), portfolio={"positions": (position(),)}))
    assert decision.reason_code == "hold"
    assert [check.value for check in decision.checks[:2]] == [None, None]


def test_ids_repeat_for_the_same_tick_and_change_with_bar_settings_symbol_and_action() -> None:
    taken = snapshot(portfolio={"positions": (position(),)})
    ids = [item.decision_id for item in DESK.decide(taken)]
    assert ids == [item.decision_id for item in ForkDesk(SETTINGS).decide(taken)]
    assert len(set(ids)) == 2
    later = [item.decision_id for item in DESK.decide(replace(taken, bar_close_ms=CLOSE_MS + 1))]
    other = ForkDesk(replace(SETTINGS, stop_loss_fraction=0.05))
    assert set(ids).isdisjoint(later)
    assert set(ids).isdisjoint(item.decision_id for item in other.decide(taken))


def test_a_loss_of_everything_asks_for_nothing() -> None:
    assert only(snapshot(portfolio={"equity": Decimal(-5)})).quote_amount == 0


def test_orders_under_way_take_slots() -> None:
    views = [view(f"{name}USDT") for name in "ABC"]
    held = (position("AUSDT"),)
    pending = {"positions": held, "pending_symbols": ("AUSDT",)}
    assert entries(snapshot(*views, portfolio=pending))["BUSDT"].reason_code == "fork_entry"
    pending = {"pending_symbols": ("XUSDT",), "unknown_symbols": ()}
    reasons = [item.reason_code for item in entries(snapshot(*views, portfolio=pending)).values()]
    assert reasons == ["fork_entry", "no_free_slot", "no_free_slot"]
    pending = {"positions": held, "unknown_symbols": ("XUSDT",)}
    assert entries(snapshot(*views, portfolio=pending))["BUSDT"].reason_code == "max_open_positions"
