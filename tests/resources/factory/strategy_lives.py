"""Strategies with a life of their own in a real ledger: entered, traded, and a clock that the test moves."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from decimal import Decimal

import numpy as np

from resources.factory.lifecycle import Tested
from trading.factory.genes.draw import Draw, random_genome
from trading.factory.genes.genome import Genome, Timeframe
from trading.model.decision import Action, Decision, Outcome, Verdict, VerdictKind
from trading.model.interval import DAY_MS
from trading.model.order import Fill, Order, OrderState, Side
from warehouse.ledger import fills, orders
from warehouse.ledger.backend import Ledger, Transaction

T0 = 1_767_225_600_000  # 2026-01-01 00:00 UTC


def genomes(count: int) -> list[Genome]:
    draw = Draw(np.random.default_rng(1))
    return [random_genome(draw, tuple(Timeframe)) for _ in range(count)]


def candidate(genome: Genome, *, promoted: bool = True, sharpe: float = 2.0) -> Tested:
    return Tested(
        strategy_id=genome.strategy_id,
        genome=genome.json,
        origin="crossed",
        figures={"sharpe": sharpe},
        promoted=promoted,
        reason="passed the gate" if promoted else "fails dsr",
        evidence={"dsr": 0.97 if promoted else 0.4},
    )


def trade(ledger: Ledger, first_day: int, gains: Mapping[Genome, Sequence[float]]) -> None:
    """Each day from the first on, each genome buys one unit at 100 and sells it half an hour later for a gain."""
    with ledger.transaction() as tx:
        for genome, per_day in gains.items():
            for day, gain in enumerate(per_day, start=first_day):
                _fill(tx, genome, day, Side.BUY, 100.0)
                _fill(tx, genome, day, Side.SELL, 100.0 + gain)


def _fill(tx: Transaction, genome: Genome, day: int, side: Side, price: float) -> None:
    at_ms = T0 + day * DAY_MS + (0 if side is Side.BUY else 1_800_000)
    name = f"{genome.strategy_id[:12]}{day:03d}{side}"
    made = Order(
        client_order_id=f"tm-{name}", decision_id=name, tick_id="t", venue="paper", desk="genome",
        strategy_id=genome.strategy_id, symbol="BTCUSDT", side=side, quantity=Decimal(1),
        reference_price=Decimal(100), state=OrderState.INTENT, created_at_ms=at_ms, not_before_ms=at_ms,
    )  # fmt: skip
    decided = Decision(
        decision_id=name, tick_id="t", snapshot_id="s", desk="genome", strategy_id=genome.strategy_id,
        symbol="BTCUSDT", action=Action.ENTER if side is Side.BUY else Action.EXIT,
        outcome=Outcome.FIRED, reason_code="x", bar_close_ms=at_ms, quote_amount=Decimal(100),
        reference_price=100.0, checks=(), inputs={},
    )  # fmt: skip
    verdict = Verdict(name, VerdictKind.APPROVED, "approved", Decimal(100), ())
    orders.commit_intents(tx, [decided], [verdict], [made], at_ms)
    orders.transition(tx, made.client_order_id, OrderState.SENDING, "sending", at_ms)
    done = Fill(
        venue="paper", venue_fill_id=name, client_order_id=made.client_order_id, symbol="BTCUSDT",
        side=side, quantity=Decimal(1), price=Decimal(repr(price)), fee=Decimal(0),
        fee_currency="USDT", filled_at_ms=at_ms, slippage_bps=math.nan,
    )  # fmt: skip
    fills.record(tx, done, made, at_ms)
