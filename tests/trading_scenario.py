"""Snapshots, decisions and bars for the tests of desks, risk, execution and venues."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import polars as pl

from trading.model.canonical import decision_id
from trading.model.decision import Action, Decision, Outcome
from trading.model.instrument import Instrument
from trading.model.order import Order, OrderState, Side
from trading.model.snapshot import Controls, Portfolio, Position, Snapshot, SymbolView

HOUR_MS = 3_600_000
CLOSE_MS = int(datetime(2026, 3, 2, tzinfo=UTC).timestamp() * 1000)
NOW_MS = CLOSE_MS + 20 * 60_000


def instrument(symbol: str = "AAAUSDT", **changes: Any) -> Instrument:
    values: dict[str, Any] = {
        "symbol": symbol,
        "base": symbol.removesuffix("USDT"),
        "quote": "USDT",
        "tick_size": Decimal("0.01"),
        "lot_step": Decimal("0.001"),
        "min_quantity": Decimal("0.001"),
        "max_quantity": Decimal(0),
        "min_notional": Decimal(10),
    }
    return Instrument(**(values | changes))


def view(symbol: str = "AAAUSDT", **changes: Any) -> SymbolView:
    values: dict[str, Any] = {
        "symbol": symbol,
        "close": 100.0,
        "bar_close_ms": CLOSE_MS,
        "spread_bps": 5.0,
        "quote_volume_24h": 1e7,
        "fork_score": 0.9,
        "fork_adjusted": 1.15,
        "fork_passed": True,
        "rating_tag": "buy",
        "confidence": 0.7,
        "confidence_model": "confidence/3",
        "confidence_expires_ms": CLOSE_MS + HOUR_MS,
        "ratings": {"15m": 0.4, "4h": 0.6},
        "indicators": {"1h.ema_50": 99.0},
        "fork_components": {"rsi_recovery": 0.5},
    }
    return SymbolView(**(values | changes))


def position(symbol: str = "AAAUSDT", **changes: Any) -> Position:
    values: dict[str, Any] = {
        "desk": "fork",
        "strategy_id": "",
        "symbol": symbol,
        "quantity": Decimal(10),
        "average_cost": Decimal(100),
        "opened_at_ms": CLOSE_MS - HOUR_MS,
    }
    return Position(**(values | changes))


def snapshot(*views: SymbolView, **changes: Any) -> Snapshot:
    views = views or (view(),)
    portfolio = changes.pop("portfolio", {})
    defaults: dict[str, Any] = {
        "cash": Decimal(100_000),
        "positions": (),
        "equity": Decimal(100_000),
        "equity_day_start": Decimal(100_000),
    }
    values: dict[str, Any] = {
        "snapshot_id": "snapshot",
        "tick_id": "tick",
        "bar_close_ms": CLOSE_MS,
        "taken_at_ms": NOW_MS,
        "btc_condition": "bullish",
        "symbols": {item.symbol: item for item in views},
        "strategies": (),
        "instruments": {item.symbol: instrument(item.symbol) for item in views},
        "portfolio": Portfolio(**(defaults | portfolio)),
        "controls": Controls(halted=False),
        "configuration_hash": "configuration",
    }
    return Snapshot(**(values | changes))


def decision(symbol: str = "AAAUSDT", **changes: Any) -> Decision:
    values: dict[str, Any] = {
        "tick_id": "tick",
        "snapshot_id": "snapshot",
        "desk": "fork",
        "strategy_id": "",
        "symbol": symbol,
        "action": Action.ENTER,
        "outcome": Outcome.FIRED,
        "reason_code": "test",
        "bar_close_ms": CLOSE_MS,
        "quote_amount": Decimal(1000),
        "reference_price": 100.0,
        "checks": (),
    }
    values |= changes
    identity = f"{values['desk']}:{values['strategy_id']}"
    own_id = decision_id(
        desk=identity,
        symbol=symbol,
        bar_close_ms=values["bar_close_ms"],
        action=values["action"].value,
        configuration_hash="configuration",
    )
    return Decision(**({"decision_id": own_id} | values))


def exit_decision(symbol: str = "AAAUSDT", **changes: Any) -> Decision:
    return decision(symbol, **({"action": Action.EXIT, "quote_amount": Decimal(0)} | changes))


def order(**changes: Any) -> Order:
    values: dict[str, Any] = {
        "client_order_id": "tm-0",
        "decision_id": "decision",
        "tick_id": "tick",
        "venue": "paper",
        "desk": "fork",
        "strategy_id": "",
        "symbol": "AAAUSDT",
        "side": Side.BUY,
        "quantity": Decimal(10),
        "reference_price": Decimal(100),
        "state": OrderState.INTENT,
        "created_at_ms": NOW_MS,
        "not_before_ms": CLOSE_MS,
    }
    return Order(**(values | changes))


def bars(*rows: tuple[int, float, float], symbol: str = "AAAUSDT") -> pl.DataFrame:
    """Minute bars from (minutes after the decision bar's close, open, volume)."""
    frame = pl.DataFrame(
        {
            "symbol": [symbol] * len(rows),
            "open_time": [CLOSE_MS + minute * 60_000 for minute, _, _ in rows],
            "open": [row[1] for row in rows],
            "volume": [row[2] for row in rows],
        },
        schema={"symbol": pl.String, "open_time": pl.Int64, "open": pl.Float64, "volume": pl.Float64},
    )
    return frame.with_columns(pl.from_epoch("open_time", time_unit="ms").dt.replace_time_zone("UTC"))


NAN = math.nan
