"""Small seeded markets as hourly bars, and panels of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading.factory.panel import Panel, build_panel

START = datetime(2026, 3, 1, tzinfo=UTC)


def bars_frame(symbol: str, rows: Sequence[tuple[int, float, float, float, float, float]]) -> pl.DataFrame:
    """Bars from (hour, open, high, low, close, volume)."""
    stamp = pl.Datetime("ms", "UTC")
    frame = pl.DataFrame(
        [(symbol, START + timedelta(hours=hour), *rest) for hour, *rest in rows],
        schema={
            "symbol": pl.String,
            "open_time": stamp,
            **dict.fromkeys(("open", "high", "low", "close", "volume"), pl.Float64),
        },
        orient="row",
    )
    return frame.with_columns(close_time=(pl.col("open_time") + timedelta(hours=1)).cast(stamp))


def market(symbols: int, hours: int, seed: int, pull: float = 0.0) -> pl.DataFrame:
    """Hourly bars: a random walk in logs, pulled back to its start by ``pull`` an hour."""
    rng = np.random.default_rng(seed)
    frames = []
    for s in range(symbols):
        level, levels = 0.0, []
        for shock in rng.normal(0, 0.01, hours):
            level = level * (1 - pull) + shock
            levels.append(level)
        close = 100 * np.exp(np.array(levels))
        opens = np.concatenate(([100.0], close[:-1]))
        wick = np.abs(rng.normal(0, 0.003, (2, hours)))
        high = np.maximum(opens, close) * (1 + wick[0])
        low = np.minimum(opens, close) * (1 - wick[1])
        volume = rng.lognormal(3, 0.5, hours)
        table = zip(range(hours), opens, high, low, close, volume, strict=True)
        frames.append(bars_frame(f"S{s:02d}USDT", [tuple(map(float, row)) for row in table]))
    return pl.concat(frames).with_columns()


def panel_of(bars: pl.DataFrame, hours: int) -> Panel:
    return build_panel(bars, START, START + timedelta(hours=hours))


@pytest.fixture(scope="session")
def walk() -> pl.DataFrame:
    """Four symbols, 300 hours, with holes: one hour in S00, twelve in S01, a late listing in S02."""
    bars = market(4, 300, seed=11)
    hour = (pl.col("open_time") - pl.lit(START)).dt.total_hours()
    holes = (
        ((pl.col("symbol") == "S00USDT") & (hour == 120))
        | ((pl.col("symbol") == "S01USDT") & hour.is_between(150, 161))
        | ((pl.col("symbol") == "S02USDT") & (hour < 90))
    )
    return bars.filter(~holes)
