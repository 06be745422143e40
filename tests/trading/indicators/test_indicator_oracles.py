"""Every indicator against TA-Lib where TA-Lib has it, and against plain loops written from the formula."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import polars as pl
import pytest
import talib
from indicator_loops import ORACLES, Bars

from trading.indicators.catalogue import INDICATORS
from trading.indicators.panel import compute
from trading.model.interval import Interval

COUNT = 320


@pytest.fixture(scope="module")
def panel(make_bars: Callable[..., pl.DataFrame]) -> tuple[pl.DataFrame, pl.DataFrame]:
    bars = make_bars({"AAAUSDT": 90, "BBBUSDT": COUNT, "CCCUSDT": 5})
    return bars, compute(bars, Interval.M15)


def one_symbol(panel: tuple[pl.DataFrame, pl.DataFrame], symbol: str) -> tuple[Bars, pl.DataFrame]:
    bars, values = (frame.filter(pl.col("symbol") == symbol) for frame in panel)
    columns = {name: bars[name].to_list() for name in ("high", "low", "close", "volume")}
    return Bars(**columns, opened=bars["open_time"].dt.epoch("ms").to_list()), values


@pytest.mark.parametrize("symbol", ["AAAUSDT", "BBBUSDT", "CCCUSDT"])
@pytest.mark.parametrize("name", [indicator.name for indicator in INDICATORS])
def test_indicator_equals_a_plain_loop(
    panel: tuple[pl.DataFrame, pl.DataFrame], name: str, symbol: str
) -> None:
    bars, values = one_symbol(panel, symbol)
    expected = ORACLES[name](bars)
    got = values[name].to_list()
    assert [value is None for value in got] == [math.isnan(value) for value in expected]
    np.testing.assert_allclose(
        np.array([value for value in got if value is not None]),
        np.array([value for value in expected if not math.isnan(value)]),
        rtol=1e-9,
        atol=1e-9,
    )


def test_indicators_equal_talib_bar_by_bar(panel: tuple[pl.DataFrame, pl.DataFrame]) -> None:
    bars, values = one_symbol(panel, "BBBUSDT")
    high, low, close, volume = (np.array(column) for column in (bars.high, bars.low, bars.close, bars.volume))
    stoch_k, stoch_d = talib.STOCH(high, low, close, 14, 3, 0, 3, 0)
    expected = {
        **{f"sma_{n}": talib.SMA(close, n) for n in (10, 20, 30, 50, 100, 200)},
        **{f"ema_{n}": talib.EMA(close, n) for n in (10, 20, 30, 50, 100, 200)},
        "hma_9": talib.WMA(2.0 * talib.WMA(close, 4) - talib.WMA(close, 9), 3),
        "rsi_14": talib.RSI(close, 14),
        "stoch_k": stoch_k,
        "stoch_d": stoch_d,
        "cci_20": talib.CCI(close, close, close, 20),
        "adx_14": talib.ADX(high, low, close, 14),
        "plus_di_14": talib.PLUS_DI(high, low, close, 14),
        "minus_di_14": talib.MINUS_DI(high, low, close, 14),
        "atr_14": talib.ATR(high, low, close, 14),
        "momentum_10": talib.MOM(close, 10),
        "williams_r_14": talib.WILLR(high, low, close, 14),
        "ultimate": talib.ULTOSC(high, low, close, 7, 14, 28),
        "psar": talib.SAR(high, low, 0.02, 0.2),
        "ichimoku_base": talib.MIDPRICE(high, low, 26),
        "volume_sma_20": talib.SMA(volume, 20),
    }
    for name, reference in expected.items():
        got = values[name].to_numpy()
        both = ~np.isnan(reference) & ~np.isnan(got)
        # TA-Lib holds the smoothed stochastic back two bars until its signal exists too.
        assert (both == ~np.isnan(got))[20:].all(), name
        np.testing.assert_allclose(got[both], reference[both], rtol=1e-9, atol=1e-9, err_msg=name)


def test_macd_and_stochastic_rsi_equal_talib_once_seeds_are_forgotten(
    panel: tuple[pl.DataFrame, pl.DataFrame],
) -> None:
    bars, values = one_symbol(panel, "BBBUSDT")
    close = np.array(bars.close)
    line, signal, histogram = talib.MACD(close, 12, 26, 9)
    fast_k, fast_d = talib.STOCHRSI(close, 14, 14, 3, 0)
    smoothed = talib.SMA(fast_d, 3)  # our K is TA-Lib's D: its own K is unsmoothed
    assert not np.isnan(fast_k[COUNT // 2 :]).any()
    for name, reference in {
        "macd": line,
        "macd_signal": signal,
        "macd_histogram": histogram,
        "stoch_rsi_k": fast_d,
        "stoch_rsi_d": smoothed,
    }.items():
        got = values[name].to_numpy()[-40:]
        np.testing.assert_allclose(got, reference[-40:], rtol=1e-6, atol=1e-7, err_msg=name)


def test_wilder_averages_start_from_a_simple_mean() -> None:
    # 15 closes: gains of 1 and losses of 0.5 in turn give mean gain 0.5, mean loss 0.25 -> RSI 66.67
    close = np.cumsum([100.0] + [1.0, -0.5] * 7)
    bars = pl.DataFrame(
        {
            "symbol": "AUSDT",
            "open_time": pl.Series(np.arange(15) * 900_000, dtype=pl.Int64).cast(pl.Datetime("ms", "UTC")),
            "high": close + 1.0,
            "low": close - 1.0,
            "close": close,
            "volume": 1.0,
        }
    ).with_columns(close_time=pl.col("open_time"))
    last = compute(bars, Interval.M15).row(-1, named=True)
    assert last["rsi_14"] == pytest.approx(100.0 * 0.5 / 0.75)
    assert last["atr_14"] == pytest.approx(2.0)
