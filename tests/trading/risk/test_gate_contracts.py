"""What the gate asks of shorts, of contracts and of the prices that are to protect an entry."""

from __future__ import annotations

from dataclasses import astuple
from decimal import Decimal
from typing import Any

import pytest

from tests.trading_scenario import NAN, NOW_MS, decision, instrument, position, snapshot, view
from trading.execution.explain import counterfactual
from trading.model.decision import Decision, Direction, Verdict, VerdictKind
from trading.model.instrument import MarginBracket
from trading.model.series import Market
from trading.model.snapshot import Snapshot
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

D = Decimal
LIMITS = RiskLimits(cost_buffer_fraction=0.0)
SCHEDULE = (
    MarginBracket(D(0), D(1_500), 20, D("0.01"), D(0)),
    MarginBracket(D(1_500), D(10**9), 5, D("0.05"), D(60)),
)


def futures(**changes: Any) -> Snapshot:
    seen = changes.pop("view", {})
    listed = instrument(market=Market.USDM, brackets=SCHEDULE)
    defaults: dict[str, Any] = {"market": Market.USDM, "instruments": {"AAAUSDT": listed}}
    return snapshot(view(**({"spot_symbol": "AAAUSDT", "spot_close": 100.0} | seen)), **(defaults | changes))


def short(**changes: Any) -> Decision:
    return decision(**({"direction": Direction.SHORT} | changes))


def judged(taken: Snapshot, *wanted: Decision) -> Verdict:
    """The verdict on the last of the decisions."""
    return judge(wanted or [short()], taken, LIMITS, NOW_MS)[-1]


def reason(taken: Snapshot, *wanted: Decision) -> str:
    return judged(taken, *wanted).reason_code


def test_a_short_on_futures_is_approved_with_its_own_checks() -> None:
    verdict = judged(futures())
    assert (verdict.kind, verdict.quote_amount) == (VerdictKind.APPROVED, D(1000))
    own = [
        (item.name, item.passed) for item in verdict.checks if item.name in ("derivatives", "opposite_held")
    ]
    assert own == [("derivatives", True), ("opposite_held", True)]


def test_a_long_on_spot_is_asked_none_of_it() -> None:
    names = {item.name for item in judged(snapshot(), decision()).checks}
    assert not names & {"derivatives", "opposite_held", "basis_fraction", "leverage", "stop_price"}


@pytest.mark.parametrize(
    "taken",
    [
        snapshot(view(spot_close=100.0)),
        futures(market=Market.SPOT),
        futures(instruments={"AAAUSDT": instrument()}),
    ],
)
def test_a_short_needs_a_derivatives_market_and_a_contract(taken: Snapshot) -> None:
    assert reason(taken) == "derivatives"


def test_an_entry_on_futures_needs_a_contract_long_or_short() -> None:
    assert reason(futures(instruments={"AAAUSDT": instrument()}), decision()) == "derivatives"
    assert reason(futures(instruments={}), decision()) == "instrument_unknown"


@pytest.mark.parametrize("desk", ["fork", "genome", "manual"])
def test_what_anybody_holds_the_other_way_refuses(desk: str) -> None:
    long = {"positions": (position(desk=desk, quantity=D(1)),)}
    assert reason(futures(portfolio=long)) == "opposite_held"
    assert reason(futures(portfolio=long), decision()) == "within_limits"
    held_short = {"positions": (position(desk=desk, quantity=D(-1)),)}
    assert reason(futures(portfolio=held_short), decision()) == "opposite_held"
    assert reason(futures(portfolio=held_short)) == "within_limits"
    elsewhere = {"positions": (position("BBBUSDT", desk=desk, quantity=D(1)),)}
    assert reason(futures(portfolio=elsewhere)) == "exposure_fraction_unknown"  # BBBUSDT has no price


def test_so_does_what_was_approved_a_moment_ago() -> None:
    other = decision(desk="genome", strategy_id="s1")
    assert reason(futures(), other, short()) == "opposite_held"
    assert reason(futures(), short(desk="genome", strategy_id="s1"), decision()) == "opposite_held"
    refused = decision(desk="genome", strategy_id="s1", quote_amount=D(0))
    assert reason(futures(), refused, short()) == "within_limits"


@pytest.mark.parametrize(
    ("close", "spot_close", "expected"),
    [
        (100.0, 95.5, "within_limits"),
        (100.0, 95.0, "basis_fraction"),
        (100.0, 105.0, "within_limits"),
        (100.0, 106.0, "basis_fraction"),
        (100.0, 0.1, "basis_fraction"),  # a contract of a thousand taken for one
        (100.0, NAN, "basis_fraction_unknown"),
        (100.0, 0.0, "basis_fraction_unknown"),
        (100.0, -100.0, "basis_fraction_unknown"),
    ],
)
def test_the_contract_costs_about_what_its_pair_does(close: float, spot_close: float, expected: str) -> None:
    taken = futures(view={"close": close, "spot_close": spot_close})
    assert reason(taken) == expected
    assert reason(taken, decision()) == expected


def test_a_contract_without_a_price_is_refused() -> None:
    assert reason(futures(view={"close": NAN}), short(reference_price=NAN)) == "price_unknown"


@pytest.mark.parametrize("field", ["stop_price", "take_profit_price"])
@pytest.mark.parametrize("direction", list(Direction))
@pytest.mark.parametrize("price", [0.5, 90.0, 100.0, 110.0, -1.0, 0.0, float("inf")])
def test_protection_lies_on_its_own_side_of_the_price(field: str, direction: Direction, price: float) -> None:
    below = (field == "stop_price") is (direction is Direction.LONG)
    good = price in (0.5, 90.0) if below else price == 110.0
    verdict = judged(futures(), decision(direction=direction, **{field: price}))
    expected = "within_limits" if good else f"{field}_unknown" if price == float("inf") else field
    assert verdict.reason_code == expected


def test_protection_of_an_unknown_price_is_refused() -> None:
    verdict = judged(futures(view={"close": NAN}), short(stop_price=110.0))
    failed = {item.name for item in verdict.checks if not item.passed}
    assert "stop_price" in failed


@pytest.mark.parametrize(
    ("leverage", "amount", "stop", "expected"),
    [
        (1, 1_000, NAN, "within_limits"),
        (10, 1_000, 108.9, "within_limits"),
        (10, 1_000, 109.1, "stop_distance_fraction"),  # liquidated at 9 %
        (10, 1_000, NAN, "stop_distance_fraction_unknown"),
        (21, 1_000, 101.0, "leverage"),
        (0, 1_000, 101.0, "leverage"),
        (2, 1_000, NAN, "stop_distance_fraction_unknown"),
        (2, 1_000, 148.9, "within_limits"),
        (10, 1_499, 101.0, "within_limits"),
        (10, 1_500, 101.0, "leverage"),  # the next step of the schedule allows 5
        (5, 1_500, 114.9, "within_limits"),
    ],
)
def test_leverage_is_what_the_schedule_allows_and_stops_come_before_liquidation(
    leverage: int, amount: int, stop: float, expected: str
) -> None:
    taken = futures(leverage=leverage)
    assert reason(taken, short(quote_amount=D(amount), stop_price=stop)) == expected


def test_the_step_of_the_schedule_is_that_of_all_that_is_then_held() -> None:
    held = {"positions": (position(quantity=D(-6)),)}
    wanted = short(stop_price=101.0)
    assert reason(futures(leverage=10), wanted) == "within_limits"
    assert reason(futures(leverage=10, portfolio=held), wanted) == "leverage"


def test_leverage_without_a_schedule_is_refused() -> None:
    bare = {"AAAUSDT": instrument(market=Market.USDM)}
    assert reason(futures(leverage=2, instruments=bare), short(stop_price=101.0)) == "leverage"
    assert reason(futures(leverage=1, instruments=bare), short(stop_price=101.0)) == "within_limits"


def test_leverage_on_what_is_not_known_is_refused() -> None:
    wanted = short(stop_price=101.0)
    assert reason(futures(leverage=2, instruments={}), wanted) == "instrument_unknown"
    unpriced = futures(leverage=2, view={"close": NAN}, portfolio={"positions": (position(quantity=D(-1)),)})
    failed = {item.name: item.value for item in judged(unpriced, wanted).checks if not item.passed}
    assert failed.keys() >= {"leverage", "stop_distance_fraction"}


def test_the_journal_says_what_was_asked_word_for_word() -> None:
    """People read it, and counterfactuals are made of it."""
    verdict = judged(futures(leverage=10), short(stop_price=109.5, take_profit_price=90.0))
    asked = {item.name: astuple(item) for item in verdict.checks}
    assert [asked[name] for name in list(asked)[14:20]] == [
        ("derivatives", True, "yes", "yes", "must be"),
        ("opposite_held", True, "no", "no", "must be"),
        ("basis_fraction", True, 0.0, 0.05, "≤"),
        ("leverage", True, 10.0, 20.0, "≤ the margin schedule"),
        ("stop_distance_fraction", False, pytest.approx(0.095), pytest.approx(0.09), "< before liquidation"),
        ("stop_price", True, 109.5, 100.0, ">"),
    ]
    assert asked["take_profit_price"] == ("take_profit_price", True, 90.0, 100.0, "<")
    bare = {"AAAUSDT": instrument(market=Market.USDM)}
    unknown = {item.name: astuple(item) for item in judged(futures(leverage=2, instruments=bare)).checks}
    note = "≤ the margin schedule is not known"
    assert unknown["leverage"] == ("leverage", False, 2.0, None, note)
    assert unknown["stop_distance_fraction"][1:] == (False, None, None, "< before liquidation")
    assert counterfactual(verdict.checks) == (
        "would have traded had stop_distance_fraction been < 0.09 before liquidation (was 0.095)"
    )


def test_shorts_use_up_exposure_and_cash_as_longs_do() -> None:
    """40 units short at 100: their value counts, what they brought in does not, and as much stands behind them."""
    held = {"positions": (position("BBBUSDT", quantity=D(-40)),), "cash": D(14_000), "equity": D(10_000)}
    taken = futures(
        portfolio={**held, "equity_day_start": D(10_000)},
        symbols={"AAAUSDT": view(spot_close=100.0), "BBBUSDT": view("BBBUSDT", spot_close=100.0)},
    )
    verdict = judged(taken, short(quote_amount=D(9_000)))
    by_name = {item.name: item for item in verdict.checks}
    assert by_name["exposure_fraction"].value == 1.3
    assert by_name["cash_reserve_fraction"].value == -0.3
    assert (verdict.kind, verdict.quote_amount) == (VerdictKind.SHRUNK, D(2_000))
