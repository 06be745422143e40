"""The gate where a limit is met exactly, where an amount is tiny, and what counts as exposure."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from tests.trading_scenario import NAN, NOW_MS, decision, instrument, position, snapshot, view
from trading.model.decision import Check, Decision, Verdict, VerdictKind
from trading.model.snapshot import Snapshot
from trading.risk.checks import Context, max_quantity
from trading.risk.exposure import exposure_of
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

D = Decimal
LIMITS = RiskLimits(
    max_position_fraction=0.2,
    max_portfolio_exposure_fraction=0.8,
    max_daily_loss_fraction=0.05,
    max_spread_bps=15.0,
    max_staleness_bars=2,
    bar_minutes=15,
    max_decision_age_minutes=60.0,
    min_cash_reserve_fraction=0.1,
    cost_buffer_fraction=0.0,
    max_open_positions=3,
)
#: A venue that takes any amount.
TINY = {"AAAUSDT": instrument(lot_step=D("0.00001"), min_quantity=D(0), min_notional=D(0))}


def judged(taken: Snapshot, *wanted: Decision, limits: RiskLimits = LIMITS) -> Verdict:
    """The verdict on the last of the decisions."""
    return judge(wanted or [decision()], taken, limits, NOW_MS)[-1]


def check(verdict: Verdict, name: str) -> Check:
    return next(item for item in verdict.checks if item.name == name)


@pytest.mark.parametrize(
    ("amount", "reason"), [("0.5", "within_limits"), ("0", "amount"), ("-0.5", "amount")]
)
def test_an_amount_below_one_is_an_amount(amount: str, reason: str) -> None:
    assert judged(snapshot(instruments=TINY), decision(quote_amount=D(amount))).reason_code == reason


@pytest.mark.parametrize(("now", "reason"), [("0.96", "within_limits"), ("0.95", "daily_loss_fraction")])
def test_an_account_of_less_than_one_has_a_daily_loss_too(now: str, reason: str) -> None:
    small = {"equity": D(now), "cash": D(now), "equity_day_start": D(1)}
    verdict = judged(snapshot(instruments=TINY, portfolio=small), decision(quote_amount=D("0.1")))
    assert verdict.reason_code == reason


@pytest.mark.parametrize(("start", "value"), [("0.5", 0.1), ("0", None), ("-1", None)])
def test_a_loss_is_a_share_of_what_was_there(start: str, value: float | None) -> None:
    taken = snapshot(portfolio={"equity": D("0.45"), "equity_day_start": D(start)})
    assert check(judged(taken), "daily_loss_fraction").value == value


@pytest.mark.parametrize("equity", ["1", "0.5"])
def test_an_account_of_one_or_less_has_shares(equity: str) -> None:
    small = {"equity": D(equity), "cash": D(equity), "equity_day_start": D(equity)}
    verdict = judged(snapshot(instruments=TINY, portfolio=small), decision(quote_amount=D(equity) / 10))
    assert verdict.reason_code == "within_limits"
    assert check(verdict, "position_fraction").value == 0.1
    assert check(verdict, "cash_reserve_fraction").value == 0.9


@pytest.mark.parametrize("name", ["position_fraction", "exposure_fraction", "cash_reserve_fraction"])
def test_a_limit_met_exactly_is_kept(name: str) -> None:
    loose = replace(
        LIMITS, max_position_fraction=1.0, max_portfolio_exposure_fraction=1.0, min_cash_reserve_fraction=0.0
    )
    field, fraction = {
        "position_fraction": ("max_position_fraction", 0.25),
        "exposure_fraction": ("max_portfolio_exposure_fraction", 0.25),
        "cash_reserve_fraction": ("min_cash_reserve_fraction", 0.75),
    }[name]
    verdict = judged(snapshot(), decision(quote_amount=D(25_000)), limits=replace(loose, **{field: fraction}))
    assert verdict.kind is VerdictKind.APPROVED
    found = check(verdict, name)
    assert (found.passed, found.value, found.limit) == (True, fraction, fraction)


def test_an_amount_that_is_no_number_leaves_nothing_to_buy() -> None:
    verdict = judged(snapshot(), decision(quote_amount=D("NaN")))
    assert (verdict.kind, verdict.reason_code) == (VerdictKind.REFUSED, "amount_unknown")
    assert check(verdict, "min_notional").value == 0.0


def test_a_venue_without_a_largest_order_leaves_room_for_all_that_is_wanted() -> None:
    taken = snapshot()
    limit = max_quantity(Context(decision(), taken, LIMITS, NOW_MS, exposure_of(taken)))
    assert limit.room == D(1000), "no room at all would mean that it is unknown"


def test_an_approved_entry_adds_to_what_is_held_already() -> None:
    held = (position(desk="other", quantity=D(50)),)
    wanted = [decision(quote_amount=D(10_000)), decision(desk="genome", quote_amount=D(15_000))]
    verdict = judged(snapshot(portfolio={"positions": held}), *wanted)
    assert (verdict.kind, verdict.quote_amount) == (VerdictKind.SHRUNK, D(5_000))
    assert check(verdict, "position_fraction").value == 0.3


def test_a_closed_position_hides_none_that_comes_after_it() -> None:
    book = (position("BBBUSDT", quantity=D(0)), position("AAAUSDT", quantity=D(10)))
    exposure = exposure_of(snapshot(view(), view("BBBUSDT"), portfolio={"positions": book}))
    assert (exposure.total, exposure.by_symbol) == (D(1000), {"AAAUSDT": D(1000)})
    assert exposure.open_keys == {("fork", "", "AAAUSDT")}


def test_an_order_under_way_takes_one_place_whoever_sent_it() -> None:
    portfolio = {
        "positions": (position(),),
        "pending_symbols": ("AAAUSDT", "BBBUSDT"),
        "unknown_symbols": ("BBBUSDT", "CCCUSDT"),
    }
    assert exposure_of(snapshot(portfolio=portfolio)).open_keys == {
        ("fork", "", "AAAUSDT"),
        ("pending", "", "BBBUSDT"),
        ("pending", "", "CCCUSDT"),
    }


def test_what_a_short_brought_in_is_not_spent_and_as_much_again_stands_behind_it() -> None:
    short = (position("BBBUSDT", quantity=D(-10), average_cost=D(90)),)
    taken = snapshot(view(), view("BBBUSDT"), portfolio={"positions": short, "pending_buy_amount": D(500)})
    exposure = exposure_of(taken)
    assert exposure.cash == D(100_000) - D(500) - 2 * D(900)
    assert exposure.total == D(500) + D(1000)
    unknown = exposure_of(snapshot(view(), view("BBBUSDT", close=NAN), portfolio={"positions": short}))
    assert (unknown.total, unknown.by_symbol) == (None, {"BBBUSDT": None})
