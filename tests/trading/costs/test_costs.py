"""Fees, impact and the spread estimate against their sources."""

import math
from decimal import Decimal

import numpy as np
import polars as pl
import pytest

from trading.costs.fees import fee
from trading.costs.model import CostModel
from trading.costs.slippage import minute_impact_bps, square_root_impact_bps
from trading.costs.spread import spread_bps, spread_by_symbol


@pytest.mark.parametrize(
    ("notional", "bps", "expected"),
    [
        ("1000", "10", "1"),
        ("100000", "2", "20"),
        ("0", "10", "0"),
        ("0.00001", "10", "0.00000001"),
        ("50", "0", "0"),
    ],
)
def test_fees_are_exact_and_rounded_up(notional: str, bps: str, expected: str) -> None:
    assert fee(Decimal(notional), Decimal(bps)) == Decimal(expected)


def test_square_root_law_against_its_vector() -> None:
    assert square_root_impact_bps(1.0, 0.03, 0.01) == pytest.approx(30.0, abs=1e-9)
    assert square_root_impact_bps(1.0, 0.03, 0.001) == pytest.approx(9.487, abs=5e-4)
    assert square_root_impact_bps(0.5, 0.03, 0.01) == pytest.approx(15.0)
    assert square_root_impact_bps(1.0, 0.03, 0.0) == 0.0


def test_a_minute_gives_the_daily_number() -> None:
    daily = square_root_impact_bps(0.7, 0.03, 50.0 / (1440 * 200.0))
    assert minute_impact_bps(0.7, 0.03, 50.0, 200.0) == pytest.approx(daily, rel=1e-12)


@pytest.mark.parametrize("values", [(math.nan, 0.03, 0.1), (1.0, -0.01, 0.1), (1.0, 0.03, math.inf)])
def test_an_unknown_cost_is_not_free(values: tuple[float, float, float]) -> None:
    with pytest.raises(ValueError, match="must be a number of at least 0"):
        square_root_impact_bps(*values)
    with pytest.raises(ValueError, match="without volume"):
        minute_impact_bps(1.0, 0.03, 1.0, 0.0)
    with pytest.raises(ValueError, match="without volume"):
        minute_impact_bps(1.0, 0.03, 1.0, math.nan)


def test_the_model_adds_its_parts() -> None:
    costs = CostModel(
        spread_bps=6.0, slippage_bps=2.0, impact_coefficient=1.0, daily_volatility_fraction=0.03
    )
    assert costs.slippage_bps_of(0.0, 10.0) == pytest.approx(5.0)
    assert costs.slippage_bps_of(14.4, 1.0) == pytest.approx(5.0 + 30.0, rel=1e-9)
    assert costs.round_trip_bps == pytest.approx(20.0 + 4.0 + 6.0)


def roll_bars(spread_fraction: float, seed: int, minutes: int = 1440, steps: int = 60):
    """Minutes of a random walk whose trades alternate at random between bid and ask (Roll's model)."""
    source = np.random.default_rng(seed)
    middle = np.cumsum(source.normal(0.0, 0.0008 / math.sqrt(steps), minutes * steps))
    trades = 100.0 * np.exp(middle + source.choice((-0.5, 0.5), middle.size) * spread_fraction)
    grid = trades.reshape(minutes, steps)
    return grid.max(axis=1), grid.min(axis=1), grid[:, -1]


@pytest.mark.parametrize("true_bps", [10.0, 20.0, 60.0])
def test_the_estimate_recovers_a_known_spread(true_bps: float) -> None:
    estimates = [spread_bps(*roll_bars(true_bps / 1e4, seed)) for seed in range(8)]
    assert np.mean(estimates) == pytest.approx(true_bps, rel=0.2)


def test_without_a_spread_the_estimate_is_far_below_the_volatility() -> None:
    estimates = [spread_bps(*roll_bars(0.0, seed)) for seed in range(8)]
    assert max(estimates) < 4.0
    assert min(estimates) >= 0.0


def test_the_estimate_by_hand_does_not_depend_on_the_scale() -> None:
    high, low, close = np.exp([0.02, 0.04]), np.exp([0.0, 0.0]), np.exp([0.0, 0.04])
    # c₁ = 0, η₁ = 0.01, η₂ = 0.02: s² = 4 · (−0.01)(−0.02)
    expected = math.sqrt(4 * 0.01 * 0.02) * 1e4
    assert spread_bps(high, low, close, minimum_pairs=1) == pytest.approx(expected)
    assert spread_bps(high * 7, low * 7, close * 7, minimum_pairs=1) == pytest.approx(expected)
    reverse = np.exp([0.015, 0.04])  # between the two middles: a negative product
    assert spread_bps(high, low, reverse, minimum_pairs=1) == 0.0


def test_too_little_or_broken_data_is_unknown_not_zero() -> None:
    high, low, close = roll_bars(0.001, 1, minutes=120)
    assert math.isnan(spread_bps(high, low, close))
    assert not math.isnan(spread_bps(high, low, close, minimum_pairs=119))
    assert math.isnan(spread_bps(np.array([]), np.array([]), np.array([]), minimum_pairs=0))
    high, low, close = roll_bars(0.001, 1, minutes=400)
    clean = spread_bps(high, low, close)
    close[5], low[50] = np.nan, 0.0
    assert spread_bps(high, low, close) == pytest.approx(clean, rel=0.05)


def test_frames_of_many_symbols_agree_with_the_array_function() -> None:
    frames, expected = [], {}
    for number, symbol in enumerate(("BUSDT", "AUSDT")):
        high, low, close = roll_bars(0.002, number, minutes=300)
        expected[symbol] = spread_bps(high, low, close)
        frames.append(
            pl.DataFrame(
                {
                    "symbol": [symbol] * 300,
                    "open_time": range(300),
                    "high": high,
                    "low": low,
                    "close": close,
                    "volume": [1.0] * 300,
                }
            )
        )
    silent = frames[0].with_columns(open_time=pl.col("open_time") + 300, close=5.0, volume=0.0)
    few = frames[0].head(50).with_columns(symbol=pl.lit("CUSDT"))
    frame = pl.concat([*frames, silent, few]).sample(fraction=1.0, shuffle=True, seed=3)
    result = spread_by_symbol(frame)
    assert result["symbol"].to_list() == ["AUSDT", "BUSDT", "CUSDT"]
    assert result["spread_bps"].to_list() == [
        pytest.approx(expected["AUSDT"]),
        pytest.approx(expected["BUSDT"]),
        None,
    ]
