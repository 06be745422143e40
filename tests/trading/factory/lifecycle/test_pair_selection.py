"""Filters and scores of pairs by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from trading.errors import BadData
from trading.factory.lifecycle.pairs import PairFacts, facts_of, select_pairs
from trading.factory.lifecycle.settings import PairSettings

DAY = date(2026, 2, 10)
END = datetime(2026, 2, 11, tzinfo=UTC)
SETTINGS = PairSettings()
FACTS = PairFacts("AUSDT", 5e6, 0.03, 0.1, 0.05, 0.4)


def row(rows: pl.DataFrame, symbol: str) -> dict[str, object]:
    return rows.filter(pl.col("symbol") == symbol).row(0, named=True)


def test_scores_by_hand() -> None:
    facts = [
        FACTS,
        replace(FACTS, symbol="BUSDT", quote_volume_24h=9e6, daily_volatility_fraction=0.05, rating=-0.5),
        replace(FACTS, symbol="CUSDT", momentum_fraction=0.2, drawdown_7d_fraction=0.2, rating=math.nan),
    ]
    rows = select_pairs(facts, DAY, SETTINGS)
    # Ranks of A, B, C: volatility .25 1 .25, volume .25 1 .25, momentum .25 .25 1, risk .75 .75 0.
    a = (0.20 * 0.25 + 0.17 * 0.25 + 0.17 * 0.25 + 0.13 * 0.7 + 0.10 * 0.75) / 0.77
    b = (0.20 + 0.17 + 0.17 * 0.25 + 0.13 * 0.25 + 0.10 * 0.75) / 0.77
    c = (0.20 * 0.25 + 0.17 * 0.25 + 0.17 * 1.0 + 0.10 * 0.0) / 0.64
    for symbol, score in (("AUSDT", a), ("BUSDT", b), ("CUSDT", c)):
        assert row(rows, symbol)["score"] == pytest.approx(score)
    assert rows.sort("rank")["symbol"].to_list() == ["BUSDT", "CUSDT", "AUSDT"]
    assert row(rows, "AUSDT")["missing"] == "sentiment, cap"
    assert row(rows, "CUSDT")["missing"] == "sentiment, technical, cap"
    assert row(rows, "CUSDT")["known_weight"] == pytest.approx(0.64)
    assert row(rows, "CUSDT")["technical_part"] is None


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"quote_volume_24h": 999_999.0}, "low_volume"),
        ({"quote_volume_24h": math.nan}, "unknown: quote_volume_24h"),
        ({"daily_volatility_fraction": 0.1501}, "volatile"),
        ({"daily_volatility_fraction": math.nan}, "unknown: daily_volatility_fraction"),
        ({"drawdown_7d_fraction": 0.2501}, "falling"),
        ({"drawdown_7d_fraction": math.nan}, "unknown: drawdown_7d_fraction"),
    ],
)
def test_filters(changes: dict[str, float], reason: str) -> None:
    rows = select_pairs([FACTS, replace(FACTS, symbol="XUSDT", **changes)], DAY, SETTINGS)
    refused = row(rows, "XUSDT")
    assert (refused["selected"], refused["rank"], refused["score"]) == (False, None, None)
    assert refused["reason"] == reason
    assert row(rows, "AUSDT")["reason"] == "selected"


def test_limits_pass_and_at_most_so_many_are_selected() -> None:
    edge = replace(FACTS, quote_volume_24h=1e6, daily_volatility_fraction=0.15, drawdown_7d_fraction=0.25)
    facts = [replace(edge, symbol=f"S{i:02d}USDT") for i in range(14)]
    rows = select_pairs(facts, DAY, SETTINGS)
    assert rows["selected"].sum() == 10
    assert rows.filter("selected")["symbol"].to_list() == [f"S{i:02d}USDT" for i in range(10)], "ties by name"
    assert set(rows.filter(~pl.col("selected"))["reason"]) == {"outranked"}
    assert select_pairs([], DAY, SETTINGS).is_empty()
    with pytest.raises(BadData, match="comes twice"):
        select_pairs([FACTS, FACTS], DAY, SETTINGS)


def bars(symbol: str, closes: np.ndarray, end: datetime = END) -> pl.DataFrame:
    """Hourly closes that end at ``end``, with a value of 1,000 an hour."""
    times = [end - timedelta(hours=closes.size - 1 - i) for i in range(closes.size)]
    return pl.DataFrame(
        {"symbol": symbol, "close_time": times, "close": closes, "quote_volume": 1000.0}
    ).with_columns(pl.col("close_time").dt.cast_time_unit("ms"))


def test_facts_by_hand() -> None:
    rng = np.random.default_rng(4)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.01, 24 * 40)))
    (found,) = facts_of(bars("AUSDT", closes), {"AUSDT": 0.3}, END, SETTINGS)
    midnights = closes[::-1][::24][::-1]
    returns = midnights[1:] / midnights[:-1] - 1
    assert found.quote_volume_24h == 24_000
    assert found.daily_volatility_fraction == pytest.approx(returns[-30:].std(ddof=1))
    assert found.momentum_fraction == pytest.approx(midnights[-1] / midnights[-15] - 1)
    week = closes[-24 * 7 :]
    assert found.drawdown_7d_fraction == pytest.approx(
        max(1 - week[j] / week[: j + 1].max() for j in range(week.size))
    )
    assert found.rating == 0.3


def test_what_comes_after_the_day_changes_nothing() -> None:
    closes = 100 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.01, 24 * 42)))
    late = bars("AUSDT", closes, END + timedelta(days=2))
    cut = late.filter(pl.col("close_time") <= END)
    assert facts_of(late, {}, END, SETTINGS) == facts_of(cut, {}, END, SETTINGS)


def test_a_hole_leaves_a_fact_unknown() -> None:
    whole = bars("AUSDT", np.linspace(100, 120, 24 * 40))
    hours = (pl.lit(END) - pl.col("close_time")).dt.total_hours()

    def without(condition: pl.Expr) -> PairFacts:
        return facts_of(whole.filter(~condition), {}, END, SETTINGS)[0]

    assert math.isnan(without(hours == 5).quote_volume_24h)
    three_days_ago = without(hours == 72)
    assert math.isnan(three_days_ago.daily_volatility_fraction)
    assert math.isnan(three_days_ago.drawdown_7d_fraction)
    assert not math.isnan(three_days_ago.momentum_fraction)
    assert math.isnan(without(hours == 14 * 24).momentum_fraction)
    delisted = without(hours < 24)
    assert all(
        map(
            math.isnan,
            (delisted.quote_volume_24h, delisted.daily_volatility_fraction, delisted.momentum_fraction),
        )
    )
    young = facts_of(whole.filter(hours <= 4 * 24), {}, END, SETTINGS)[0]
    assert math.isnan(young.daily_volatility_fraction)
    assert math.isnan(young.drawdown_7d_fraction)
