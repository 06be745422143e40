"""Desks on either market and in either direction: ids that stay, shorts, protective prices, sizes."""

from __future__ import annotations

import math
from decimal import Decimal
from typing import Any

import pytest

from tests.trading_scenario import CLOSE_MS, HOUR_MS, NAN, instrument, position, snapshot, view
from trading.desks.candidate import direction_of, protective_price, return_fraction
from trading.desks.fork import ForkDesk, ForkDeskSettings
from trading.desks.genome import GenomeDesk, GenomeDeskSettings
from trading.model.decision import Action, Decision, Direction, Outcome
from trading.model.series import Market
from trading.model.snapshot import BestClose, PaperStrategy, Position, Snapshot
from trading.model.snapshot_codec import from_json, is_intact, seal, to_json

GENES: dict[str, float | int | str] = {"stop_fraction": 0.02, "target_fraction": 0.04, "time_exit_hours": 24}


def short_strategy(enter: tuple[str, ...] = ("AAAUSDT",), leave: tuple[str, ...] = (), **more: Any):
    genes = GENES | more.pop("genes", {})
    return PaperStrategy("s1", genes, (), (), short_entry_symbols=enter, short_exit_symbols=leave, **more)


def futures(*views: Any, **changes: Any) -> Snapshot:
    views = views or (view(),)
    listed = {item.symbol: instrument(item.symbol, market=Market.USDM) for item in views}
    return snapshot(*views, **({"market": Market.USDM, "instruments": listed} | changes))


def short(symbol: str = "AAAUSDT", **changes: Any) -> Position:
    values = {"desk": "genome", "strategy_id": "s1", "quantity": Decimal(-10)} | changes
    return position(symbol, **values)


def only(decisions: list[Decision]) -> Decision:
    (decision,) = decisions
    return decision


def test_longs_on_spot_keep_the_ids_that_they_had_before_there_were_shorts() -> None:
    """Golden: written by the release before. A tick that is repeated after an upgrade must not trade twice."""
    older = PaperStrategy(
        "s1", {"stop_fraction": 0.01}, ("AAAUSDT",), (), (BestClose("BBBUSDT", 3.0),), allocation=0.5
    )
    taken = seal(snapshot(view(), strategies=(older,)))
    assert taken.snapshot_id == "bd373823ef17ef0db126115d38d398193b9d6a724c6d59c764077de726ee30c8"
    desks = (ForkDesk(), GenomeDesk(), ForkDesk(ForkDeskSettings(slot_fraction=0.2)))
    made = [only(desk.decide(taken)) for desk in desks]
    assert [(decision.decision_id, decision.quote_amount) for decision in made] == [
        ("7f5650e1fc7aba9a07cb92f660c75f20", Decimal(10_000)),
        ("f6f678a03fa56d388ce1119cefa7087b", Decimal(1_000)),
        ("9af1b39205afa7055094de8dd254684c", Decimal(20_000)),
    ]
    assert {(decision.direction, decision.outcome) for decision in made} == {(Direction.LONG, Outcome.FIRED)}


def test_a_setting_that_was_not_there_before_counts_where_it_is_not_at_its_default() -> None:
    hashes = {
        GenomeDesk(settings).configuration_hash
        for settings in (
            GenomeDeskSettings(),
            GenomeDeskSettings(protective_stop_multiple=2.0),
            GenomeDeskSettings(protective_target_multiple=1.0),
        )
    }
    assert len(hashes) == 3


def test_a_snapshot_of_futures_is_read_back_whole() -> None:
    taken = seal(
        futures(
            view("1000PEPEUSDT", spot_symbol="PEPEUSDT", spot_close=0.01),
            strategies=(short_strategy(),),
            leverage=3,
        )
    )
    again = from_json(to_json(taken))
    assert is_intact(again)
    assert again == taken
    assert (again.market, again.leverage) == (Market.USDM, 3)


def test_a_short_signal_sells_on_futures_and_is_another_decision_than_a_long() -> None:
    taken = futures(strategies=(short_strategy(),))
    decision = only(GenomeDesk().decide(taken))
    assert (decision.outcome, decision.reason_code) == (Outcome.FIRED, "entry_signal")
    assert decision.direction is Direction.SHORT
    long = only(GenomeDesk().decide(futures(strategies=(PaperStrategy("s1", GENES, ("AAAUSDT",), ()),))))
    assert long.decision_id != decision.decision_id


def test_on_spot_a_short_is_skipped_for_its_own_reason() -> None:
    decision = only(GenomeDesk().decide(snapshot(strategies=(short_strategy(),))))
    assert (decision.outcome, decision.reason_code) == (Outcome.SKIPPED, "no_shorts_on_spot")
    assert decision.checks[0].name == "market"
    assert (decision.quote_amount, math.isnan(decision.stop_price)) == (Decimal(0), True)


@pytest.mark.parametrize("desk", [ForkDesk(), GenomeDesk()])
def test_a_coin_without_a_contract_is_skipped(desk: ForkDesk | GenomeDesk) -> None:
    strategy = PaperStrategy("s1", GENES, ("AAAUSDT",), ())
    decision = only(desk.decide(futures(view(close=NAN), instruments={}, strategies=(strategy,))))
    assert (decision.outcome, decision.reason_code) == (Outcome.SKIPPED, "no_contract")


def test_a_coin_without_a_contract_takes_no_free_slot() -> None:
    desk = ForkDesk(ForkDeskSettings(max_open_positions=1))
    taken = futures(
        view(fork_adjusted=9.0),
        view("BBBUSDT"),
        instruments={"BBBUSDT": instrument("BBBUSDT", market=Market.USDM)},
    )
    reasons = {decision.symbol: decision.reason_code for decision in desk.decide(taken)}
    assert reasons == {"AAAUSDT": "no_contract", "BBBUSDT": "fork_entry"}


def test_one_symbol_both_ways_counts_two_slots_and_one_that_is_held_is_not_added_to() -> None:
    both = PaperStrategy("s1", GENES, ("BBBUSDT",), (), short_entry_symbols=("AAAUSDT", "BBBUSDT"))
    desk = GenomeDesk(GenomeDeskSettings(max_positions_per_strategy=2))
    views = (view(), view("BBBUSDT"))
    taken = futures(*views, strategies=(both,), portfolio={"positions": (short(),)})
    decisions = [item for item in desk.decide(taken) if item.action is Action.ENTER]
    assert [(item.symbol, item.direction, item.reason_code) for item in decisions] == [
        ("AAAUSDT", Direction.SHORT, "already_held"),
        ("BBBUSDT", Direction.LONG, "entry_signal"),
        ("BBBUSDT", Direction.SHORT, "max_positions_per_strategy"),
    ]


def test_an_exit_signal_of_its_own_side_forbids_an_entry() -> None:
    taken = futures(strategies=(short_strategy(leave=("AAAUSDT",)),))
    assert only(GenomeDesk().decide(taken)).reason_code == "exit_signal"
    other = PaperStrategy("s1", GENES, (), ("AAAUSDT",), short_entry_symbols=("AAAUSDT",))
    assert only(GenomeDesk().decide(futures(strategies=(other,)))).reason_code == "entry_signal"


@pytest.mark.parametrize(
    ("close", "hours", "given", "reason"),
    [
        (102.1, 1, short_strategy(()), "stop_loss"),
        (101.9, 1, short_strategy(()), "hold"),
        (95.9, 1, short_strategy(()), "take_profit"),
        (96.1, 1, short_strategy(()), "hold"),
        (100.0, 24, short_strategy(()), "time_exit"),
        (100.0, 1, short_strategy((), ("AAAUSDT",)), "exit_signal"),
        (100.0, 1, PaperStrategy("s1", GENES, (), ("AAAUSDT",)), "hold"),  # a long rule's exit
        (100.0, 1, PaperStrategy("other", GENES, (), ()), "strategy_retired"),
        (NAN, 1, short_strategy(()), "hold"),
    ],
)
def test_exits_of_shorts_mirror_those_of_longs(
    close: float, hours: float, given: PaperStrategy, reason: str
) -> None:
    held = short(opened_at_ms=CLOSE_MS - int(hours * HOUR_MS))
    taken = futures(view(close=close), strategies=(given,), portfolio={"positions": (held,)})
    decision = only(GenomeDesk().decide(taken))
    assert (decision.action, decision.reason_code) == (Action.EXIT, reason)
    assert decision.direction is Direction.SHORT


@pytest.mark.parametrize(
    ("best", "close", "reason"),
    [
        (98.0, 98.9, "hold"),
        (98.0, 98.99, "trailing_stop"),
        (99.6, 100.7, "hold"),  # the gain that switches it on was not reached
        (99.5, 100.5, "trailing_stop"),
        (NAN, 101.0, "hold"),  # an unknown best close is the cost
        (98.0, 103.0, "trailing_stop"),  # the nearer one of two stops
        (100.0, 102.6, "stop_loss"),
    ],
)
def test_the_stop_of_a_short_trails_the_lowest_close(best: float, close: float, reason: str) -> None:
    genes = {"stop_fraction": 0.025, "trailing_fraction": 0.01, "trailing_after_fraction": 0.005}
    trailing = PaperStrategy("s1", genes, (), (), (BestClose("AAAUSDT", best),))
    taken = futures(view(close=close), strategies=(trailing,), portfolio={"positions": (short(),)})
    assert only(GenomeDesk().decide(taken)).reason_code == reason


@pytest.mark.parametrize(("held", "close"), [(short(), 103.6), (short(quantity=Decimal(10)), 96.4)])
def test_a_trailing_stop_that_is_farther_than_the_fixed_one_does_not_count(
    held: Position, close: float
) -> None:
    genes = {"stop_fraction": 0.02, "trailing_fraction": 0.03, "trailing_after_fraction": 0.0}
    trailing = PaperStrategy("s1", genes, (), (), (BestClose("AAAUSDT", 100.0),))
    taken = futures(view(close=close), strategies=(trailing,), portfolio={"positions": (held,)})
    assert only(GenomeDesk().decide(taken)).reason_code == "stop_loss"


def test_a_short_gains_what_the_price_falls() -> None:
    assert return_fraction(short(average_cost=Decimal(200)), 150.0) == 0.25
    assert return_fraction(short(average_cost=Decimal(200)), 250.0) == -0.25
    assert math.isnan(return_fraction(short(average_cost=Decimal(0)), 250.0))
    assert return_fraction(position(quantity=Decimal("0.5"), average_cost=Decimal(200)), 250.0) == 0.25
    assert direction_of(position(quantity=Decimal("0.5"))) is Direction.LONG


def test_the_genome_desk_protects_beyond_its_own_stop_and_takes_no_profit_at_the_venue() -> None:
    taken = futures(strategies=(short_strategy(),))
    assert only(GenomeDesk().decide(taken)).stop_price == pytest.approx(103.0)
    assert math.isnan(only(GenomeDesk().decide(taken)).take_profit_price)
    spot = snapshot(strategies=(PaperStrategy("s1", GENES, ("AAAUSDT",), ()),))
    assert only(GenomeDesk().decide(spot)).stop_price == pytest.approx(97.0)
    wanted = GenomeDesk(GenomeDeskSettings(protective_stop_multiple=0, protective_target_multiple=1))
    decision = only(wanted.decide(taken))
    assert math.isnan(decision.stop_price)
    assert decision.take_profit_price == pytest.approx(96.0)
    without = PaperStrategy("s1", {"stop_fraction": 0.02}, ("AAAUSDT",), ())
    assert math.isnan(only(wanted.decide(snapshot(strategies=(without,)))).take_profit_price)


def test_the_fork_desk_protects_beyond_its_own_stop() -> None:
    assert only(ForkDesk().decide(snapshot())).stop_price == pytest.approx(91.0)
    settings = ForkDeskSettings(protective_stop_multiple=0, protective_target_multiple=2)
    decision = only(ForkDesk(settings).decide(snapshot()))
    assert math.isnan(decision.stop_price)
    assert decision.take_profit_price == pytest.approx(106.0)
    assert decision.direction is Direction.LONG


@pytest.mark.parametrize(
    ("close", "direction", "gain", "price"),
    [
        (100.0, Direction.LONG, -0.1, 90.0),
        (0.00001, Direction.LONG, -0.1, 0.000009),
        (100.0, Direction.SHORT, -0.1, 110.0),
        (100.0, Direction.SHORT, 0.1, 90.0),
        (100.0, Direction.LONG, -1.0, NAN),
        (100.0, Direction.SHORT, 1.5, NAN),
        (100.0, Direction.LONG, 0.0, NAN),
        (NAN, Direction.LONG, -0.1, NAN),
        (100.0, Direction.LONG, NAN, NAN),
    ],
)
def test_a_protective_price_is_a_price_or_none(
    close: float, direction: Direction, gain: float, price: float
) -> None:
    assert protective_price(close, direction, gain) == pytest.approx(price, nan_ok=True)


@pytest.mark.parametrize(
    ("slot", "genes", "allocation", "amount"),
    [
        (0.10, {"size_fraction": 0.03, "leverage": 2}, 1.0, "6000"),
        (0.02, {"size_fraction": 0.03, "leverage": 2}, 1.0, "2000"),
        (0.10, {"size_fraction": 0.03, "leverage": 1}, 0.5, "1500"),
        (0.10, {"size_fraction": 0.03}, 1.0, "10000"),
        (0.10, {"size_fraction": 0.0, "leverage": 1}, 1.0, "10000"),
    ],
)
def test_an_entry_asks_for_the_genomes_own_size_up_to_the_slot(
    slot: float, genes: dict[str, float], allocation: float, amount: str
) -> None:
    desk = GenomeDesk(GenomeDeskSettings(slot_fraction=slot))
    strategy = PaperStrategy("s1", GENES | genes, ("AAAUSDT",), (), allocation=allocation)
    assert only(desk.decide(snapshot(strategies=(strategy,)))).quote_amount == Decimal(amount)
