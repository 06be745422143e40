"""The daily choice of the pairs that strategies trade: filters first, then a weighted rank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any

import numpy as np
import polars as pl

from trading.errors import BadData
from trading.factory.lifecycle.settings import PairSettings
from trading.factory.lifecycle.weights import Weighted, weighted
from trading.indicators.columns import FloatArray

#: Days behind the drawdown filter.
DRAWDOWN_DAYS = 7
#: Days behind the deviation below which it is unknown, whatever the settings ask for.
_FEWEST_DAYS = 5
#: Parts of the score.
PARTS = ("volatility", "volume", "momentum", "sentiment", "technical", "risk", "cap")
#: What the parts that are ranks rank by.
_RANKED = {
    "volatility": "daily_volatility_fraction",
    "volume": "quote_volume_24h",
    "momentum": "momentum_fraction",
    "risk": "drawdown_7d_fraction",
}

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "symbol": pl.String,
    "selected": pl.Boolean,
    "rank": pl.Int32,
    "score": pl.Float64,
    "reason": pl.String,
    "quote_volume_24h": pl.Float64,
    "daily_volatility_fraction": pl.Float64,
    "drawdown_7d_fraction": pl.Float64,
    "momentum_fraction": pl.Float64,
    "rating": pl.Float64,
    **{f"{part}_part": pl.Float64 for part in PARTS},
    "known_weight": pl.Float64,
    "missing": pl.String,
    "chosen_on": pl.Date,
}


@dataclass(frozen=True, slots=True)
class PairFacts:
    """What is known of a pair at a day's end; NaN is unknown.

    Attributes
    ----------
    rating
        Technical rating, -1 to 1.
    sentiment, cap
        0 to 1, from sources outside the market data.
    """

    symbol: str
    quote_volume_24h: float = math.nan
    daily_volatility_fraction: float = math.nan
    drawdown_7d_fraction: float = math.nan
    momentum_fraction: float = math.nan
    rating: float = math.nan
    sentiment: float = math.nan
    cap: float = math.nan


@dataclass(slots=True)
class _Judged:
    facts: PairFacts
    reason: str
    score: Weighted = field(default_factory=lambda: Weighted(math.nan, {}, PARTS, 0.0))


def facts_of(
    bars_1h: pl.DataFrame, ratings: Mapping[str, float], end: datetime, settings: PairSettings
) -> list[PairFacts]:
    """Facts of every pair with hourly bars before ``end``, by symbol.

    The value traded in 24 hours needs every one of the 24 bars, and a deviation, a drawdown or a momentum
    a close on each of its days: a hole leaves the fact unknown.

    Parameters
    ----------
    bars_1h
        Columns ``symbol``, ``close_time``, ``close`` and ``quote_volume``.
    ratings
        Newest technical rating by symbol.
    end
        Midnight UTC at the end of the day.
    """
    bars = bars_1h.filter(pl.col("close_time") <= end).sort("symbol", "close_time")
    found = []
    for (symbol,), rows in bars.group_by("symbol", maintain_order=True):
        last = rows.filter(pl.col("close_time") > end - timedelta(days=1))
        whole = last.height == 24 and last["quote_volume"].null_count() == 0
        closes = _daily_closes(rows, end)
        returns = _returns(closes, settings.volatility_days)
        found.append(
            PairFacts(
                symbol=str(symbol),
                quote_volume_24h=float(last["quote_volume"].sum()) if whole else math.nan,
                daily_volatility_fraction=float(returns.std(ddof=1)) if returns.size else math.nan,
                drawdown_7d_fraction=_drawdown(rows, closes, end),
                momentum_fraction=_change(closes, settings.momentum_days),
                rating=ratings.get(str(symbol), math.nan),
            )
        )
    return found


def select_pairs(facts: list[PairFacts], day: date, settings: PairSettings) -> pl.DataFrame:
    """Every pair with its parts, score and rank; the best are selected.

    A part is the pair's rank among the pairs that pass the filters, from 0 (lowest) to 1, ties averaged;
    the technical part is the rating moved to 0 to 1. A missing part is left out of the score.

    Returns
    -------
    polars.DataFrame
        In `SCHEMA`, by symbol; an unknown figure is null.

    Raises
    ------
    BadData
        If a symbol comes twice.
    """
    if len({each.symbol for each in facts}) != len(facts):
        raise BadData(f"pair selection {day}: a symbol comes twice; give one row each")
    judged = [_Judged(each, _refusal(each, settings)) for each in facts]
    able = [each for each in judged if not each.reason]
    ranks = {part: _ranks([getattr(each.facts, name) for each in able]) for part, name in _RANKED.items()}
    ranks["risk"] = 1 - ranks["risk"]
    weights = {part: getattr(settings, f"{part}_weight") for part in PARTS}
    for place, each in enumerate(able):
        parts = {part: float(values[place]) for part, values in ranks.items()}
        parts |= {
            "technical": (each.facts.rating + 1) / 2,
            "sentiment": each.facts.sentiment,
            "cap": each.facts.cap,
        }
        each.score = weighted(parts, weights)
    able = [each for each in able if not math.isnan(each.score.score)]
    order = sorted(able, key=lambda each: (-each.score.score, each.facts.symbol))
    rank = {each.facts.symbol: number for number, each in enumerate(order, start=1)}
    rows = [_row(each, rank.get(each.facts.symbol), day, settings) for each in judged]
    return (
        pl.DataFrame(rows, schema=SCHEMA, orient="row")
        .with_columns(pl.col(pl.Float64).fill_nan(None))
        .sort("symbol")
    )


def _refusal(facts: PairFacts, settings: PairSettings) -> str:
    """The first filter that a pair does not pass; empty if it passes all. Unknown does not pass."""
    filters = (
        ("quote_volume_24h", facts.quote_volume_24h >= settings.minimum_quote_volume, "low_volume"),
        (
            "daily_volatility_fraction",
            facts.daily_volatility_fraction <= settings.maximum_volatility_fraction,
            "volatile",
        ),
        ("drawdown_7d_fraction", facts.drawdown_7d_fraction <= settings.maximum_drawdown_fraction, "falling"),
    )
    for name, passed, code in filters:
        if math.isnan(getattr(facts, name)):
            return f"unknown: {name}"
        if not passed:
            return code
    return ""


def _row(each: _Judged, rank: int | None, day: date, settings: PairSettings) -> tuple[Any, ...]:
    facts, score = each.facts, each.score
    selected = rank is not None and rank <= settings.pairs
    return (
        facts.symbol,
        selected,
        rank,
        score.score,
        each.reason or ("selected" if selected else "outranked"),
        facts.quote_volume_24h,
        facts.daily_volatility_fraction,
        facts.drawdown_7d_fraction,
        facts.momentum_fraction,
        facts.rating,
        *(score.parts.get(part, math.nan) for part in PARTS),
        score.known_weight,
        ", ".join(score.missing) if rank is not None else "",
        day,
    )


def _ranks(values: list[float]) -> FloatArray:
    """Ranks scaled to 0 to 1, ties averaged, shape (n,); one value alone is 0.5, NaN stays NaN."""
    column = pl.Series(values, dtype=pl.Float64).fill_nan(None)
    known = len(column) - column.null_count()
    if known < 2:
        return np.where(np.isnan(np.array(values, dtype=np.float64)), np.nan, 0.5)
    scaled: FloatArray = ((column.rank("average") - 1) / (known - 1)).to_numpy()
    return scaled


def _daily_closes(rows: pl.DataFrame, end: datetime) -> FloatArray:
    """Close at each midnight UTC up to ``end``, newest last; NaN where that bar is missing."""
    midnight = rows.filter(pl.col("close_time").dt.truncate("1d") == pl.col("close_time"))
    if midnight.is_empty():
        return np.empty(0)
    age = ((end - midnight["close_time"]).dt.total_days()).to_numpy()
    closes = np.full(int(age.max()) + 1, np.nan)
    closes[closes.size - 1 - age] = midnight["close"].to_numpy()
    return closes


def _returns(closes: FloatArray, days: int) -> FloatArray:
    """Daily returns of the last ``days`` days, fewer where the pair is younger; empty where one is unknown."""
    recent = closes[-(days + 1) :]
    if recent.size <= _FEWEST_DAYS or np.isnan(recent).any():
        return np.empty(0)
    returns: FloatArray = recent[1:] / recent[:-1] - 1
    return returns


def _change(closes: FloatArray, days: int) -> float:
    if closes.size <= days:
        return math.nan
    return float(closes[-1] / closes[-1 - days] - 1)


def _drawdown(rows: pl.DataFrame, closes: FloatArray, end: datetime) -> float:
    """Deepest fall of hourly closes from a peak in the last days; NaN where a day's close is missing."""
    if closes.size < DRAWDOWN_DAYS or np.isnan(closes[-DRAWDOWN_DAYS:]).any():
        return math.nan
    recent = rows.filter(pl.col("close_time") > end - timedelta(days=DRAWDOWN_DAYS))["close"].to_numpy()
    return float((1 - recent / np.maximum.accumulate(recent)).max())
