"""What holds for every indicator: no look-ahead, no neighbour, honest warm-up, missing when undefined."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from trading.errors import BadData
from trading.indicators import rolling
from trading.indicators.catalogue import INDICATORS
from trading.indicators.panel import compute
from trading.model.interval import Interval
from warehouse.datasets.screening import INDICATORS as STORED

MakeBars = Callable[..., pl.DataFrame]
NAMES = [indicator.name for indicator in INDICATORS]


def exact(left: pl.DataFrame, right: pl.DataFrame) -> None:
    assert_frame_equal(left, right, check_exact=True)


@pytest.fixture(scope="module")
def panel(make_bars: MakeBars) -> tuple[pl.DataFrame, pl.DataFrame]:
    bars = make_bars({"AUSDT": 260, "BUSDT": 131, "CUSDT": 1})
    return bars, compute(bars, Interval.M15)


@settings(deadline=None, max_examples=25)
@given(cut=st.integers(1, 259))
def test_future_bars_never_change_the_past(panel: tuple[pl.DataFrame, pl.DataFrame], cut: int) -> None:
    bars, values = panel
    past = pl.int_range(pl.len()).over("symbol") < cut
    exact(compute(bars.filter(past), Interval.M15), values.filter(past))


def test_future_bars_never_change_the_past_of_real_candles(hourly_candles: pl.DataFrame) -> None:
    values = compute(hourly_candles, Interval.H1)
    for cut in (30, 777, 2500, 4000):
        past = pl.int_range(pl.len()).over("symbol") < cut
        exact(compute(hourly_candles.filter(past), Interval.H1), values.filter(past))


def test_a_symbol_does_not_depend_on_its_neighbours(panel: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    bars, values = panel
    for symbol in ("AUSDT", "BUSDT", "CUSDT"):
        alone = pl.col("symbol") == symbol
        exact(compute(bars.filter(alone), Interval.M15), values.filter(alone))


def test_first_value_comes_after_the_declared_warm_up(panel: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    values = panel[1].filter(pl.col("symbol") == "AUSDT")
    first = {name: values[name].is_not_null().arg_max() for name in NAMES}
    assert first == {indicator.name: indicator.warmup_bars for indicator in INDICATORS}
    for name in NAMES:
        assert values[name][first[name] :].null_count() == 0, name


def test_catalogue_is_the_stored_dataset() -> None:
    stored = [column for column in STORED.columns if column.dtype == pl.Float64]
    assert [(column.name, column.unit) for column in stored] == [
        (indicator.name, indicator.unit) for indicator in INDICATORS
    ]


def test_values_fit_the_stored_dataset(hourly_candles: pl.DataFrame) -> None:
    values = compute(hourly_candles, Interval.H1)
    assert values.schema == pl.Schema(STORED.schema)
    for column in STORED.columns:
        series = values[column.name]
        assert column.nullable or series.null_count() == 0
        if column.dtype == pl.Float64:
            assert series.drop_nulls().is_finite().all(), column.name
        if column.minimum is not None:
            assert series.min() >= column.minimum, column.name
        if column.maximum is not None:
            assert series.max() <= column.maximum, column.name


def test_no_bars_no_rows(make_bars: MakeBars) -> None:
    empty = compute(make_bars({"AUSDT": 3}).clear(), Interval.M15)
    assert empty.schema == pl.Schema(STORED.schema)
    assert empty.is_empty()


@pytest.mark.parametrize("price", [0.1, 3e-7, 61_234.56])
def test_a_market_that_stands_still_has_no_oscillator(make_bars: MakeBars, price: float) -> None:
    still = make_bars({"AUSDT": 260}).with_columns(
        pl.lit(price).alias(name) for name in ("open", "high", "low", "close")
    )
    last = compute(still, Interval.M15).row(-1, named=True)
    for name in ("stoch_k", "stoch_rsi_k", "cci_20", "williams_r_14", "ultimate"):
        assert last[name] is None, name
    for name in ("sma_200", "ema_200", "hma_9", "vwma_20", "vwap", "psar"):
        assert last[name] == pytest.approx(price, rel=1e-12), name


def test_a_spike_leaves_nothing_behind(make_bars: MakeBars) -> None:
    row = pl.int_range(pl.len())
    spike = make_bars({"AUSDT": 120}).with_columns(
        volume=pl.when(row < 40).then(pl.col("volume")).when(row == 40).then(1e17).otherwise(0.0)
    )
    values = compute(spike, Interval.M15)
    assert values["volume_sma_20"][59] == 1e17 / 20
    assert values["volume_sma_20"][60:].to_list() == [0.0] * 60
    assert values["vwma_20"][60:].null_count() == 60


def test_daily_vwap_rolls_over_twenty_days(make_bars: MakeBars) -> None:
    bars = make_bars({"AUSDT": 60}, Interval.D1)
    typical = ((bars["high"] + bars["low"] + bars["close"]) / 3).to_numpy()
    volume = bars["volume"].to_numpy()
    got = compute(bars, Interval.D1)["vwap"].to_list()
    assert got[:19] == [None] * 19
    expected = [np.average(typical[end - 20 : end], weights=volume[end - 20 : end]) for end in range(20, 61)]
    assert got[19:] == pytest.approx(expected)


def test_a_missing_bar_is_passed_over(make_bars: MakeBars) -> None:
    bars = make_bars({"AUSDT": 80})
    holed = bars.filter(pl.int_range(pl.len()) != 50)
    relabelled = holed.with_columns(bars["open_time"][:79], bars["close_time"][:79])
    same = [name for name in NAMES if name != "vwap"]  # a session is a matter of time
    exact(
        compute(holed, Interval.M15).select(same),
        compute(relabelled, Interval.M15).select(same),
    )


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda bars: bars.reverse(), "sort the frame"),
        (lambda bars: pl.concat([bars, bars.head(1)]), "scattered"),
        (lambda bars: pl.concat([bars.head(1), bars]), "AUSDT at .* does not come after"),
        (lambda bars: bars.with_columns(close=pl.lit(None, pl.Float64)), "close: row 0 is nan"),
        (lambda bars: bars.with_columns(volume=pl.lit(float("inf"))), "volume: row 0 is inf"),
    ],
)
def test_bad_bars_are_refused(
    make_bars: MakeBars, spoil: Callable[[pl.DataFrame], pl.DataFrame], message: str
) -> None:
    with pytest.raises(BadData, match=message):
        compute(spoil(make_bars({"AUSDT": 20, "BUSDT": 20})), Interval.M15)


@settings(deadline=None)
@given(
    values=st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=60),
    length=st.integers(1, 40),
    split=st.integers(0, 60),
)
def test_rolling_windows_equal_slices(values: list[float], length: int, split: int) -> None:
    cut = min(split, len(values))
    position = np.concatenate((np.arange(cut), np.arange(len(values) - cut)))
    series = np.array(values)
    cases = (
        (rolling.window_sum, np.sum),
        (rolling.window_maximum, np.max),
        (rolling.window_minimum, np.min),
        (rolling.mean_absolute_deviation, lambda w: np.mean(np.abs(w - np.mean(w)))),
        (rolling.weighted_mean, lambda w: np.average(w, weights=np.arange(1, w.size + 1))),
    )
    for function, of in cases:
        expected = [
            of(series[i - length + 1 : i + 1]) if position[i] >= length - 1 else np.nan
            for i in range(series.size)
        ]
        np.testing.assert_allclose(function(series, length, position), expected, rtol=1e-9, atol=1e-6)
    summed = [series[i - position[i] : i + 1].sum() for i in range(series.size)]
    np.testing.assert_allclose(rolling.running_sum(series, position), summed, rtol=1e-9, atol=1e-6)
