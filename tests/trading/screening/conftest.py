"""Indicator rows with chosen values for the screening tests."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading.indicators.catalogue import INDICATORS
from trading.indicators.panel import compute
from trading.model.interval import Interval

MakeRows = Callable[..., pl.DataFrame]


@pytest.fixture(scope="session")
def rows_of() -> MakeRows:
    """Bars of ``symbol`` from ``first``: each value a number for all bars or a list, null unless given."""

    def make(
        interval: Interval,
        first: datetime,
        count: int,
        symbol: str = "AAVEUSDT",
        **values: float | list[float | None] | None,
    ) -> pl.DataFrame:
        step = timedelta(milliseconds=interval.milliseconds)
        columns: dict[str, list[float | None]] = {}
        for indicator in INDICATORS:
            value = values.get(indicator.name)
            columns[indicator.name] = value if isinstance(value, list) else [value] * count
        assert not set(values) - set(columns), "no such indicator"
        stamp = pl.Datetime("ms", "UTC")
        opened = [first + index * step for index in range(count)]
        return pl.DataFrame(
            {
                "symbol": [symbol] * count,
                "open_time": pl.Series(opened, dtype=stamp),
                "close_time": pl.Series([at + step for at in opened], dtype=stamp),
                **{name: pl.Series(column, dtype=pl.Float64) for name, column in columns.items()},
            }
        )

    return make


@pytest.fixture(scope="session")
def random_rows(rows_of: MakeRows) -> MakeRows:
    """Random indicator rows of three symbols with holes, for properties: (interval, first, count)."""

    @cache
    def make(interval: Interval, first: datetime, count: int, seed: int = 0) -> pl.DataFrame:
        frames = []
        for index, symbol in enumerate(("AAVEUSDT", "BTCUSDT", "SOLUSDT")):
            random = np.random.default_rng([seed, index, interval.minutes])
            values: dict[str, list[float | None]] = {}
            for indicator in INDICATORS:
                spread = random.uniform(0.0, 100.0, count)
                if indicator.name in {"close", "ema_50", "ema_200", "vwap"}:
                    spread = 100.0 + spread / 20.0
                if indicator.name.startswith("macd"):
                    spread = spread - 50.0
                holes = (random.random(count) < 0.03) & (indicator.name not in {"close", "volume"})
                values[indicator.name] = [
                    None if hole else float(x) for x, hole in zip(spread, holes, strict=True)
                ]
            frames.append(rows_of(interval, first, count, symbol, **values))
        return pl.concat(frames)

    return make


@pytest.fixture(scope="session")
def real_indicators(shared: Path) -> dict[Interval, pl.DataFrame]:
    """15-minute and 1-hour indicators of four coins over three months of real 5-minute candles."""
    folder = shared / "data/binance/spot/5m/src=genetrader"
    names = ("BTCUSDT", "ENAUSDT", "PEPEUSDT", "SOLUSDT")
    candles = pl.concat([pl.read_parquet(folder / f"{name}.parquet") for name in names]).filter(
        pl.col("open_time").dt.month().is_between(5, 7)
    )
    values = {}
    for interval in (Interval.M15, Interval.H1):
        opened, length = pl.col("open_time"), pl.duration(minutes=interval.minutes, time_unit="ms")
        bars = (
            candles.group_by("symbol", opened.dt.truncate(interval.value))
            .agg(pl.col("high").max(), pl.col("low").min(), pl.col("close").last(), pl.col("volume").sum())
            .sort("symbol", "open_time")
            .with_columns(close_time=opened + length)
        )
        values[interval] = compute(bars, interval)
    return values
