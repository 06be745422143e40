"""Technical ratings: golden vectors, an independent reading of the rules, and their properties."""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading.errors import BadData
from trading.ratings.labels import RATING_LABELS
from trading.ratings.rules import MOVING_AVERAGE_VOTES, OSCILLATOR_VOTES
from trading.ratings.tv_lib_v3 import breakdown, rate
from warehouse.datasets.screening import SCREENER_RATINGS

MakeIndicators = Callable[..., pl.DataFrame]
Walk = Callable[[int, int], dict[str, np.ndarray]]
VOTES = (*MOVING_AVERAGE_VOTES, *OSCILLATOR_VOTES)


@pytest.fixture(scope="module")
def golden(indicators_of: MakeIndicators) -> pl.DataFrame:
    t = np.arange(600)
    close = 100 + 10 * np.sin(0.05 * t) + 5 * np.sin(0.31 * t) + 0.02 * t
    high, low = close + 1 + 0.5 * np.abs(np.sin(t)), close - 1 - 0.5 * np.abs(np.cos(t))
    return rate(indicators_of(high, low, close, 1000 + 100 * np.cos(0.2 * t)))


@pytest.mark.parametrize(
    ("row", "averages", "oscillators", "total", "label", "votes"),
    [
        (
            250,
            0.8,
            -0.272727,
            0.263636,
            "buy",
            {
                "rsi": -1,
                "cci": -1,
                "adx": 1,
                "momentum": -1,
                "macd": 1,
                "stoch_rsi": -1,
                "williams_r": -1,
            },
        ),
        (400, 0.266667, -0.090909, 0.087879, "neutral", {"momentum": -1, "macd": -1, "bull_bear": 1}),
        (
            451,
            -0.133333,
            0.0,
            -0.066667,
            "neutral",
            {"momentum": 1, "macd": 1, "williams_r": -1, "bull_bear": -1},
        ),
    ],
)
def test_golden_vector(
    golden: pl.DataFrame,
    row: int,
    averages: float,
    oscillators: float,
    total: float,
    label: str,
    votes: dict[str, int],
) -> None:
    rated = golden.row(row, named=True)
    assert rated["moving_averages"] == pytest.approx(averages, abs=5e-7)
    assert rated["oscillators"] == pytest.approx(oscillators, abs=5e-7)
    assert rated["rating"] == pytest.approx(total, abs=5e-7)
    assert rated["label"] == label
    assert {name: rated[f"vote_{name}"] for name in OSCILLATOR_VOTES} == {
        name: votes.get(name, 0) for name in OSCILLATOR_VOTES
    }


def above(left: float | None, right: float | None) -> bool:
    """Left > right; values tie on paper (prices are decimals), which floats miss by the last bits."""
    if left is None or right is None:
        return False
    return left > right and not math.isclose(left, right, rel_tol=1e-11, abs_tol=1e-11)


def expected_votes(now: dict[str, Any], one: dict[str, Any], two: dict[str, Any]) -> dict[str, int | None]:
    """The published table, read row by row; ``one`` and ``two`` are the bars before."""
    price, trend = now["close"], now["ema_50"]
    up, down = above(price, trend), above(trend, price)
    votes: dict[str, tuple[Any, bool, bool]] = {
        name: (now[name], above(price, now[name]), above(now[name], price))
        for name in MOVING_AVERAGE_VOTES[:-1]
    }
    ladder = [now[f"ichimoku_{name}"] for name in ("lead_b", "lead_a", "base", "conversion")] + [price]
    votes["ichimoku"] = (
        now["ichimoku_lead_b"],
        all(above(y, x) for x, y in pairwise(ladder)),
        all(above(x, y) for x, y in pairwise(ladder)),
    )
    for vote, name, low, high in (
        ("rsi", "rsi_14", 30, 70),
        ("cci", "cci_20", -100, 100),
        ("williams_r", "williams_r_14", -80, -20),
    ):
        x, before = now[name], one.get(name)
        votes[vote] = (before, above(low, x) and above(x, before), above(x, high) and above(before, x))
    k, d = now["stoch_k"], now["stoch_d"]
    votes["stochastic"] = (
        one.get("stoch_d"),
        above(20, k) and above(20, d) and above(k, d),
        above(k, 80) and above(d, 80) and above(d, k),
    )
    k, d = now["stoch_rsi_k"], now["stoch_rsi_d"]
    votes["stoch_rsi"] = (
        trend,
        down and above(20, k) and above(20, d) and above(k, d),
        up and above(k, 80) and above(d, 80) and above(d, k),
    )
    strong = above(now["adx_14"], 20) and above(now["adx_14"], one.get("adx_14"))
    plus, minus = now["plus_di_14"], now["minus_di_14"]
    votes["adx"] = (now["adx_14"], strong and above(plus, minus), strong and above(minus, plus))
    ao, ao1, ao2 = now["awesome"], one.get("awesome"), two.get("awesome")
    crossed_up = above(ao, 0) and ao1 is not None and ao1 <= 0
    crossed_down = above(0, ao) and ao1 is not None and ao1 >= 0
    votes["awesome"] = (
        ao1,
        crossed_up or (above(ao, 0) and above(ao1, 0) and above(ao, ao1) and above(ao2, ao1)),
        crossed_down or (above(0, ao) and above(0, ao1) and above(ao1, ao) and above(ao1, ao2)),
    )
    x, before = now["momentum_10"], one.get("momentum_10")
    votes["momentum"] = (before, above(x, before), above(before, x))
    line, signal = now["macd"], now["macd_signal"]
    votes["macd"] = (signal, above(line, signal), above(signal, line))
    bull, bear = now["bull_power_13"], now["bear_power_13"]
    votes["bull_bear"] = (
        trend,
        up and above(0, bear) and above(bear, one.get("bear_power_13")),
        down and above(bull, 0) and above(one.get("bull_power_13"), bull),
    )
    votes["ultimate"] = (now["ultimate"], above(now["ultimate"], 70), above(30, now["ultimate"]))
    return {
        name: None if key is None else 1 if buy else -1 if sell else 0
        for name, (key, buy, sell) in votes.items()
    }


def mean(votes: list[int | None]) -> float | None:
    present = [vote for vote in votes if vote is not None]
    return sum(present) / len(present) if present else None


def assert_follows_the_table(indicators: pl.DataFrame) -> None:
    rows, rated = indicators.to_dicts(), rate(indicators).to_dicts()
    for i, got in enumerate(rated):
        one, two = (
            rows[i - back] if i >= back and rows[i - back]["symbol"] == got["symbol"] else {}
            for back in (1, 2)
        )
        expected = expected_votes(rows[i], one, two)
        assert {name: got[f"vote_{name}"] for name in VOTES} == expected, i
        averages = mean([expected[name] for name in MOVING_AVERAGE_VOTES])
        oscillators = mean([expected[name] for name in OSCILLATOR_VOTES])
        groups = [group for group in (averages, oscillators) if group is not None]
        assert got["moving_averages"] == pytest.approx(averages)
        assert got["oscillators"] == pytest.approx(oscillators)
        assert got["rating"] == pytest.approx(sum(groups) / len(groups) if groups else None)


def test_votes_of_real_candles_follow_the_table(real_indicators: pl.DataFrame) -> None:
    assert_follows_the_table(real_indicators)
    counts = rate(real_indicators).select(pl.col(f"vote_{name}").n_unique() for name in VOTES)
    assert set(counts.row(0)) <= {3, 4}, "every component must have bought, sold and held"


def test_ties_on_paper_do_not_vote(indicators_of: MakeIndicators) -> None:
    # One tick above the low of a range of five, up from the low: %R is -80 and rising, not below -80.
    ticks = [3] * 5 + [5] + [3] * 10 + [0, 1]
    close = np.array([round(1.1 + 0.1 * tick, 1) for tick in ticks])
    touched = indicators_of(close, close, close, np.ones(close.size))
    assert touched["williams_r_14"][-1] < -80.0, "the example needs a float that misses the tie"
    assert rate(touched)["vote_williams_r"][-1] == 0
    # A line rises by the same amount in every ten bars, whatever the last bits of its closes say.
    line = np.array([1.0 + 0.1 * bar for bar in range(30)])
    straight = indicators_of(line, line, line, np.ones(30))
    assert straight["momentum_10"].drop_nulls().n_unique() > 1
    assert rate(straight)["vote_momentum"].drop_nulls().unique().to_list() == [0]


def test_missing_components_are_left_out_at_bars_1_to_260(
    indicators_of: MakeIndicators, random_walk: Walk
) -> None:
    walks = [indicators_of(**random_walk(260, seed), symbol=f"S{seed}") for seed in (1, 2)]
    assert_follows_the_table(pl.concat(walks))
    rated = rate(walks[0])
    assert rated["rating"][:8].to_list() == [None] * 8
    first = {name: rated[f"vote_{name}"].is_not_null().arg_max() for name in VOTES}
    assert first == {
        **{f"{kind}_{n}": n - 1 for n in (10, 20, 30, 50, 100, 200) for kind in ("sma", "ema")},
        "hma_9": 10,
        "vwma_20": 19,
        "ichimoku": 77,
        "rsi": 15,
        "stochastic": 18,
        "cci": 20,
        "adx": 27,
        "awesome": 34,
        "momentum": 11,
        "macd": 33,
        "stoch_rsi": 49,
        "williams_r": 14,
        "bull_bear": 49,
        "ultimate": 28,
    }


def test_total_is_the_only_group_that_exists(indicators_of: MakeIndicators, random_walk: Walk) -> None:
    rated = rate(indicators_of(**random_walk(30, 5)))
    assert rated["oscillators"][9:11].to_list() == [None, None]
    assert rated["rating"][9:11].to_list() == rated["moving_averages"][9:11].to_list() != [None, None]


def test_a_strictly_rising_market_is_bought_by_every_average(indicators_of: MakeIndicators) -> None:
    close = 100.0 * 1.01 ** np.arange(400.0)
    rated = rate(indicators_of(close * 1.001, close * 0.999, close, np.ones(400)))
    for name in MOVING_AVERAGE_VOTES:
        assert rated[f"vote_{name}"].drop_nulls().unique().to_list() == [1], name
    assert rated["moving_averages"][9:].unique().to_list() == [1.0]


def test_a_straight_line_ties_with_the_hull_average_alone(indicators_of: MakeIndicators) -> None:
    close = 100.0 + 0.5 * np.arange(400.0)  # the Hull average has no lag on a line: equal, hence 0
    rated = rate(indicators_of(close + 1.0, close - 1.0, close, np.ones(400)))
    for name in MOVING_AVERAGE_VOTES:
        votes = rated[f"vote_{name}"].drop_nulls().unique().to_list()
        assert votes == [0 if name == "hma_9" else 1], name
    assert rated["moving_averages"][-1] == 14 / 15


@pytest.mark.parametrize("price", [0.1, 3.3e-7, 61_234.56])
def test_a_market_that_stands_still_is_neutral(indicators_of: MakeIndicators, price: float) -> None:
    same = np.full(300, price)
    rated = rate(indicators_of(same, same, same, np.ones(300)))
    assert rated["rating"].drop_nulls().unique().to_list() == [0.0]
    assert rated["streak"].drop_nulls().unique().to_list() == [0]
    assert rated["vote_ultimate"].null_count() == 300


@pytest.mark.parametrize("name", VOTES)
def test_mirrored_prices_turn_every_vote_around(
    indicators_of: MakeIndicators, random_walk: Walk, name: str
) -> None:
    for seed in (3, 4):
        walk = random_walk(500, seed)
        centre = 2.0 * walk["high"].max()
        mirrored = {
            "high": 2 * centre - walk["low"],
            "low": 2 * centre - walk["high"],
            "close": 2 * centre - walk["close"],
            "volume": walk["volume"],
        }
        vote = rate(indicators_of(**walk))[f"vote_{name}"]
        assert vote.n_unique() > 2
        assert (-vote).to_list() == rate(indicators_of(**mirrored))[f"vote_{name}"].to_list()


@pytest.fixture(scope="module")
def real_ratings(real_indicators: pl.DataFrame) -> pl.DataFrame:
    return rate(real_indicators)


@settings(deadline=None, max_examples=15)
@given(cut=st.integers(1, 4300))
def test_future_bars_never_change_the_past(
    real_indicators: pl.DataFrame, real_ratings: pl.DataFrame, cut: int
) -> None:
    past = pl.int_range(pl.len()).over("symbol") < cut
    assert_frame_equal(rate(real_indicators.filter(past)), real_ratings.filter(past), check_exact=True)


def test_ratings_fit_the_stored_dataset(real_indicators: pl.DataFrame) -> None:
    rated = rate(real_indicators)
    assert rated.schema == pl.Schema(SCREENER_RATINGS.schema)
    assert rated["rating"].is_between(-1, 1).all()
    assert set(rated["label"].unique()) <= {*RATING_LABELS, None}
    assert rate(real_indicators.clear()).schema == rated.schema


def test_a_rating_that_is_exactly_a_boundary_takes_the_inner_label(indicators_of: MakeIndicators) -> None:
    # 12 of 15 averages buy and 6 of 10 oscillators sell: (0.8 - 0.6) / 2 is 0.1, but not in floats
    assert (0.8 - 0.6) / 2 > 0.1
    t = np.arange(300.0)
    row = indicators_of(101 + t, 99 + t, 100 + t, np.ones(300)).tail(2)
    frame = row.with_columns(
        pl.lit(100.0).alias("close"),
        *(pl.lit(99.0).alias(name) for name in MOVING_AVERAGE_VOTES[:12]),
        pl.lit(100.0).alias("hma_9"),
        pl.lit(100.0).alias("vwma_20"),
        pl.lit(100.0).alias("ichimoku_lead_b"),
        pl.lit(100.0).alias("ichimoku_lead_a"),
        pl.Series("rsi_14", [80.0, 75.0]),
        pl.Series("stoch_k", [90.0, 85.0]),
        pl.Series("stoch_d", [90.0, 86.0]),
        pl.Series("cci_20", [150.0, 140.0]),
        pl.lit(10.0).alias("adx_14"),
        pl.lit(1.0).alias("awesome"),
        pl.Series("momentum_10", [2.0, 1.0]),
        pl.lit(0.0).alias("macd"),
        pl.lit(1.0).alias("macd_signal"),
        pl.Series("williams_r_14", [-5.0, -10.0]),
        pl.lit(50.0).alias("stoch_rsi_k"),
        pl.lit(1.0).alias("bear_power_13"),
        pl.lit(None, pl.Float64).alias("ultimate"),
    )
    last = rate(frame).row(-1, named=True)
    assert (last["moving_averages"], last["oscillators"]) == (12 / 15, -6 / 10)
    assert last["rating"] == 0.1
    assert last["label"] == "neutral"


def test_explanation_lists_every_component_of_the_newest_bar(real_indicators: pl.DataFrame) -> None:
    rated = rate(real_indicators)
    newest = real_indicators.filter(pl.col("symbol") == "BTCUSDT").row(-1, named=True)
    table = breakdown(rated.filter(pl.col("symbol") == "BTCUSDT").row(-1, named=True), newest)
    assert [name for name, _, _ in table] == list(VOTES)
    values = {name: value for name, _, value in table}
    assert values["sma_200"] == newest["sma_200"]
    assert values["adx"] == newest["adx_14"]
    assert values["williams_r"] == newest["williams_r_14"]
    votes = [vote for _, vote, _ in table[:15]]
    expected = rated.filter(pl.col("symbol") == "BTCUSDT")["moving_averages"][-1]
    assert math.isclose(sum(votes) / 15, expected)


def test_ratings_and_indicators_of_different_bars_explain_nothing(real_indicators: pl.DataFrame) -> None:
    rated = rate(real_indicators)
    with pytest.raises(BadData, match="hand in rows of one bar"):
        breakdown(rated.row(-1, named=True), real_indicators.row(-2, named=True))
