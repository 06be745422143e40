"""The gate's signature: every part of an order that shapes its effect is under it."""

from __future__ import annotations

from dataclasses import fields, replace
from decimal import Decimal
from typing import Any

import pytest

from tests.trading_scenario import order
from trading.errors import BadData
from trading.execution.approval import leg_objection, objection, sign_intents, sign_legs, signature_of
from trading.execution.lifecycle import Life
from trading.execution.links import Bracket, bracket_steps
from trading.model.decision import Check, Verdict, VerdictKind
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side
from trading.model.series import Market

KEY = b"0" * 32
CHECKS = (Check("spread_bps", True, 5.0, 15.0, "≤"), Check("price", True, float("nan"), None))
VERDICT = Verdict("decision", VerdictKind.APPROVED, "within_limits", Decimal("1000"), CHECKS)
(SIGNED,) = sign_intents([order()], [VERDICT], KEY)

CHANGES: dict[str, Any] = {
    "client_order_id": "tm-1",
    "decision_id": "other",
    "tick_id": "other",
    "venue": "binance",
    "account": "other",
    "desk": "other",
    "strategy_id": "other",
    "symbol": "BBBUSDT",
    "side": Side.SELL,
    "quantity": Decimal("10.000000000000000001"),
    "reference_price": Decimal(101),
    "not_before_ms": 0,
    "order_type": OrderType.LIMIT,
    "limit_price": Decimal(100),
    "stop_price": Decimal(90),
    "reduce_only": True,
    "role": OrderRole.STOP,
    "parent_id": "tm-9",
    "market": Market.USDM,
}
BOOKKEEPING = {"state": OrderState.SENDING, "created_at_ms": 1, "sending_at_ms": 2}


def test_what_was_signed_has_no_objection_in_any_state() -> None:
    assert objection(SIGNED, VERDICT, KEY) == ""
    assert objection(replace(SIGNED, **BOOKKEEPING), VERDICT, KEY) == ""
    stored = replace(VERDICT, quote_amount=Decimal("1000.000000000000000000"))
    assert objection(replace(SIGNED, quantity=Decimal("10.000")), stored, KEY) == "", (
        "as the ledger reads them"
    )


def test_every_field_is_signed_or_known_to_be_bookkeeping() -> None:
    assert {*CHANGES, *BOOKKEEPING, "signature"} == {field.name for field in fields(Order)}


@pytest.mark.parametrize("name", CHANGES)
def test_a_changed_field_shows(name: str) -> None:
    changed = replace(SIGNED, **{name: CHANGES[name]})
    assert changed != SIGNED
    assert "not what the risk gate signed" in objection(changed, VERDICT, KEY)


@pytest.mark.parametrize(
    "verdict",
    [
        replace(VERDICT, quote_amount=Decimal("1000.01")),
        replace(VERDICT, kind=VerdictKind.SHRUNK),
        replace(VERDICT, checks=CHECKS[:1]),
        replace(VERDICT, checks=(replace(CHECKS[0], limit=16.0), CHECKS[1])),
    ],
)
def test_a_changed_verdict_shows(verdict: Verdict) -> None:
    assert "not what the risk gate signed" in objection(SIGNED, verdict, KEY)


def test_nothing_goes_out_unsigned_refused_or_under_another_key() -> None:
    assert "has not signed" in objection(order(), VERDICT, KEY)
    assert "no risk verdict" in objection(SIGNED, None, KEY)
    assert "another" not in objection(SIGNED, VERDICT, KEY)
    assert objection(SIGNED, VERDICT, b"1" * 32)
    refused = replace(VERDICT, kind=VerdictKind.REFUSED, reason_code="halted")
    forged = replace(order(), signature=signature_of(order(), refused, KEY))
    assert objection(forged, refused, KEY) == "the risk gate refused it: halted"
    for verdicts in ([], [refused]):
        with pytest.raises(BadData, match="did not approve"):
            sign_intents([order()], verdicts, KEY)


BRACKET = Bracket(Decimal(90), Decimal(120))
STOP, TARGET = bracket_steps(
    order(), Life("tm-0", Decimal(10), OrderState.FILLED, Decimal(10)), BRACKET, [], 0
).place


def test_an_entrys_verdict_approves_its_legs() -> None:
    signed = sign_legs([STOP, TARGET], order(), Decimal(10), BRACKET, VERDICT, KEY)
    assert [objection(leg, VERDICT, KEY) for leg in signed] == ["", ""]
    closing = replace(STOP, order_type=OrderType.MARKET, stop_price=None)
    assert sign_legs([closing], order(), Decimal(10), BRACKET, VERDICT, KEY)[0].signature


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"quantity": Decimal("10.001")}, "not within the 10"),
        ({"quantity": Decimal(0)}, "not within the 10"),
        ({"side": Side.BUY}, "on the other side"),
        ({"reduce_only": False}, "on the other side"),
        ({"parent_id": "tm-9"}, "does not protect"),
        ({"role": OrderRole.SINGLE}, "does not protect"),
        ({"role": OrderRole.REPLACEMENT}, "does not protect"),
        ({"order_type": OrderType.LIMIT}, "cannot be a limit order"),
        ({"order_type": OrderType.TAKE_PROFIT}, "cannot be a take_profit order"),
        *(({name: "other"}, f"{name} is other")
          for name in ("decision_id", "venue", "account", "desk", "strategy_id", "symbol")),
        ({"market": Market.USDM}, "market is"),
        ({"stop_price": Decimal(89)}, "its price is 89, approved is 90"),
    ],
)  # fmt: skip
def test_it_approves_nothing_else(change: dict[str, Any], words: str) -> None:
    with pytest.raises(BadData, match=words):
        sign_legs([replace(STOP, **change)], order(), Decimal(10), BRACKET, VERDICT, KEY)


def test_a_take_profit_never_goes_out_at_the_market_nor_without_a_price_for_it() -> None:
    assert "cannot be a market order" in leg_objection(
        replace(TARGET, order_type=OrderType.MARKET), order(), Decimal(10)
    )
    with pytest.raises(BadData, match="approved is None"):
        sign_legs([TARGET], order(), Decimal(10), Bracket(Decimal(90), None), VERDICT, KEY)


def test_a_reduction_has_no_legs() -> None:
    assert leg_objection(STOP, order(reduce_only=True), Decimal(10))
