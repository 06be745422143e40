"""The genome desk: one small slot per signal, and each genome's own exits."""

from decimal import Decimal

import pytest

from tests.trading_scenario import CLOSE_MS, HOUR_MS, NAN, position, snapshot, view
from trading.desks.genome import GenomeDesk, GenomeDeskSettings
from trading.model.decision import Action, Decision, Outcome
from trading.model.snapshot import BestClose, PaperStrategy

GENOME = {"text": "1h long", "target_fraction": 0.02, "stop_fraction": 0.01, "time_exit_hours": 24}
TRAILING = {"stop_fraction": 0.025, "trailing_fraction": 0.01, "trailing_after_fraction": 0.005}
DESK = GenomeDesk(GenomeDeskSettings(slot_fraction=0.02, max_positions_per_strategy=2, max_open_positions=3))


def strategy(name: str = "s1", enter=("AAAUSDT",), leave=(), **genome) -> PaperStrategy:
    return PaperStrategy(name, GENOME | genome, tuple(enter), tuple(leave))


def held(symbol: str = "AAAUSDT", strategy_id: str = "s1", hours: float = 1.0):
    opened = CLOSE_MS - int(hours * HOUR_MS)
    return position(symbol, desk="genome", strategy_id=strategy_id, opened_at_ms=opened)


def decide(*strategies: PaperStrategy, views=None, positions=()) -> list[Decision]:
    taken = snapshot(*(views or (view(),)), strategies=strategies, portfolio={"positions": positions})
    return DESK.decide(taken)


def test_a_signal_asks_for_a_small_slot_under_its_strategy() -> None:
    (decision,) = decide(strategy())
    assert (decision.outcome, decision.reason_code) == (Outcome.FIRED, "entry_signal")
    assert decision.quote_amount == Decimal(2_000)
    assert (decision.desk, decision.strategy_id) == ("genome", "s1")
    assert decision.inputs["genome.target_fraction"] == 0.02
    assert decision.inputs["genome.text"] == "1h long"


def test_two_strategies_on_one_symbol_are_two_decisions() -> None:
    decisions = decide(strategy("s1"), strategy("s2"))
    assert [item.strategy_id for item in decisions] == ["s1", "s2"]
    assert len({item.decision_id for item in decisions}) == 2


@pytest.mark.parametrize(
    ("given", "close", "reason"),
    [
        (strategy(), NAN, "data_missing"),
        (strategy(stop_fraction="high"), 100.0, "genome_incomplete"),
        (strategy(stop_fraction=0.0), 100.0, "genome_incomplete"),
        (strategy(stop_fraction=NAN), 100.0, "genome_incomplete"),
        (strategy(leave=("AAAUSDT",)), 100.0, "exit_signal"),
    ],
)
def test_refusals(given: PaperStrategy, close: float, reason: str) -> None:
    (decision,) = decide(given, views=(view(close=close),))
    assert (decision.outcome, decision.reason_code) == (Outcome.SKIPPED, reason)


def test_slots_run_out_per_strategy_and_in_total() -> None:
    views = [view(f"{name}USDT") for name in "ABC"]
    names = [item.symbol for item in views]
    decisions = decide(strategy("s1", names), strategy("s2", names), views=views)
    assert [item.reason_code for item in decisions] == [
        "entry_signal",
        "entry_signal",
        "max_positions_per_strategy",
        "entry_signal",
        "max_open_positions",
        "max_open_positions",
    ]


def test_a_strategy_does_not_add_to_its_own_position_but_another_may_enter() -> None:
    decisions = decide(strategy("s1"), strategy("s2"), positions=(held(),))
    reasons = [(item.action, item.strategy_id, item.reason_code) for item in decisions]
    assert reasons == [
        (Action.EXIT, "s1", "hold"),
        (Action.ENTER, "s1", "already_held"),
        (Action.ENTER, "s2", "entry_signal"),
    ]


@pytest.mark.parametrize(
    ("close", "hours", "given", "reason"),
    [
        (98.9, 1, strategy(enter=()), "stop_loss"),
        (99.1, 1, strategy(enter=()), "hold"),
        (102.1, 1, strategy(enter=()), "take_profit"),
        (101.9, 1, strategy(enter=()), "hold"),
        (100.0, 24, strategy(enter=()), "time_exit"),
        (100.0, 23.7, strategy(enter=()), "hold"),
        (100.0, 1, strategy(enter=(), leave=("AAAUSDT",)), "exit_signal"),
        (100.0, 1, strategy("other", enter=()), "strategy_retired"),
        (
            90.0,
            99,
            strategy(enter=(), target_fraction="x", stop_fraction=NAN, time_exit_hours="y"),
            "hold",
        ),
    ],
)
def test_exits(close: float, hours: float, given: PaperStrategy, reason: str) -> None:
    (decision,) = decide(given, views=(view(close=close),), positions=(held(hours=hours),))
    assert decision.reason_code == reason
    assert decision.outcome is (Outcome.SKIPPED if reason == "hold" else Outcome.FIRED)


@pytest.mark.parametrize(
    ("best", "close", "reason"),
    [
        (102.0, 101.0, "hold"),
        (102.0, 100.98, "trailing_stop"),
        (100.4, 99.3, "hold"),  # the gain that switches it on was not reached
        (100.5, 99.495, "trailing_stop"),
        (NAN, 99.0, "hold"),  # an unknown best close is the cost
        (102.0, 97.0, "trailing_stop"),  # the nearer one of two stops
        (100.0, 97.5, "stop_loss"),
    ],
)
def test_the_stop_trails_the_best_close(best: float, close: float, reason: str) -> None:
    trailing = PaperStrategy("s1", dict(TRAILING), (), (), (BestClose("AAAUSDT", best),))
    (decision,) = decide(trailing, views=(view(close=close),), positions=(held(),))
    assert decision.reason_code == reason


def test_a_trailing_stop_that_is_on_at_once_protects_without_a_known_best_close() -> None:
    trailing = PaperStrategy("s1", TRAILING | {"trailing_after_fraction": 0.0}, (), ())
    (decision,) = decide(trailing, views=(view(close=98.9),), positions=(held(),))
    assert decision.reason_code == "trailing_stop"


def test_age_counts_from_the_open_of_the_bar_of_the_fill() -> None:
    (decision,) = decide(strategy(enter=()), positions=(held(hours=23.8),))
    assert decision.reason_code == "time_exit"


def test_time_exit_fires_for_a_symbol_that_has_no_view() -> None:
    (decision,) = decide(strategy(enter=()), views=(view("BBBUSDT"),), positions=(held(hours=25),))
    assert decision.reason_code == "time_exit"


def test_orders_under_way_take_slots() -> None:
    taken = snapshot(
        view(), strategies=(strategy(),), portfolio={"pending_symbols": ("XUSDT", "YUSDT", "ZUSDT")}
    )
    (decision,) = DESK.decide(taken)
    assert decision.reason_code == "max_open_positions"
