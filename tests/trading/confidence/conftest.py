"""Small seeded worlds: hourly bars with indicators, and labelled rows with or without structure."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading.confidence.features import FEATURES

START = datetime(2026, 3, 1, tzinfo=UTC)


def _stamp(values: list[datetime]) -> pl.Series:
    return pl.Series(values).cast(pl.Datetime("ms", "UTC"))


def make_bars(symbols: tuple[str, ...], hours: int, seed: int) -> pl.DataFrame:
    rng = np.random.default_rng(seed)
    frames = []
    for symbol in symbols:
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, hours)))
        opens = np.concatenate([[100.0], close[:-1]])
        wick = np.abs(rng.normal(0, 0.004, (2, hours)))
        times = [START + timedelta(hours=h) for h in range(hours)]
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * hours,
                    "open_time": _stamp(times),
                    "close_time": _stamp([t + timedelta(hours=1) for t in times]),
                    "open": opens,
                    "high": np.maximum(opens, close) * (1 + wick[0]),
                    "low": np.minimum(opens, close) * (1 - wick[1]),
                    "close": close,
                    "volume": rng.uniform(10, 20, hours),
                }
            )
        )
    return pl.concat(frames)


def make_indicators(bars: pl.DataFrame) -> pl.DataFrame:
    """Any causal numbers will do: features only join and divide them."""
    close, over = pl.col("close"), "symbol"
    return bars.select(
        "symbol",
        "open_time",
        "close_time",
        "close",
        "volume",
        (pl.col("high") - pl.col("low")).alias("atr_14"),
        (50 + 1000 * (close / close.shift(1).over(over) - 1)).alias("rsi_14"),
        (close % 7 * 10).alias("stoch_rsi_k"),
        (close % 5 * 10).alias("adx_14"),
        (close % 3 * 10).alias("plus_di_14"),
        (close % 2 * 10).alias("minus_di_14"),
        (close - close.shift(3).over(over)).alias("macd_histogram"),
        close.rolling_mean(50).over(over).alias("ema_50"),
        close.rolling_mean(200).over(over).alias("ema_200"),
        (close * 1.01).alias("vwap"),
        pl.col("volume").rolling_mean(20).over(over).alias("volume_sma_20"),
    )


def make_ratings(bars: pl.DataFrame, every: int) -> pl.DataFrame:
    """A rating per ``every`` hours that names the bar it belongs to: hours since START / 1000."""
    hour = (pl.col("open_time") - START).dt.total_hours()
    return (
        bars.filter(hour % every == 0)
        .with_columns(close_time=pl.col("open_time") + timedelta(hours=every), rating=hour / 1000)
        .select("symbol", "open_time", "close_time", "rating")
    )


def make_labelled(hours: int, symbols: int, seed: int, edge: float) -> pl.DataFrame:
    """Labelled rows whose log odds rise by ``edge`` per unit of the feature `rating`."""
    rng = np.random.default_rng(seed)
    rows = hours * symbols
    values = rng.normal(0, 1, (rows, len(FEATURES)))
    values[rng.random(values.shape) < 0.05] = np.nan
    driver = np.nan_to_num(values[:, FEATURES.index("rating")])
    label = rng.random(rows) < 1 / (1 + np.exp(0.4 - edge * driver))
    hour = np.repeat(np.arange(hours), symbols)
    closes = _stamp([START + timedelta(hours=int(h) + 1) for h in hour])
    return pl.DataFrame(
        {
            "symbol": [f"S{i % symbols:02d}USDT" for i in range(rows)],
            "open_time": closes - timedelta(hours=1),
            "close_time": closes,
            "close": np.full(rows, 100.0),
            **{name: values[:, i] for i, name in enumerate(FEATURES)},
            "label": label.astype(np.int8),
            "label_end": closes + timedelta(hours=12),
        }
    ).with_columns(pl.col(FEATURES).fill_nan(None))


@pytest.fixture(scope="session")
def start() -> datetime:
    return START


@pytest.fixture(scope="session")
def world() -> dict[str, pl.DataFrame]:
    bars = make_bars(("BTCUSDT", "ETHUSDT"), 24 * 14, seed=5)
    return {
        "bars_1h": bars,
        "indicators_1h": make_indicators(bars),
        "ratings_1h": make_ratings(bars, 1),
        "ratings_4h": make_ratings(bars, 4),
    }


@pytest.fixture(scope="session")
def learnable() -> pl.DataFrame:
    return make_labelled(hours=500, symbols=10, seed=1, edge=1.0)


@pytest.fixture(scope="session")
def noise() -> pl.DataFrame:
    return make_labelled(hours=500, symbols=10, seed=2, edge=0.0)
