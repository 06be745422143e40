"""Made-up bars are suspected and real ones are not; bars of another market are recognised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from trading.bars.suspicion.generated import LEAST_BARS, statistics, suspected
from trading.bars.suspicion.mislabelled import mislabelled


def random_walk(bars: int, seed: int, digits: int | None = None) -> pl.DataFrame:
    """Geometric Brownian motion, twenty steps a bar, with volumes drawn by themselves."""
    random = np.random.default_rng(seed)
    path = 100 * np.exp(np.cumsum(random.normal(0, 0.001, bars * 20))).reshape(bars, 20)
    frame = pl.DataFrame(
        {
            "symbol": ["A"] * bars,
            "open": path[:, 0],
            "high": path.max(axis=1),
            "low": path.min(axis=1),
            "close": path[:, -1],
            "volume": random.lognormal(3, 1, bars),
        }
    )
    return (
        frame if digits is None else frame.with_columns(pl.col("open", "high", "low", "close").round(digits))
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("digits", [None, 2])
@pytest.mark.parametrize("bars", [LEAST_BARS, 5000])
def test_a_random_walk_is_suspected_even_on_a_grid_of_ticks(bars: int, seed: int, digits: int | None) -> None:
    found = suspected(random_walk(bars, seed, digits))
    assert [(one.severity, one.symbol) for one in found] == [("warn", "A")]
    for name in ("tails", "clustering", "volume_memory"):
        assert name in found[0].reason
    assert ("digits" in found[0].reason) is (digits is None)


def test_without_volume_returns_alone_must_convict() -> None:
    assert len(suspected(random_walk(2000, 1).drop("volume"))) == 1
    assert [one.name for one in statistics(random_walk(2000, 1).drop("volume"))] == ["tails", "clustering"]


def test_too_few_bars_tell_nothing() -> None:
    assert statistics(random_walk(LEAST_BARS - 1, 1)) == []
    assert suspected(random_walk(LEAST_BARS - 1, 1)) == []


@pytest.mark.parametrize(
    "folder",
    [
        "binance/spot/1h",
        "binance/usdm/1m",
        "binance/usdm/mark_1h",
        "equities/daily/1d",
        "nse_bse/daily/1d",
        "bse/sensex_and_options/3m",
    ],
)
def test_no_real_symbol_is_suspected(shared: Path, folder: str) -> None:
    measured = 0
    for path in sorted((shared / "data" / folder).glob("src=*/*.parquet")):
        bars = pl.read_parquet(path, hive_partitioning=False).sort("symbol", "open_time")
        assert suspected(bars) == [], path.name
        measured += bars.height
    assert measured >= LEAST_BARS


def test_spot_sold_as_futures_is_told_from_the_futures(shared: Path) -> None:
    spot, futures = (
        pl.read_parquet(next((shared / "data" / "binance").glob(f"{market}/1h/src=*/SOLUSDT.parquet")))
        for market in ("spot", "usdm")
    )
    assert mislabelled(futures, spot) == []
    found = mislabelled(spot.drop("quote_volume").slice(1000, 500), spot)
    assert [(one.severity, one.symbol, one.count) for one in found] == [("block", "SOLUSDT", 500)]
    assert mislabelled(spot.head(10), spot) == []
