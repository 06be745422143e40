"""Ratings of a file's bars: three ratings, the label, and every component's vote and value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import polars as pl

from apps.cli.bars.spacing import interval_text, parse_interval
from apps.cli.rating.bar_file import read_bars
from apps.cli.rating.bar_order import in_order
from apps.cli.rating.spacing import at_interval
from trading.errors import BadData
from trading.model.interval import DAY_MS, Interval

_LINES = {
    "ichimoku": ("ichimoku_conversion", "ichimoku_base", "ichimoku_lead_a", "ichimoku_lead_b"),
    "stochastic": ("stoch_k", "stoch_d"),
    "adx": ("adx_14", "plus_di_14", "minus_di_14"),
    "macd": ("macd", "macd_signal"),
    "stoch_rsi": ("stoch_rsi_k", "stoch_rsi_d"),
    "bull_bear": ("bull_power_13", "bear_power_13"),
}
_WORDS = {1: "Buy", 0: "Neutral", -1: "Sell", None: None}


@dataclass(frozen=True, slots=True)
class Component:
    """One voter: its group, its vote (Buy, Sell, Neutral, None while missing) and the values behind it."""

    name: str
    group: str
    vote: str | None
    value: float | None
    lines: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class SymbolRating:
    """Ratings of the newest bar of a symbol, each in -1..1 or None where nothing could vote."""

    symbol: str
    bar_open: datetime
    bar_close: datetime
    close: float
    bars: int
    rating: float | None
    moving_averages: float | None
    oscillators: float | None
    label: str | None
    streak: int | None
    components: tuple[Component, ...]


@dataclass(frozen=True, slots=True)
class RatingReport:
    """Ratings of a file, by symbol, and notes on its data."""

    file: Path
    interval: str
    ratings: tuple[SymbolRating, ...]
    notes: tuple[str, ...]


def rate_file(path: Path, *, interval: str | None, symbol: str | None, now_ms: int) -> RatingReport:
    """Rate the newest closed bar of every symbol of a file, or of the one asked for.

    Raises
    ------
    BadData
        If the file or its bars are wrong, the symbol is not in it, or no bar has closed yet.
    """
    from trading.indicators.panel import compute
    from trading.ratings.tv_lib_v3 import rate

    wanted_ms = None if interval is None else parse_interval(interval)
    bars, notes = in_order(_of_symbol(read_bars(path), symbol, path), str(path))
    bars, length_ms = at_interval(bars, wanted_ms, str(path))
    closed = bars.filter(pl.col("close_time").dt.epoch("ms") <= now_ms)
    if closed.is_empty():
        newest = bars["open_time"].dt.max()
        raise BadData(f"{path}: no bar has closed yet, the newest opens at {newest}; check the times")
    if closed.height < bars.height:
        notes.append(f"{bars.height - closed.height} bar(s) that have not closed yet were left out")
    indicators = compute(closed, Interval.D1 if length_ms >= DAY_MS else Interval.H1)
    rated = rate(indicators)
    counts = dict(closed.group_by("symbol").len().iter_rows())
    ratings = tuple(_newest(rated, indicators, name, counts[name]) for name in sorted(counts))
    return RatingReport(path, interval_text(length_ms), ratings, tuple(notes + _short(ratings)))


def _of_symbol(bars: pl.DataFrame, symbol: str | None, path: Path) -> pl.DataFrame:
    if symbol is None:
        return bars
    chosen = bars.filter(pl.col("symbol") == symbol)
    if chosen.is_empty():
        known = ", ".join(sorted(bars["symbol"].unique())[:10])
        raise BadData(
            f"{path}: has no bars of {symbol!r}; it has {bars['symbol'].n_unique()} symbol(s): {known}"
        )
    return chosen


def components_of(rated: Mapping[str, Any], indicators: Mapping[str, Any]) -> tuple[Component, ...]:
    """Every component's vote and values of one bar, from its row of ratings and of indicators."""
    from trading.ratings.rules import MOVING_AVERAGE_VOTES
    from trading.ratings.tv_lib_v3 import breakdown

    return tuple(
        Component(
            name=name,
            group="moving averages" if name in MOVING_AVERAGE_VOTES else "oscillators",
            vote=_WORDS[vote],
            value=value,
            lines={line: indicators[line] for line in _LINES.get(name, ())},
        )
        for name, vote, value in breakdown(rated, indicators)
    )


def _newest(rated: pl.DataFrame, indicators: pl.DataFrame, symbol: str, bars: int) -> SymbolRating:
    row = rated.filter(pl.col("symbol") == symbol).row(-1, named=True)
    values = indicators.filter(pl.col("symbol") == symbol).row(-1, named=True)
    return SymbolRating(
        symbol=symbol,
        bar_open=row["open_time"],
        bar_close=row["close_time"],
        close=values["close"],
        bars=bars,
        **{key: row[key] for key in ("rating", "moving_averages", "oscillators", "label", "streak")},
        components=components_of(row, values),
    )


def _short(ratings: tuple[SymbolRating, ...]) -> list[str]:
    notes = []
    for rating in ratings:
        missing = [component.name for component in rating.components if component.vote is None]
        if missing:
            notes.append(
                f"{rating.symbol}: {rating.bars} bars are too few for {', '.join(missing)}; left out of the means"
            )
    return notes
