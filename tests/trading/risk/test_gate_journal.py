"""What the journal keeps of each judgement, word for word: people read it, and counterfactuals are made of it."""

from __future__ import annotations

import math
from dataclasses import astuple
from decimal import Decimal

from tests.trading_scenario import (
    CLOSE_MS,
    NOW_MS,
    decision,
    exit_decision,
    instrument,
    position,
    snapshot,
    view,
)
from trading.model.decision import Decision, Verdict, VerdictKind
from trading.model.snapshot import Controls, Snapshot
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits

D = Decimal
BAR_MS = 15 * 60_000
LIMITS = RiskLimits(
    max_position_fraction=0.2,
    max_portfolio_exposure_fraction=0.8,
    max_daily_loss_fraction=0.05,
    max_spread_bps=15.0,
    max_staleness_bars=2,
    bar_minutes=15,
    max_decision_age_minutes=60.0,
    min_cash_reserve_fraction=0.1,
    cost_buffer_fraction=0.005,
    max_open_positions=3,
)
Rows = list[tuple[object, ...]]


def judged(taken: Snapshot, *wanted: Decision, limits: RiskLimits = LIMITS) -> Verdict:
    """The verdict on the last of the decisions."""
    return judge(wanted or [decision()], taken, limits, NOW_MS)[-1]


def rows(verdict: Verdict) -> Rows:
    return [astuple(check) for check in verdict.checks]


HELD = tuple(position(f"{name}USDT", quantity=D(3)) for name in ("AAA", "BBB", "CCC"))
BROKEN = snapshot(
    view(spread_bps=99.0, bar_close_ms=CLOSE_MS - 3 * BAR_MS),
    view("BBBUSDT"),
    view("CCCUSDT"),
    portfolio={
        "positions": (*HELD, position("DDDUSDT", quantity=D(1))),
        "cash": D(50),
        "equity": D(1000),
        "equity_day_start": D(2000),
        "pending_symbols": ("AAAUSDT",),
        "unknown_symbols": ("AAAUSDT",),
        "broken_symbols": ("AAAUSDT",),
        "account_breaks": 2,
    },
    controls=Controls(halted=True),
    instruments={"AAAUSDT": instrument(status="BREAK", max_quantity=D("0.05"))},
)
CLEAN: Rows = [
    ("repeated", True, "no", "no", "must be"),
    ("halted", True, "no", "no", "must be"),
    ("snapshot", True, "snapshot", "snapshot", "must be"),
    ("unknown_order", True, "no", "no", "must be"),
    ("pending_order", True, "no", "no", "must be"),
    ("open_breaks", True, 0.0, 0.0, "≤"),
    ("instrument", True, "TRADING", "TRADING", "must be"),
    ("price", True, 100.0, 100.0, "must be the close"),
    ("amount", True, 1000.0, 0.0, ">"),
    ("staleness_bars", True, 0.0, 2.0, "≤"),
    ("decision_age_minutes", True, 20.0, 60.0, "≤"),
    ("spread_bps", True, 5.0, 15.0, "≤"),
    ("daily_loss_fraction", True, 0.0, 0.05, "<"),
    ("open_positions", True, 1.0, 3.0, "≤"),
    ("position_fraction", True, 0.01, 0.2, "≤ of equity"),
    ("exposure_fraction", True, 0.01, 0.8, "≤ of equity"),
    ("cash_reserve_fraction", True, 0.98995, 0.1, "≥ of equity"),
    ("max_quantity", True, 10.0, None, "≤ unbounded"),
    ("min_notional", True, 1000.0, 10.0, "≥"),
]
DUST = snapshot(
    view(close=1.0),
    portfolio={
        "positions": (position(quantity=D("0.0005")),),
        "pending_symbols": ("AAAUSDT",),
        "unknown_symbols": ("AAAUSDT",),
    },
)


def changed(*different: tuple[object, ...]) -> Rows:
    """The rows of a clean entry with others of the same names in their places."""
    by_name = {row[0]: row for row in different}
    return [by_name.get(row[0], row) for row in CLEAN]


def test_a_clean_entry() -> None:
    verdict = judged(snapshot())
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.APPROVED,
        "within_limits",
        D("1000"),
    )
    assert rows(verdict) == CLEAN


def test_an_entry_that_breaks_everything() -> None:
    verdict = judged(
        BROKEN, decision(snapshot_id="other", reference_price=101.0, bar_close_ms=CLOSE_MS - 7_200_000)
    )
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "halted",
        D("0"),
    )
    assert rows(verdict) == [
        ("repeated", True, "no", "no", "must be"),
        ("halted", False, "yes", "no", "must be"),
        ("snapshot", False, "other", "snapshot", "must be"),
        ("unknown_order", False, "yes", "no", "must be"),
        ("pending_order", False, "yes", "no", "must be"),
        ("open_breaks", False, 3.0, 0.0, "≤"),
        ("instrument", False, "BREAK", "TRADING", "must be"),
        ("price", False, 101.0, 100.0, "must be the close"),
        ("amount", True, 1000.0, 0.0, ">"),
        ("staleness_bars", False, 3.0, 2.0, "≤"),
        ("decision_age_minutes", False, 140.0, 60.0, "≤"),
        ("spread_bps", False, 99.0, 15.0, "≤"),
        ("daily_loss_fraction", False, 0.5, 0.05, "<"),
        ("open_positions", False, 4.0, 3.0, "≤"),
        ("position_fraction", False, 1.3, 0.2, "≤ of equity"),
        ("exposure_fraction", False, None, 0.8, "≤ of equity"),
        ("cash_reserve_fraction", False, -0.955, 0.1, "≥ of equity"),
        ("max_quantity", False, 10.0, 0.05, "≤"),
        (
            "min_notional",
            False,
            0.0,
            10.0,
            "≥ quantity 0 is not above 0; quantity 0 is below min_quantity 0.001; notional 0.0 is below min_notional 10",
        ),
    ]


def test_an_entry_of_which_nothing_is_known() -> None:
    verdict = judged(
        snapshot(view(close=math.nan, spread_bps=math.nan), instruments={}),
        decision("ZZZUSDT", quote_amount=D("NaN")),
    )
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "instrument_unknown",
        D("0"),
    )
    assert rows(verdict) == changed(
        ("instrument", False, None, "TRADING", "must be"),
        ("price", False, 100.0, None, "must be the close"),
        ("amount", False, None, 0.0, ">"),
        ("staleness_bars", False, None, 2.0, "≤"),
        ("spread_bps", False, None, 15.0, "≤"),
        ("position_fraction", False, None, 0.2, "≤ of equity"),
        ("exposure_fraction", False, None, 0.8, "≤ of equity"),
        ("cash_reserve_fraction", False, None, 0.1, "≥ of equity"),
        ("max_quantity", False, None, None, "≤"),
        ("min_notional", False, None, None, "≥"),
    )


def test_an_entry_from_the_future() -> None:
    verdict = judged(
        snapshot(view(bar_close_ms=CLOSE_MS + BAR_MS)), decision(bar_close_ms=CLOSE_MS + 7_200_000)
    )
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "staleness_bars",
        D("0"),
    )
    assert rows(verdict) == changed(
        ("staleness_bars", False, -1.0, 0.0, "≥ the bar is in the future"),
        ("decision_age_minutes", False, -100.0, 0.0, "≥ the bar has not closed"),
    )


def test_an_entry_cut_to_its_room() -> None:
    verdict = judged(
        snapshot(instruments={"AAAUSDT": instrument(max_quantity=D(50))}), decision(quote_amount=D(30_000))
    )
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.SHRUNK,
        "max_quantity",
        D("5000.0"),
    )
    assert rows(verdict) == changed(
        ("amount", True, 30000.0, 0.0, ">"),
        ("position_fraction", False, 0.3, 0.2, "≤ of equity"),
        ("exposure_fraction", True, 0.3, 0.8, "≤ of equity"),
        ("cash_reserve_fraction", True, 0.6985, 0.1, "≥ of equity"),
        ("max_quantity", False, 300.0, 50.0, "≤"),
        ("min_notional", True, 5000.0, 10.0, "≥"),
    )


def test_the_same_entry_twice() -> None:
    verdict = judged(snapshot(), decision(), decision())
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "repeated",
        D("0"),
    )
    assert rows(verdict) == changed(
        ("repeated", False, "yes", "no", "must be"),
        ("position_fraction", True, 0.02, 0.2, "≤ of equity"),
        ("exposure_fraction", True, 0.02, 0.8, "≤ of equity"),
        ("cash_reserve_fraction", True, 0.9799, 0.1, "≥ of equity"),
    )


def test_an_exit() -> None:
    verdict = judged(snapshot(portfolio={"positions": (position(quantity=D(3)),)}), exit_decision())
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.APPROVED,
        "reduction",
        D("0"),
    )
    assert rows(verdict) == [
        ("repeated", True, "no", "no", "must be"),
        ("unknown_order", True, "no", "no", "must be"),
        ("pending_order", True, "no", "no", "must be"),
        ("held", True, 1.0, 1.0, "≥ position 3"),
        ("dust", True, 3.0, 0.001, "≥"),
    ]


def test_an_exit_of_dust_in_doubt() -> None:
    verdict = judged(DUST, exit_decision())
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "unknown_order",
        D("0"),
    )
    assert rows(verdict) == [
        ("repeated", True, "no", "no", "must be"),
        ("unknown_order", False, "yes", "no", "must be"),
        ("pending_order", False, "yes", "no", "must be"),
        ("held", True, 1.0, 1.0, "≥ position 0.0005"),
        (
            "dust",
            False,
            0.0,
            0.001,
            "≥ quantity 0.000 is not above 0; quantity 0.000 is below min_quantity 0.001; notional 0.0000 is below min_notional 10",
        ),
    ]


def test_an_exit_without_a_holding_or_filters() -> None:
    verdict = judged(snapshot(instruments={}), exit_decision())
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (VerdictKind.REFUSED, "held", D("0"))
    assert rows(verdict) == [
        ("repeated", True, "no", "no", "must be"),
        ("unknown_order", True, "no", "no", "must be"),
        ("pending_order", True, "no", "no", "must be"),
        ("held", False, 0.0, 1.0, "≥ position 0"),
        ("dust", True, 0.0, None, "≥ filters unknown"),
    ]


def test_the_same_exit_twice() -> None:
    verdict = judged(
        snapshot(portfolio={"positions": (position(quantity=D(3)),)}), exit_decision(), exit_decision()
    )
    assert (verdict.kind, verdict.reason_code, verdict.quote_amount) == (
        VerdictKind.REFUSED,
        "repeated",
        D("0"),
    )
    assert rows(verdict) == [
        ("repeated", False, "yes", "no", "must be"),
        ("unknown_order", True, "no", "no", "must be"),
        ("pending_order", True, "no", "no", "must be"),
        ("held", True, 1.0, 1.0, "≥ position 3"),
        ("dust", True, 3.0, 0.001, "≥"),
    ]
