"""Fork scores: each sub-score, the highest score, missing inputs, passing, and no look-ahead."""

from __future__ import annotations

import io
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading.model.interval import Interval
from trading.screening.btc import btc_condition
from trading.screening.fork import (
    FORK_COMPONENTS,
    ForkScoreSettings,
    ForkWeights,
    for_day,
    fork_scores,
)
from warehouse.datasets.screening import FORK_SCORES

MakeRows = Callable[..., pl.DataFrame]
Values = dict[str, float | list[float | None] | None]
NOON = datetime(2024, 6, 30, 12, tzinfo=UTC)
#: Every reward in full, no penalty.
BEST_15M: Values = {
    "close": 101.0,
    "volume": 10.0,
    "volume_sma_9": 10.0,
    "rsi_14": 50.0,
    "stoch_rsi_k": [30.0, 40.0, 45.0, 60.0],
    "stoch_rsi_d": 35.0,
}
BEST_1H: Values = {
    "close": 100.0,
    "volume": 1.0,
    "macd": 1.0,
    "macd_signal": 0.5,
    "macd_histogram": 0.5,
    "macd_histogram_previous": 0.4,
    "adx_14": 20.0,
    "ema_50": 100.0,
    "atr_14": 1.0,
}


@pytest.fixture(scope="module")
def score(rows_of: MakeRows) -> Callable[..., dict]:
    """The last of four 15-minute bars from 12:00; the hour closed at 12:00."""

    def of(
        quarter: Values | None = None,
        hour: Values | None = None,
        multiplier: float | None = 1.0,
        settings: ForkScoreSettings | None = None,
    ) -> dict:
        quarters = rows_of(Interval.M15, NOON - timedelta(minutes=30), 4, **{**BEST_15M, **(quarter or {})})
        hours = rows_of(Interval.H1, NOON - timedelta(hours=1), 1, **{**BEST_1H, **(hour or {})})
        btc = quarters.select("open_time", pl.lit(multiplier, pl.Float64).alias("fork_multiplier"))
        return fork_scores(quarters, hours, btc, settings or ForkScoreSettings()).row(-1, named=True)

    return of


def test_the_best_score_is_1_30_before_the_multiplier(score: Callable[..., dict]) -> None:
    best = score()
    rewards = {name for name in FORK_COMPONENTS if getattr(ForkWeights(), name) > 0}
    assert {name: best[name] for name in FORK_COMPONENTS} == {
        name: float(name in rewards) for name in FORK_COMPONENTS
    }
    assert best["score"] == pytest.approx(1.30) == pytest.approx(ForkWeights().best)
    assert (best["passed"], best["reason"]) == (True, "passed")
    assert score(multiplier=1.10)["score"] == pytest.approx(1.43)


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 10_000))
def test_no_score_is_above_the_best_or_below_the_worst(random_rows: MakeRows, seed: int) -> None:
    quarters, hours = (random_rows(interval, NOON, 30, seed) for interval in (Interval.M15, Interval.H1))
    btc = quarters.select("open_time", fork_multiplier=pl.lit(1.0)).unique("open_time")
    scored = fork_scores(quarters, hours, btc, ForkScoreSettings())
    assert scored["score"].drop_nulls().is_between(-0.65, 1.30).all()
    for name in FORK_COMPONENTS:
        assert scored[name].drop_nulls().is_between(0.0, 1.0).all(), name


@pytest.mark.parametrize(
    ("name", "quarter", "hour", "value"),
    [
        ("macd_histogram", {}, {"macd": 0.5}, 0.0),
        ("macd_histogram", {}, {"macd_histogram_previous": 0.5}, 0.0),
        ("macd_bearish_cross", {}, {"macd": 0.5}, 0.0),
        ("macd_bearish_cross", {}, {"macd": 0.4}, 1.0),
        ("rsi_recovery", {"rsi_14": 30.0}, {}, 0.0),
        ("rsi_recovery", {"rsi_14": 25.0}, {}, 0.0),
        ("rsi_recovery", {"rsi_14": 40.0}, {}, 0.5),
        ("rsi_recovery", {"rsi_14": 75.0}, {}, 1.0),
        ("stoch_rsi_cross", {"stoch_rsi_d": 55.0}, {}, 0.2),
        ("stoch_rsi_cross", {"stoch_rsi_d": 60.0}, {}, 0.0),
        ("stoch_rsi_cross", {"stoch_rsi_k": 79.0, "stoch_rsi_d": 77.75}, {}, 0.05),
        ("stoch_rsi_cross", {"stoch_rsi_k": 80.0}, {}, 0.0),
        ("stoch_overbought_penalty", {"stoch_rsi_k": 91.0, "stoch_rsi_d": 91.0}, {}, 1.0),
        ("stoch_overbought_penalty", {"stoch_rsi_k": 91.0, "stoch_rsi_d": 90.0}, {}, 0.0),
        ("stoch_overbought_penalty", {"stoch_rsi_k": 90.0, "stoch_rsi_d": 91.0}, {}, 0.0),
        ("adx_rising", {}, {"adx_14": 10.0}, 0.0),
        ("adx_rising", {}, {"adx_14": 15.0}, 0.75),
        ("adx_rising", {}, {"adx_14": 60.0}, 1.0),
        ("ema_price_reclaim", {"close": 100.0}, {}, 0.0),
        ("mean_reversion", {"close": 90.0}, {}, 1.0),
        ("mean_reversion", {"close": 101.5}, {}, 1.0),
        ("mean_reversion", {"close": 101.75}, {}, 0.5),
        ("mean_reversion", {"close": 102.0}, {}, 0.5),
        ("mean_reversion", {"close": 102.25}, {}, 0.25),
        ("mean_reversion", {"close": 103.0}, {}, 0.25),
        ("mean_reversion", {"close": 103.25}, {}, 0.0),
        ("volume_penalty", {"volume": 20.0}, {}, 0.0),
        ("volume_penalty", {"volume": 20.5}, {}, 1.0),
        ("stoch_rsi_slope", {"stoch_rsi_k": [50.0, 0.0, 0.0, 60.0]}, {}, 0.5),
        ("stoch_rsi_slope", {"stoch_rsi_k": [70.0, 0.0, 0.0, 60.0]}, {}, 0.0),
    ],
)
def test_subscore(score: Callable[..., dict], name: str, quarter: Values, hour: Values, value: float) -> None:
    assert score(quarter, hour)[name] == pytest.approx(value)


def test_penalties_lower_the_score_only_when_conditions_are_bad(score: Callable[..., dict]) -> None:
    assert score({"volume": 50.0})["score"] == pytest.approx(1.30 - 0.25)
    overbought = {"stoch_rsi_k": [71.0, 80.0, 90.0, 95.0], "stoch_rsi_d": 92.0}
    assert score(overbought)["score"] == pytest.approx(1.30 - 0.20 - 0.15)


@pytest.mark.parametrize(
    ("where", "name", "missing"),
    [
        ("1h", "macd", {"macd_histogram", "macd_bearish_cross"}),
        ("1h", "macd_signal", {"macd_histogram", "macd_bearish_cross"}),
        ("1h", "macd_histogram", {"macd_histogram"}),
        ("1h", "macd_histogram_previous", {"macd_histogram"}),
        ("1h", "adx_14", {"adx_rising"}),
        ("1h", "ema_50", {"ema_price_reclaim", "mean_reversion"}),
        ("1h", "atr_14", {"mean_reversion"}),
        ("15m", "rsi_14", {"rsi_recovery"}),
        ("15m", "stoch_rsi_k", {"stoch_rsi_cross", "stoch_overbought_penalty", "stoch_rsi_slope"}),
        ("15m", "stoch_rsi_d", {"stoch_rsi_cross", "stoch_overbought_penalty"}),
        ("15m", "volume_sma_9", {"volume_penalty"}),
    ],
)
def test_a_missing_input_fails_closed_and_is_named(
    score: Callable[..., dict], where: str, name: str, missing: set[str]
) -> None:
    row = score({name: None}) if where == "15m" else score({}, {name: None})
    assert {component for component in FORK_COMPONENTS if row[component] is None} == missing
    assert row["score"] is None
    assert row["passed"] is False
    assert row["reason"] == "missing_" + next(name for name in FORK_COMPONENTS if name in missing)


def test_the_slope_needs_three_bars_of_the_same_symbol(rows_of: MakeRows) -> None:
    frames = [
        rows_of(Interval.M15, NOON, 4, symbol, **{**BEST_15M, "stoch_rsi_k": [10.0, 10.0, 10.0, 20.0]})
        for symbol in ("AUSDT", "BUSDT")
    ]
    quarters = pl.concat(frames)
    btc = frames[0].select("open_time", fork_multiplier=pl.lit(1.0))
    scored = fork_scores(quarters, quarters.clear(), btc, ForkScoreSettings())
    assert scored["stoch_rsi_slope"].to_list() == [None, None, None, 0.5] * 2


def test_an_unknown_btc_fails_closed(score: Callable[..., dict]) -> None:
    row = score(multiplier=None)
    assert (row["score"], row["passed"], row["reason"]) == (None, False, "missing_btc_multiplier")


def test_no_btc_row_fails_closed(rows_of: MakeRows) -> None:
    quarters = rows_of(Interval.M15, NOON, 4, **BEST_15M)
    hours = rows_of(Interval.H1, NOON - timedelta(hours=1), 1, **BEST_1H)
    btc = quarters.head(0).select("open_time", fork_multiplier=pl.lit(1.0))
    row = fork_scores(quarters, hours, btc, ForkScoreSettings()).row(-1, named=True)
    assert (row["passed"], row["reason"]) == (False, "missing_btc_multiplier")


def test_a_flat_atr_is_missing_not_infinite(score: Callable[..., dict]) -> None:
    assert score({}, {"atr_14": 0.0})["reason"] == "missing_mean_reversion"


def test_passing_needs_the_mark_and_a_sign_of_recovery(score: Callable[..., dict]) -> None:
    without = {"rsi_14": 30.0, "stoch_rsi_d": 60.0}
    row = score(without)
    assert row["score"] == pytest.approx(0.90)
    assert (row["passed"], row["reason"]) == (False, "no_recovery")
    assert score({**without, "rsi_14": 31.0})["reason"] == "passed"
    assert score({**without, "stoch_rsi_d": 59.0})["reason"] == "passed"
    assert score({"volume": 50.0}, {"macd": 0.0})["reason"] == "below_pass_mark"


def test_a_score_that_is_the_mark_on_paper_passes(score: Callable[..., dict]) -> None:
    # 0.20 + 0.20 + 0.20 + 0.15 + 0.15 + 0.20 + 0.20 - 0.25 - 0.20 = 0.85
    row = score({"volume": 50.0}, {"macd_histogram_previous": 0.5})
    assert row["score"] == 0.85
    assert row["passed"]
    higher = ForkScoreSettings(pass_mark=0.8500001)
    low = score({"volume": 50.0}, {"macd_histogram_previous": 0.5}, settings=higher)
    assert low["reason"] == "below_pass_mark"


def test_weights_come_from_the_settings(score: Callable[..., dict]) -> None:
    doubled = ForkScoreSettings(weights=ForkWeights(mean_reversion=0.40))
    assert score(settings=doubled)["score"] == pytest.approx(1.50)
    strict = ForkScoreSettings(volume_spike_ratio=1.01)
    assert score({"volume": 11.0}, settings=strict)["volume_penalty"] == 1.0


def test_rows_fit_the_stored_dataset(random_rows: MakeRows) -> None:
    quarters, hours = random_rows(Interval.M15, NOON, 120), random_rows(Interval.H1, NOON, 30)
    scored = fork_scores(quarters, hours, btc_condition(quarters, hours), ForkScoreSettings())
    assert scored.schema == pl.Schema(FORK_SCORES.schema)
    assert scored.height == quarters.height
    assert scored.select("symbol", "open_time").equals(quarters.select("symbol", "open_time"))
    for column in FORK_SCORES.columns:
        assert column.nullable or scored[column.name].null_count() == 0, column.name
    assert scored["reason"].n_unique() > 4


@settings(deadline=None, max_examples=25)
@given(cut=st.integers(1, 120))
def test_future_bars_never_change_the_past(random_rows: MakeRows, cut: int) -> None:
    quarters, hours = random_rows(Interval.M15, NOON, 120), random_rows(Interval.H1, NOON, 30)
    btc = btc_condition(quarters, hours)
    known = pl.col("close_time") <= NOON + cut * timedelta(minutes=15)
    assert_frame_equal(
        fork_scores(quarters.filter(known), hours.filter(known), btc.filter(known), ForkScoreSettings()),
        fork_scores(quarters, hours, btc, ForkScoreSettings()).filter(known),
        check_exact=True,
    )


def test_a_day_is_the_same_bytes_from_any_window(random_rows: MakeRows) -> None:
    first = datetime(2024, 6, 28, tzinfo=UTC)
    quarters, hours = random_rows(Interval.M15, first, 400), random_rows(Interval.H1, first, 100)
    btc = btc_condition(quarters, hours)
    day = date(2024, 6, 30)
    opened = pl.col("open_time").dt.date()
    around = opened.is_between(day - timedelta(days=1), day)
    written = []
    for inputs in (
        (quarters, hours, btc),
        (quarters.filter(around), hours.filter(around), btc.filter(opened == day)),
    ):
        sink = io.BytesIO()
        scored = for_day(*inputs, ForkScoreSettings(), day)
        scored.write_parquet(sink)
        written.append(sink.getvalue())
    assert written[0] == written[1]
    whole = fork_scores(quarters, hours, btc, ForkScoreSettings()).filter(opened == day)
    assert scored.equals(whole)
    assert scored.height == 3 * 96


def test_scores_of_real_candles_add_up(real_indicators: dict[Interval, pl.DataFrame]) -> None:
    quarters, hours = real_indicators[Interval.M15], real_indicators[Interval.H1]
    scored = fork_scores(quarters, hours, btc_condition(quarters, hours), ForkScoreSettings())
    known = scored.filter(pl.col("score").is_not_null())
    assert known.height > 0.95 * scored.height
    assert 0 < known["passed"].sum() < known.height / 2
    weights = ForkWeights()
    for row in known.gather_every(101).to_dicts():
        total = sum(getattr(weights, name) * row[name] for name in FORK_COMPONENTS)
        assert row["score"] == pytest.approx(total * row["btc_multiplier"], abs=1e-11)
        recovering = row["rsi_recovery"] > 0 or row["stoch_rsi_cross"] > 0
        assert row["passed"] is (row["score"] >= 0.85 and recovering)
    by_time = {
        (row["symbol"], row["close_time"]): row
        for row in hours.filter(pl.col("ema_50").is_not_null()).to_dicts()
    }
    for row in known.gather_every(97).to_dicts():
        hour = by_time[row["symbol"], row["close_time"].replace(minute=0)]
        assert row["ema_price_reclaim"] == float(row["close"] > hour["ema_50"])
        assert row["macd_bearish_cross"] == float(hour["macd"] < hour["macd_signal"])
