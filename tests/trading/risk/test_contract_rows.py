"""What the journal keeps of the checks of shorts and contracts, word for word, and their limits met exactly."""

from __future__ import annotations

import math
from dataclasses import astuple
from decimal import Decimal
from typing import Any

import pytest

from tests.trading_scenario import NAN, NOW_MS, decision, instrument, position, snapshot, view
from trading.model.decision import Check, Decision, Direction
from trading.model.instrument import MarginBracket
from trading.model.series import Market
from trading.model.snapshot import Snapshot
from trading.risk import contracts
from trading.risk.checks import Context
from trading.risk.exposure import exposure_of
from trading.risk.limits import RiskLimits

D = Decimal
LIMITS = RiskLimits(max_basis_fraction=0.05)
SCHEDULE = (MarginBracket(D(0), D(10**9), 20, D("0.01"), D(0)),)


def futures(**changes: Any) -> Snapshot:
    seen = changes.pop("view", {})
    listed = instrument(market=Market.USDM, brackets=SCHEDULE)
    defaults: dict[str, Any] = {"market": Market.USDM, "instruments": {"AAAUSDT": listed}}
    return snapshot(view(**({"spot_symbol": "AAAUSDT", "spot_close": 100.0} | seen)), **(defaults | changes))


def context(taken: Snapshot, wanted: Decision | None = None) -> Context:
    asked = wanted or decision(direction=Direction.SHORT)
    return Context(asked, taken, LIMITS, NOW_MS, exposure_of(taken))


def row(check: Check) -> tuple[object, ...]:
    return astuple(check)


def test_a_short_that_nothing_speaks_for() -> None:
    held = {"positions": (position(quantity=D("0.5")),)}
    asked = context(snapshot(view(spot_close=NAN), portfolio=held))
    assert [row(check) for check in contracts.contract_checks(asked)] == [
        ("derivatives", False, "no", "yes", "must be"),
        ("opposite_held", False, "yes", "no", "must be"),
        ("basis_fraction", False, None, 0.05, "≤"),
    ]


@pytest.mark.parametrize("seen", [{"close": NAN}, {"close": NAN, "spot_close": NAN}, {"spot_close": 0.0}])
def test_a_basis_of_unknown_prices_is_unknown(seen: dict[str, float]) -> None:
    assert row(contracts.basis(context(futures(view=seen)))) == ("basis_fraction", False, None, 0.05, "≤")
    gone = context(futures(), decision("ZZZUSDT", direction=Direction.SHORT))
    assert row(contracts.basis(gone)) == ("basis_fraction", False, None, 0.05, "≤")


@pytest.mark.parametrize(
    ("leverage", "passed"), [(0, False), (1, True), (2, True), (20, True), (21, False), (-1, False)]
)
def test_leverage_at_and_beyond_its_ends(leverage: int, passed: bool) -> None:
    check = contracts.leverage(context(futures(leverage=leverage)))
    assert row(check) == ("leverage", passed, float(leverage), 20.0, "≤ the margin schedule")


@pytest.mark.parametrize(
    ("price", "close", "expected"),
    [
        (math.inf, 100.0, (False, None, 100.0)),
        (90.0, NAN, (False, 90.0, None)),
        (math.inf, NAN, (False, None, None)),
        (90.0, 100.0, (True, 90.0, 100.0)),
        (100.0, 100.0, (False, 100.0, 100.0)),
        (110.0, 100.0, (False, 110.0, 100.0)),
    ],
)
def test_a_stop_beside_a_price(
    price: float, close: float, expected: tuple[bool, float | None, float | None]
) -> None:
    taken = futures(view={"close": close})
    long = contracts.stop_price(context(taken, decision(stop_price=price)))
    assert row(long) == ("stop_price", *expected, "<")
    target = contracts.take_profit_price(
        context(taken, decision(direction=Direction.SHORT, take_profit_price=price))
    )
    assert row(target) == ("take_profit_price", *expected, "<")


def test_a_small_holding_has_a_direction_as_a_large_one_has() -> None:
    for quantity, way in (("0.001", Direction.LONG), ("-0.001", Direction.SHORT), ("1", Direction.LONG)):
        held = {"positions": (position(quantity=D(quantity)),)}
        assert exposure_of(futures(portfolio=held)).directions == {("AAAUSDT", way)}
