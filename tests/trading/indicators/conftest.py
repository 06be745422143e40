"""Synthetic and real bars for the indicator tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading.model.interval import Interval

MakeBars = Callable[..., pl.DataFrame]
START_MS = 1_704_067_200_000  # 2024-01-01


def with_times(frame: pl.DataFrame, interval: Interval) -> pl.DataFrame:
    """Timestamps as the lake has them, from open_time in milliseconds."""
    stamp = pl.Datetime("ms", "UTC")
    return frame.with_columns(
        pl.col("open_time").cast(stamp),
        close_time=(pl.col("open_time") + interval.milliseconds).cast(stamp),
    )


@pytest.fixture(scope="session")
def make_bars() -> MakeBars:
    """Random-walk bars: ``lengths`` bars of each symbol, all starting at midnight."""

    def make(
        lengths: dict[str, int], interval: Interval = Interval.M15, seed: int = 7, start_ms: int = START_MS
    ) -> pl.DataFrame:
        frames = []
        for index, (symbol, count) in enumerate(sorted(lengths.items())):
            random = np.random.default_rng([seed, index])
            close = 50.0 * (index + 1) * np.exp(np.cumsum(random.normal(0.0, 0.01, count)))
            opened = np.concatenate((close[:1], close[:-1]))
            frames.append(
                pl.DataFrame(
                    {
                        "symbol": [symbol] * count,
                        "open_time": start_ms + interval.milliseconds * np.arange(count),
                        "open": opened,
                        "high": np.maximum(opened, close) * (1.0 + 0.004 * random.random(count)),
                        "low": np.minimum(opened, close) * (1.0 - 0.004 * random.random(count)),
                        "close": close,
                        "volume": random.lognormal(3.0, 1.0, count),
                    }
                )
            )
        return with_times(pl.concat(frames), interval)

    return make


@pytest.fixture(scope="session")
def hourly_candles(shared: Path) -> pl.DataFrame:
    """Real hourly bars of three coins over the outage of 2023-03-24 (a missing bar and a flat one)."""
    return _real(shared / "data/binance/spot/1h/src=staticklines", Interval.H1, "2022-12-01", "2023-06-01")


@pytest.fixture(scope="session")
def quarter_hour_candles(shared: Path) -> pl.DataFrame:
    """Real 15-minute bars, from 5-minute candles, of coins that differ in price by nine orders."""
    bars = _real(
        shared / "data/binance/spot/5m/src=genetrader",
        Interval.M15,
        "2024-05-01",
        "2024-07-15",
        ("BTCUSDT", "PEPEUSDT", "ENAUSDT"),
    )
    merged = (
        bars.sort("symbol", "open_time")
        .group_by_dynamic("open_time", every="15m", group_by="symbol")
        .agg(
            pl.col("high").max(),
            pl.col("low").min(),
            pl.col("close").last(),
            pl.col("volume").sum(),
        )
        .sort("symbol", "open_time")
    )
    return merged.with_columns(
        close_time=pl.col("open_time") + pl.duration(milliseconds=Interval.M15.milliseconds, time_unit="ms")
    )


def _real(
    folder: Path,
    interval: Interval,
    first: str,
    last: str,
    symbols: tuple[str, ...] = ("BTCUSDT", "ETHUSDT", "SOLUSDT"),
) -> pl.DataFrame:
    stamp = pl.Datetime("ms", "UTC")
    return (
        pl.concat([pl.scan_parquet(folder / f"{symbol}.parquet") for symbol in symbols])
        .filter(
            pl.col("open_time") >= pl.lit(first).str.to_datetime(time_unit="ms", time_zone="UTC"),
            pl.col("open_time") < pl.lit(last).str.to_datetime(time_unit="ms", time_zone="UTC"),
        )
        .with_columns(
            close_time=(pl.col("open_time").dt.epoch("ms") + interval.milliseconds).cast(stamp),
        )
        .collect()
        .sort("symbol", "open_time")
    )
