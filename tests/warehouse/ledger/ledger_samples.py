"""Decisions, orders and fills for the ledger's tests."""

from __future__ import annotations

import math
from decimal import Decimal

from trading.model.decision import Action, Check, Decision, Outcome, Verdict, VerdictKind
from trading.model.order import Fill, Order, OrderState, Side

T0 = 1_750_000_000_000


def decision(number: int = 1, tick: str = "tick-1", outcome: Outcome = Outcome.FIRED) -> Decision:
    return Decision(
        decision_id=f"{number:04x}decision",
        tick_id=tick,
        snapshot_id="snapshot-1",
        desk="fork",
        strategy_id="main",
        symbol=f"S{number}USDT",
        action=Action.ENTER,
        outcome=outcome,
        reason_code="fork_score",
        bar_close_ms=T0,
        quote_amount=Decimal("123.45"),
        reference_price=1.2345 if number % 2 else math.nan,
        checks=(Check("fork_score", True, 61.5, 60.0, "it's: 100 %"), Check("spread_bps", False, None, 25.0)),
        inputs={"fork_score": 61.5, "tag": "buy", "passed": True, "confidence": None},
    )


def verdict(number: int = 1, kind: VerdictKind = VerdictKind.SHRUNK) -> Verdict:
    return Verdict(
        f"{number:04x}decision",
        kind,
        "position_cap",
        Decimal("100"),
        (Check("position_cap", False, 0.21, 0.2),),
    )


def order(
    number: int = 1,
    quantity: str = "10",
    side: Side = Side.BUY,
    symbol: str | None = None,
    tick: str = "tick-1",
) -> Order:
    return Order(
        client_order_id=f"tm-{number:04x}order",
        decision_id=f"{number:04x}decision",
        tick_id=tick,
        venue="paper",
        desk="fork",
        strategy_id="main",
        symbol=symbol or f"S{number}USDT",
        side=side,
        quantity=Decimal(quantity),
        reference_price=Decimal("1.2345"),
        state=OrderState.INTENT,
        created_at_ms=T0,
        not_before_ms=T0,
    )


def fill(
    of: Order, number: int = 1, quantity: str | None = None, price: str = "2", fee: str = "0.02"
) -> Fill:
    return Fill(
        venue=of.venue,
        venue_fill_id=f"{of.client_order_id}-{number}",
        client_order_id=of.client_order_id,
        symbol=of.symbol,
        side=of.side,
        quantity=Decimal(quantity) if quantity else of.quantity,
        price=Decimal(price),
        fee=Decimal(fee),
        fee_currency="USDT",
        filled_at_ms=T0 + number,
        slippage_bps=2.5,
    )
