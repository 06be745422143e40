"""The market's part of the daily summary: rows, gaps, ratings and strategies of a day, from the lake."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING

import polars as pl

from trading.model.days import day_at
from trading.model.interval import RESAMPLED, Interval
from warehouse.datasets.certificates import KLINE_GAPS
from warehouse.datasets.market import BARS, KLINES
from warehouse.datasets.research import STRATEGIES
from warehouse.datasets.screening import SCREENER_RATINGS

if TYPE_CHECKING:
    from warehouse.lake.lake import Lake

_RATINGS = 8
_STRATEGIES = 8


@dataclass(frozen=True, slots=True)
class Gap:
    """Missing minutes of one kind of `trading.bars.gaps.GAP_KINDS`."""

    kind: str
    holes: int
    symbols: int
    minutes: int


@dataclass(frozen=True, slots=True)
class RatingLine:
    """Total ratings of a symbol at the decision bar, by interval; the label is that of 15m."""

    symbol: str
    label: str | None
    ratings: dict[str, float | None]


@dataclass(frozen=True, slots=True)
class StrategyLine:
    """A generated strategy that is on paper, with its back-test after fees and slippage."""

    strategy_id: str
    rank: int | None
    trades: int
    sharpe: float | None
    total_return_fraction: float | None
    max_drawdown_fraction: float | None
    deflated_sharpe_probability: float | None
    trials: int


def rows_of(lake: Lake, day: date) -> tuple[dict[str, int], int]:
    """Rows of the day's klines and bars by interval, and the symbols among the klines."""
    rows, symbols = {}, 0
    klines = lake.info(KLINES, day)
    if klines is not None:
        rows[Interval.M1.value], symbols = klines.rows, klines.symbols or 0
    for interval in RESAMPLED:
        info = lake.info(BARS, day, interval)
        if info is not None:
            rows[interval.value] = info.rows
    return rows, symbols


def gaps_of(lake: Lake, day: date) -> tuple[Gap, ...]:
    """The day's missing minutes by kind."""
    if lake.info(KLINE_GAPS, day) is None:
        return ()
    kinds = (
        lake.read(KLINE_GAPS, day)
        .group_by("kind")
        .agg(pl.len(), pl.col("symbol").n_unique(), pl.col("missing_minutes").sum())
    )
    return tuple(Gap(*row) for row in kinds.sort("kind").iter_rows())


def top_ratings(lake: Lake, bar_close_ms: int) -> tuple[RatingLine, ...]:
    """The best rated symbols at a bar close, by their 15-minute rating."""
    newest = {interval: _newest(lake, interval, bar_close_ms) for interval in RESAMPLED}
    totals = {
        interval.value: dict(frame.select("symbol", "rating").iter_rows())
        for interval, frame in newest.items()
    }
    best = (
        newest[Interval.M15]
        .sort("rating", "symbol", descending=[True, False], nulls_last=True)
        .head(_RATINGS)
    )
    return tuple(
        RatingLine(symbol, label, {name: rated.get(symbol) for name, rated in totals.items()})
        for symbol, label in best.select("symbol", "label").iter_rows()
    )


def _newest(lake: Lake, interval: Interval, bar_close_ms: int) -> pl.DataFrame:
    """The last rating of each symbol that was known at the close, at most two bars old."""
    last = day_at(bar_close_ms - 1)
    frame = lake.window(
        SCREENER_RATINGS,
        last - timedelta(days=1),
        last,
        interval,
        columns=["symbol", "close_time", "rating", "label"],
    )
    closed = pl.col("close_time").dt.epoch("ms")
    known = frame.filter(closed <= bar_close_ms, closed > bar_close_ms - 2 * interval.milliseconds)
    return known.sort("close_time").group_by("symbol", maintain_order=True).last()


def strategies_of(lake: Lake, day: date) -> tuple[StrategyLine, ...]:
    """The day's strategies on paper, best first."""
    if lake.info(STRATEGIES, day) is None:
        return ()
    names = list(StrategyLine.__dataclass_fields__)
    paper = lake.read(STRATEGIES, day).filter(pl.col("status") == "paper").sort("rank")
    return tuple(StrategyLine(*row) for row in paper.select(names).head(_STRATEGIES).iter_rows())
