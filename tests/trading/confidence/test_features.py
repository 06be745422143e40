"""Features: hand-checked values, no look-ahead, and the same rows however a day is rebuilt."""

from __future__ import annotations

from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from trading.confidence.features import FEATURE_LOOKBACK_BARS, FEATURES, feature_rows, for_day
from trading.errors import BadData
from warehouse.datasets.research import FEATURE_ROWS

BTC = "BTCUSDT"


def _cut(world, moment):
    return {name: frame.filter(pl.col("close_time") <= moment) for name, frame in world.items()}


def test_rows_have_the_declared_schema_and_key(world):
    rows = feature_rows(**world, btc_symbol=BTC)
    assert dict(rows.schema) == FEATURE_ROWS.schema
    assert rows.height == world["bars_1h"].height
    assert rows.select("symbol", "open_time").equals(
        rows.select("symbol", "open_time").sort("symbol", "open_time")
    )


def test_values_against_plain_arithmetic(world, start):
    rows = feature_rows(**world, btc_symbol=BTC)
    eth = world["bars_1h"].filter(pl.col("symbol") == "ETHUSDT")["close"].to_list()
    btc = world["bars_1h"].filter(pl.col("symbol") == BTC)["close"].to_list()
    row = rows.filter((pl.col("symbol") == "ETHUSDT") & (pl.col("open_time") == start + timedelta(hours=250)))
    row = row.row(0, named=True)
    changes = [eth[i] / eth[i - 1] - 1 for i in range(227, 251)]
    mean = sum(changes) / 24
    assert row["return_1"] == pytest.approx(eth[250] / eth[249] - 1)
    assert row["return_24"] == pytest.approx(eth[250] / eth[226] - 1)
    assert row["volatility_24"] == pytest.approx((sum((c - mean) ** 2 for c in changes) / 23) ** 0.5)
    assert row["drawdown_168"] == pytest.approx(1 - eth[250] / max(eth[83:251]))
    assert row["btc_return_24"] == pytest.approx(btc[250] / btc[226] - 1)
    assert row["vwap_distance"] == pytest.approx(1 / 1.01 - 1)


def test_the_4h_rating_is_one_that_had_closed(world, start):
    rows = feature_rows(**world, btc_symbol=BTC).filter(pl.col("symbol") == BTC)
    # The 4h bar that opens at hour 8 closes at hour 12: the hourly bar 11-12 may use it, 10-11 may not.
    by_open = dict(zip(rows["open_time"], rows["rating_4h"], strict=True))
    assert by_open[start + timedelta(hours=11)] == pytest.approx(8 / 1000)
    assert by_open[start + timedelta(hours=10)] == pytest.approx(4 / 1000)
    assert by_open[start + timedelta(hours=2)] is None


def test_a_stale_4h_rating_is_unknown(world, start):
    stale = world | {
        "ratings_4h": world["ratings_4h"].filter(pl.col("close_time") <= start + timedelta(hours=40))
    }
    rows = feature_rows(**stale, btc_symbol=BTC).filter(pl.col("symbol") == BTC)
    by_close = dict(zip(rows["close_time"], rows["rating_4h"], strict=True))
    assert by_close[start + timedelta(hours=48)] is not None
    assert by_close[start + timedelta(hours=49)] is None


@pytest.mark.parametrize("hours", [30, 200, 301])
def test_future_bars_never_change_the_past(world, start, hours):
    moment = start + timedelta(hours=hours)
    whole = feature_rows(**world, btc_symbol=BTC).filter(pl.col("close_time") <= moment)
    assert_frame_equal(feature_rows(**_cut(world, moment), btc_symbol=BTC), whole, check_exact=True)


def test_a_day_is_the_same_from_a_short_window_and_a_long_one(world, start):
    day = (start + timedelta(days=12)).date()
    opened = start + timedelta(days=12)
    early = opened - timedelta(hours=FEATURE_LOOKBACK_BARS)
    short = {name: frame.filter(pl.col("open_time") >= early) for name, frame in world.items()}
    long = for_day(**world, btc_symbol=BTC, day=day)
    assert_frame_equal(long, for_day(**short, btc_symbol=BTC, day=day), check_exact=True)
    assert long.height == 48
    assert long["open_time"].dt.date().unique().to_list() == [day]
    # The look-back is long enough: the full-history values agree.
    full = feature_rows(**world, btc_symbol=BTC).filter(pl.col("open_time").dt.date() == day)
    assert_frame_equal(long, full, rel_tol=1e-9, abs_tol=1e-12)


def test_a_hole_leaves_unknowns_and_shifts_nothing(world, start):
    gone = start + timedelta(hours=100)
    holed = {name: frame.filter(pl.col("open_time") != gone) for name, frame in world.items()}
    rows = feature_rows(**holed, btc_symbol=BTC).filter(pl.col("symbol") == BTC)
    whole = feature_rows(**world, btc_symbol=BTC).filter(pl.col("symbol") == BTC)
    at = {r["open_time"]: r for r in rows.iter_rows(named=True)}
    reference = {r["open_time"]: r for r in whole.iter_rows(named=True)}
    assert gone not in at
    assert at[gone + timedelta(hours=1)]["return_1"] is None
    assert at[gone + timedelta(hours=4)]["return_4"] is None
    assert at[gone + timedelta(hours=5)]["return_4"] == reference[gone + timedelta(hours=5)]["return_4"]


def test_unknown_is_null_and_never_zero_nan_or_infinite(world):
    zero_volume = world["indicators_1h"].with_columns(volume_sma_20=pl.lit(0.0))
    rows = feature_rows(**(world | {"indicators_1h": zero_volume}), btc_symbol=BTC)
    assert rows["volume_ratio"].null_count() == rows.height
    for name in FEATURES:
        assert rows[name].drop_nulls().is_finite().all(), name
    assert rows.filter(pl.col("symbol") == BTC)["drawdown_168"].head(146).null_count() == 146


def test_a_day_without_bars_gives_no_rows(world):
    rows = for_day(**world, btc_symbol=BTC, day=date(2030, 1, 1))
    assert rows.is_empty()
    assert dict(rows.schema) == FEATURE_ROWS.schema


def test_a_doubled_bar_is_refused(world):
    doubled = world | {"bars_1h": pl.concat([world["bars_1h"], world["bars_1h"].head(1)])}
    with pytest.raises(BadData, match="occurs twice"):
        feature_rows(**doubled, btc_symbol=BTC)
