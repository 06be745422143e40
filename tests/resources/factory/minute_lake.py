"""A small lake of one-minute klines and the bars made of them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl

from trading.bars.resample import resample
from trading.model.interval import Interval
from warehouse.datasets.market import BARS, KLINES
from warehouse.lake.lake import Lake, open_lake

FIRST = date(2026, 3, 2)
SYMBOLS = ("AAAUSDT", "BBBUSDT", "GONEUSDT")


def klines(days: int, symbols: Sequence[str] = SYMBOLS, seed: int = 0) -> pl.DataFrame:
    """Random minutes, a tenth of them absent; the last symbol stops trading after half of the days."""
    rng = np.random.default_rng(seed)
    count = days * 1440
    start = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
    frames = []
    for place, symbol in enumerate(symbols):
        close = 100 * np.exp(np.cumsum(rng.normal(0, 0.0012, count)))
        opens = np.concatenate(([100.0], close[:-1]))
        wick = np.abs(rng.normal(0, 0.0005, (2, count)))
        last = count if place < len(symbols) - 1 else count // 2
        frame = pl.DataFrame(
            {
                "symbol": symbol,
                "open_time": pl.datetime_range(
                    start, start + timedelta(days=days), "1m", closed="left", eager=True
                ),
                "open": opens,
                "high": np.maximum(opens, close) * (1 + wick[0]),
                "low": np.minimum(opens, close) * (1 - wick[1]),
                "close": close,
                "volume": rng.lognormal(10, 0.5, count),
                "source": "files",
            }
        )
        there = (rng.random(count) > 0.1) & (np.arange(count) < last)
        frames.append(frame.filter(pl.Series(there)))
    frame = pl.concat(frames).with_columns(
        pl.col("open_time").cast(pl.Datetime("ms", "UTC")),
        quote_volume=pl.col("volume") * pl.col("close"),
        trades=pl.lit(1, pl.Int64),
        taker_buy_base=pl.lit(0.0),
        taker_buy_quote=pl.lit(0.0),
    )
    return frame.with_columns(known_at=pl.col("open_time") + timedelta(minutes=1)).select(list(KLINES.schema))


def filled(folder: Path, rows: pl.DataFrame) -> Lake:
    """A lake with the klines and their bars of 15 minutes, day by day."""
    lake = open_lake(str(folder))
    for (day,), part in rows.group_by(pl.col("open_time").dt.date(), maintain_order=True):
        assert isinstance(day, date)
        lake.write(KLINES, day, part)
        bars = resample(part, Interval.M15, closed_before_ms=10**15)
        lake.write(BARS, day, bars, interval=Interval.M15)
    return lake
