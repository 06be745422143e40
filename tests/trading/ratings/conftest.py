"""Bars and indicators for the rating tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading.indicators.panel import compute
from trading.model.interval import Interval

MakeIndicators = Callable[..., pl.DataFrame]


@pytest.fixture(scope="session")
def indicators_of() -> MakeIndicators:
    """Hourly indicators of one symbol from arrays of high, low, close and volume."""

    def make(
        high: np.ndarray, low: np.ndarray, close: np.ndarray, volume: np.ndarray, symbol: str = "XUSDT"
    ) -> pl.DataFrame:
        stamp = pl.Datetime("ms", "UTC")
        opened = 1_704_067_200_000 + Interval.H1.milliseconds * np.arange(close.size)
        bars = pl.DataFrame(
            {
                "symbol": [symbol] * close.size,
                "open_time": pl.Series(opened).cast(stamp),
                "close_time": pl.Series(opened + Interval.H1.milliseconds).cast(stamp),
                "high": high,
                "low": low,
                "close": close,
                "volume": volume,
            }
        )
        return compute(bars, Interval.H1)

    return make


@pytest.fixture(scope="session")
def random_walk() -> Callable[[int, int], dict[str, np.ndarray]]:
    """High, low, close and volume of a random walk around 100: (bars, seed)."""

    def make(count: int, seed: int) -> dict[str, np.ndarray]:
        random = np.random.default_rng(seed)
        close = 100.0 + np.cumsum(random.normal(0.0, 0.6, count))
        before = np.concatenate((close[:1], close[:-1]))
        return {
            "high": np.maximum(before, close) + random.random(count),
            "low": np.minimum(before, close) - random.random(count),
            "close": close,
            "volume": random.lognormal(3.0, 1.0, count),
        }

    return make


@pytest.fixture(scope="session")
def real_indicators(shared: Path) -> pl.DataFrame:
    """Hourly indicators of real candles: a calm and a wild coin, half a year each."""
    folder = shared / "data/binance/spot/1h/src=staticklines"
    stamp = pl.Datetime("ms", "UTC")
    bars = (
        pl.concat([pl.scan_parquet(folder / f"{name}.parquet") for name in ("BTCUSDT", "SOLUSDT")])
        .filter(pl.col("open_time").dt.year() == 2023, pl.col("open_time").dt.month() <= 6)
        .collect()
        .sort("symbol", "open_time")
    )
    closed = (pl.col("open_time").dt.epoch("ms") + Interval.H1.milliseconds).cast(stamp)
    return compute(bars.with_columns(close_time=closed), Interval.H1)
