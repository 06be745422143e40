"""Parts of the engine: columns on the clock, words of answers, metrics, inputs that are refused."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from engine_worlds import FREE, MIDNIGHT_MS, RISES, bars_of, genome, random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.costs.model import CostModel
from trading.errors import BadData, FixConfiguration
from trading.factory.engine import metrics
from trading.factory.engine.bars import bars_from_frame
from trading.factory.engine.columns import Decisions
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.program import compile_genomes
from trading.factory.engine.run import backtest
from trading.factory.genes.features import FEATURES, RATINGS
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Rules, Timeframe
from trading.factory.genes.holds import holds
from trading.factory.genes.rules import Column, columns, leaves

START = datetime(2026, 1, 1, tzinfo=UTC)
ROOT = Path(__file__).resolve().parents[4]


def lowest_column(name: str) -> Column:
    return Column(name, tuple((key, grid.low) for key, grid in FEATURES[name].parameters.items()))


@given(st.integers(0, 2**32))
@settings(max_examples=25, deadline=None)
def test_words_answer_what_the_rules_say_at_every_bar(seed: int) -> None:
    from trading.factory.engine.bits import leaf_words

    rng = np.random.default_rng(seed)
    genomes = generate(rng, 12, timeframes=[Timeframe.H1], ratings=False)
    bars = random_bars(rng, symbols=2, count=int(rng.integers(1, 200)), minutes=60, holes=0.1, tick=0.5)
    decisions = Decisions(bars, slice(0, 2), 60)
    distinct = {leaf for one in genomes for rule in one.rules() for leaf in leaves(rule)}
    program = compile_genomes(genomes)
    assert program.leaf_levels.size == len(distinct)
    values = {column: decisions.column(column) for column in program.columns}
    words = np.empty((2, len(distinct), -(-bars.count // 64)), dtype=np.uint64)
    # With the one before it where it reads the same columns: what that leaves behind must not reach it.
    for number, (_, one, other, _) in enumerate(program.leaf_codes.tolist()):
        now, against = values[program.columns[one]], values[program.columns[max(other, 0)]]
        first = (
            number - 1 if number and program.leaf_codes[number - 1, 1:3].tolist() == [one, other] else number
        )
        chosen = slice(first, number + 1)
        leaf_words(now, against, program.leaf_codes[chosen], program.leaf_levels[chosen], words, first)
    answers = np.unpackbits(words.view(np.uint8), axis=2, bitorder="little")
    assert not answers[:, :, bars.count :].any()
    for symbol in range(2):
        series = {column: matrix[symbol].tolist() for column, matrix in values.items()}
        expected = sorted([holds(leaf, series, bar) for bar in range(bars.count)] for leaf in distinct)
        found = answers[symbol, :, : bars.count].astype(bool).tolist()
        assert sorted(found) == expected


@pytest.mark.parametrize("name", FEATURES)
def test_no_column_reads_a_later_bar_or_another_symbol(name: str) -> None:
    rng = np.random.default_rng(4)
    bars = random_bars(rng, symbols=2, count=400, minutes=60, holes=0.03)
    column = lowest_column(name)
    whole = Decisions(bars, slice(0, 2), 60).column(column)
    assert np.isfinite(whole).any()
    assert not np.isfinite(whole[np.isnan(bars.close)]).any()
    alone = Decisions(bars, slice(1, 2), 60).column(column)
    np.testing.assert_array_equal(whole[1:], alone)
    cut = random_bars(np.random.default_rng(4), symbols=2, count=400, minutes=60, holes=0.03)
    for values in (cut.open, cut.high, cut.low, cut.close, cut.volume):
        values[:, 300:] = np.nan
    np.testing.assert_array_equal(whole[:, :300], Decisions(cut, slice(0, 2), 60).column(column)[:, :300])


def test_band_score_is_the_distance_from_the_mean_in_deviations() -> None:
    bars = random_bars(np.random.default_rng(6), symbols=1, count=80, minutes=60)
    score = Decisions(bars, slice(0, 1), 60).column(Column.of("band_score", length=21))[0]
    windows = np.lib.stride_tricks.sliding_window_view(bars.close[0], 21)
    expected = (bars.close[0, 20:] - windows.mean(axis=1)) / windows.std(axis=1)
    np.testing.assert_allclose(score[20:], expected, rtol=1e-9)
    assert np.isnan(score[:20]).all()


def test_decision_bars_are_made_of_the_execution_bars_that_exist() -> None:
    rows = [
        (1, 5, 1, 2, 10),
        None,
        (3, 4, 0.5, 4, 30),
        (4, 9, 4, 8, 40),
        None,
        None,
        None,
        None,
        (7, 8, 6, 7, 1),
    ]
    decisions = Decisions(bars_of(rows, minutes=15), slice(0, 1), 60)
    assert decisions.count == 2
    close = decisions.column(Column.of("close"))[0]
    assert close[0] == 8
    assert np.isnan(close[1])


def test_ratings_are_those_of_the_rating_module() -> None:
    from trading.indicators.panel import compute
    from trading.model.interval import Interval
    from trading.ratings.tv_lib_v3 import rate

    bars = random_bars(np.random.default_rng(8), symbols=1, count=300, minutes=60)
    stamp = pl.Datetime("ms", "UTC")
    opened = pl.Series("open_time", [START + timedelta(hours=h) for h in range(300)], dtype=stamp)
    frame = pl.DataFrame(
        {"symbol": ["A"] * 300, "open_time": opened, "close_time": opened}
        | {name: getattr(bars, name)[0] for name in ("open", "high", "low", "close", "volume")}
    )
    rated = rate(compute(frame, Interval.H1))
    decisions = Decisions(bars, slice(0, 1), 60)
    for name in RATINGS:
        expected = rated[name].fill_null(np.nan).to_numpy()
        np.testing.assert_array_equal(decisions.column(Column.of(name))[0], expected)


def test_a_frame_becomes_bars_on_a_clock_with_funding() -> None:
    frame = pl.DataFrame(
        {
            "symbol": ["B", "A", "A"],
            "open_time": [START, START + timedelta(hours=2), START],
            "open": [1.0, 2.0, 3.0],
            "high": [1.0, 2.0, 3.0],
            "low": [1.0, 2.0, 3.0],
            "close": [1.0, 2.0, 3.0],
            "volume": [1.0, 2.0, 3.0],
        }
    )
    due = pl.DataFrame(
        {
            "symbol": ["A", "A", "Z"],
            "funding_time": [START + timedelta(hours=1, milliseconds=7), START + timedelta(days=9), START],
            "funding_rate": [0.001, 0.5, 0.5],
        }
    )
    bars = bars_from_frame(
        frame,
        START,
        START + timedelta(hours=4),
        minutes=60,
        trade_from=START + timedelta(hours=1),
        funding=due,
    )
    assert bars.symbols == ("A", "B")
    np.testing.assert_array_equal(bars.close, [[3, np.nan, 2, np.nan], [1, np.nan, np.nan, np.nan]])
    np.testing.assert_array_equal(bars.funding_rate, [[0, 0.001, 0, 0], [0, 0, 0, 0]])
    assert (bars.first_open_ms, bars.warmup_bars) == (MIDNIGHT_MS, 1)
    with pytest.raises(BadData, match="comes twice"):
        bars_from_frame(pl.concat([frame, frame]), START, START + timedelta(hours=4), minutes=60)
    with pytest.raises(BadData, match="not on a clock"):
        bars_from_frame(frame, START, START + timedelta(hours=8), minutes=240)
    with pytest.raises(BadData, match="none between"):
        bars_from_frame(frame, START - timedelta(hours=4), START, minutes=60)


@pytest.mark.parametrize(
    ("rows", "more", "message"),
    [
        ([(1, 2, 1, 3)], {}, "impossible prices"),
        ([(1, 2, 0, 1)], {}, "impossible prices"),
        ([(1, 2, 1, 2, -1)], {}, "impossible prices"),
        ([(np.nan, 2, 1, 2)], {}, "drop the whole bar"),
        ([(1, 2, 1, 2)], {"funding": {0: np.nan}}, "funding_rate"),
        ([(1, 2, 1, 2)], {"warmup_bars": 1}, "warmup_bars is 1"),
        ([(1, 2, 1, 2)], {"minutes": 7}, "not aligned"),
    ],
)
def test_impossible_bars_are_refused(rows: list[Any], more: dict[str, Any], message: str) -> None:
    with pytest.raises(BadData) as caught:
        bars_of(rows, **more)
    assert message in str(caught.value)


def test_what_does_not_fit_is_refused() -> None:
    bars = bars_of([(1, 1, 1, 1)] * 4)
    with pytest.raises(BadData, match="none given"):
        backtest([], bars, FREE)
    with pytest.raises(BadData, match="do not divide"):
        backtest([genome(timeframe=Timeframe.M15)], bars, FREE)
    with pytest.raises(FixConfiguration, match="spread_bps"):
        Frictions(spread_bps=np.array([1.0, np.nan]))
    with pytest.raises(FixConfiguration, match="each of 1 symbols"):
        backtest([genome()], bars, Frictions(spread_bps=np.array([1.0, 2.0])))


def test_frictions_of_a_venue_cost_what_its_model_says() -> None:
    """The kernel's cost of a one-minute bar is the cost model's for the same quantity and volume."""
    model = CostModel()
    fee, fixed, impact, _ = Frictions.of(model, slot_quote=1, maintenance_fraction=0.01).table(1, 1)[0]
    quantity, volume = 3.0, 200.0
    expected = model.slippage_bps_of(quantity, volume) * 1e-4
    assert fixed + impact * np.sqrt(quantity / volume) == pytest.approx(expected)
    assert fee == pytest.approx(0.001)


def test_metrics_by_hand() -> None:
    equity = np.array([[1.1, 0.99, 0.99, 1.2], [1.0, 1.0, 1.0, 1.0]])
    returns = metrics.daily_returns(equity)
    np.testing.assert_allclose(returns[0], [0.1, -0.1, 0, 1.2 / 0.99 - 1])
    assert metrics.sharpe(returns)[0] == pytest.approx(
        returns[0].mean() / returns[0].std(ddof=1) * np.sqrt(365)
    )
    assert metrics.sortino(returns)[0] == pytest.approx(returns[0].mean() / np.sqrt(0.01 / 4) * np.sqrt(365))
    assert metrics.maximum_drawdown(equity)[0] == pytest.approx(0.1)
    assert metrics.maximum_drawdown(np.array([[0.9, 0.95]]))[0] == pytest.approx(0.1)
    assert metrics.cagr(equity)[0] == pytest.approx(1.2 ** (365 / 4) - 1)
    assert metrics.calmar(equity)[0] == pytest.approx((1.2 ** (365 / 4) - 1) / 0.1)
    for figure in (metrics.sharpe(returns), metrics.sortino(returns), metrics.calmar(equity)):
        assert np.isnan(figure[1])
    assert metrics.profit_factor(np.array([3.0, 1.0]), np.array([2.0, 0.0])).tolist()[0] == 1.5
    assert metrics.daily_returns(np.array([[0.0, 0.0]])).tolist() == [[-1.0, 0.0]]


def test_a_genome_that_never_trades_has_unknown_not_zero_figures() -> None:
    bars = bars_of([(1, 1, 1, 1)] * 30)
    row = backtest([genome(long=Rules(RISES))], bars, FREE).metrics().to_dicts()[0]
    assert (row["trades"], row["exposure"], row["total_return_fraction"]) == (0, 0, 0)
    assert row["sharpe"] is row["win_fraction"] is row["profit_factor"] is None


def test_lookback_covers_every_column() -> None:
    """A value over the declared look-back equals the one over all history to 1e-6."""
    bars = random_bars(np.random.default_rng(9), symbols=1, count=4000, minutes=60)
    whole = Decisions(bars, slice(0, 1), 60)
    for name, feature in FEATURES.items():
        column = Column(name, tuple((key, grid.high) for key, grid in feature.parameters.items()))
        rest = bars.count - feature.lookback_bars - 1
        rest -= rest % 24
        short = type(bars)(
            bars.symbols, bars.first_open_ms + rest * 3_600_000, 60,
            *(getattr(bars, n)[:, rest:].copy() for n in ("open", "high", "low", "close", "volume", "funding_rate")),
        )  # fmt: skip
        late = Decisions(short, slice(0, 1), 60).column(column)[0, -1]
        full = whole.column(column)[0, -1]
        scale = max(abs(full), 1e-3 * bars.close[0, -1] if name.startswith("macd") else 0.0)
        assert abs(late - full) <= 1e-6 * scale, (name, late, full)


def test_importing_the_engine_does_not_load_numba() -> None:
    program = (
        "import sys, trading.factory.engine.run, trading.factory.genes.generate, trading.factory.genes.parse;"
        "sys.exit(any(name in sys.modules for name in ('numba', 'talib', 'pandas')))"
    )
    subprocess.run([sys.executable, "-c", program], check=True, cwd=ROOT)


def test_columns_of_a_rule_are_found() -> None:
    assert list(columns(RISES)) == [Column.of("close")]
