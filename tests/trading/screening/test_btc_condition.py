"""The BTC regime: label and multiplier at their thresholds, missing values, and which hour is read."""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading.model.interval import Interval
from trading.screening.btc import btc_condition, for_day
from warehouse.datasets.screening import BTC_CONDITION

MakeRows = Callable[..., pl.DataFrame]
NOON = datetime(2024, 6, 30, 12, tzinfo=UTC)
BULLISH = {"ema_50": 2.0, "ema_200": 1.0, "macd_histogram": 0.1, "rsi_14": 56.0, "adx_14": 26.0}
BEARISH = {"ema_50": 1.0, "ema_200": 2.0, "macd_histogram": -0.1, "rsi_14": 44.0, "adx_14": 26.0}
HOUR = {"close": 60_000.0, "ema_50": 59_000.0, "adx_14": 21.0}


@pytest.fixture(scope="module")
def regime(rows_of: MakeRows) -> Callable[[dict[str, float | None], dict[str, float | None]], dict]:
    def of(quarter: dict[str, float | None], hour: dict[str, float | None]) -> dict:
        defaults = {"close": 60_000.0, "volume": 1.0, "vwap": 59_999.0}
        quarters = rows_of(Interval.M15, NOON, 1, "BTCUSDT", **{**defaults, **quarter})
        hours = rows_of(Interval.H1, NOON - timedelta(hours=1), 1, "BTCUSDT", **hour)
        return btc_condition(quarters, hours).row(0, named=True)

    return of


@pytest.mark.parametrize(
    ("values", "condition"),
    [
        (BULLISH, "bullish"),
        ({**BULLISH, "rsi_14": 55.0}, "neutral"),
        ({**BULLISH, "adx_14": 25.0}, "neutral"),
        ({**BULLISH, "macd_histogram": 0.0}, "neutral"),
        ({**BULLISH, "ema_50": 1.0}, "neutral"),
        (BEARISH, "bearish"),
        ({**BEARISH, "rsi_14": 45.0}, "neutral"),
        ({**BEARISH, "adx_14": 25.0}, "neutral"),
        ({**BEARISH, "macd_histogram": 0.0}, "neutral"),
        ({**BEARISH, "ema_50": 2.0}, "neutral"),
        *(({**BULLISH, name: None}, "unknown") for name in BULLISH),
    ],
)
def test_label(regime: Callable[..., dict], values: dict[str, float | None], condition: str) -> None:
    assert regime(values, HOUR)["condition"] == condition


@pytest.mark.parametrize(
    ("hour", "rsi", "multiplier"),
    [
        (HOUR, 50.0, 1.10),
        ({**HOUR, "adx_14": 20.0}, 50.0, 1.05),
        ({**HOUR, "close": 58_000.0}, 50.0, 0.95),
        ({**HOUR, "close": 58_000.0, "adx_14": 15.0}, 50.0, 1.0),
        ({**HOUR, "close": 59_000.0}, 50.0, 1.0),
        (HOUR, 34.0, 1.05),
        (HOUR, 35.0, 1.10),
        ({**HOUR, "close": 58_000.0}, 34.0, 0.90),
        (HOUR, None, None),
        *(({**HOUR, name: None}, 50.0, None) for name in HOUR),
    ],
)
def test_multiplier(
    regime: Callable[..., dict], hour: dict[str, float | None], rsi: float | None, multiplier: float | None
) -> None:
    got = regime({**BULLISH, "rsi_14": rsi}, hour)["fork_multiplier"]
    assert got == (None if multiplier is None else pytest.approx(multiplier))


@pytest.mark.parametrize(("vwap", "above"), [(59_999.0, True), (60_000.0, False), (None, None)])
def test_vwap(regime: Callable[..., dict], vwap: float | None, above: bool | None) -> None:
    assert regime({**BULLISH, "vwap": vwap}, HOUR)["above_vwap"] is above


def test_only_hours_that_have_closed_are_read(rows_of: MakeRows) -> None:
    hours = rows_of(Interval.H1, NOON - timedelta(hours=1), 2, "BTCUSDT", close=[1.0, 2.0])
    quarters = rows_of(Interval.M15, NOON, 4, "BTCUSDT", close=5.0)
    # the bars close at 12:15, 12:30, 12:45 and 13:00; the second hour closes at 13:00
    assert btc_condition(quarters, hours)["close_1h"].to_list() == [1.0, 1.0, 1.0, 2.0]


def test_a_stale_hour_is_missing(rows_of: MakeRows) -> None:
    hours = rows_of(Interval.H1, NOON - timedelta(hours=1), 1, "BTCUSDT", **HOUR)
    quarters = rows_of(Interval.M15, NOON, 9, "BTCUSDT", close=60_000.0, volume=1.0, **BULLISH)
    rows = btc_condition(quarters, hours)
    # from 14:00 on, two hours after the close at 12:00
    assert rows["close_1h"].is_null().to_list() == [False] * 7 + [True] * 2
    assert rows["fork_multiplier"].is_null().to_list() == [False] * 7 + [True] * 2


def test_another_symbol_is_never_read(random_rows: MakeRows) -> None:
    quarters, hours = (random_rows(interval, NOON, 8) for interval in (Interval.M15, Interval.H1))
    only = pl.col("symbol") == "BTCUSDT"
    assert_frame_equal(
        btc_condition(quarters, hours), btc_condition(quarters.filter(only), hours.filter(only))
    )
    assert btc_condition(quarters.filter(~only), hours).is_empty()
    assert (
        btc_condition(quarters, hours, "SOLUSDT")["close"].to_list()
        != btc_condition(quarters, hours)["close"].to_list()
    )


def test_rows_fit_the_stored_dataset(random_rows: MakeRows) -> None:
    rows = btc_condition(random_rows(Interval.M15, NOON, 300), random_rows(Interval.H1, NOON, 70))
    assert rows.schema == pl.Schema(BTC_CONDITION.schema)
    for column in BTC_CONDITION.columns:
        assert column.nullable or rows[column.name].null_count() == 0, column.name
    assert set(rows["condition"]) <= {"bullish", "bearish", "neutral", "unknown"}
    assert rows["fork_multiplier"].drop_nulls().is_between(0.8, 1.2).all()
    assert not any(math.isnan(value) for value in rows["fork_multiplier"].drop_nulls())


@settings(deadline=None, max_examples=25)
@given(cut=st.integers(1, 200))
def test_future_bars_never_change_the_past(random_rows: MakeRows, cut: int) -> None:
    quarters, hours = random_rows(Interval.M15, NOON, 200), random_rows(Interval.H1, NOON, 50)
    now = NOON + cut * timedelta(minutes=15)
    known = pl.col("close_time") <= now
    assert_frame_equal(
        btc_condition(quarters.filter(known), hours.filter(known)),
        btc_condition(quarters, hours).filter(known),
        check_exact=True,
    )


def test_a_day_is_the_same_from_any_window(random_rows: MakeRows) -> None:
    first = datetime(2024, 6, 28, tzinfo=UTC)
    quarters, hours = random_rows(Interval.M15, first, 400), random_rows(Interval.H1, first, 100)
    day = date(2024, 6, 30)
    around = pl.col("open_time").dt.date().is_between(day - timedelta(days=1), day)
    expected = btc_condition(quarters, hours).filter(pl.col("open_time").dt.date() == day)
    assert for_day(quarters, hours, day).equals(expected)
    assert for_day(quarters.filter(around), hours.filter(around), day).equals(expected)
    assert expected.height == 96
