"""Worlds without an edge have none; the planted edge is the one that was planted; the gate tells them apart."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from trading.factory.engine.run import backtest
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe
from trading.factory.trials.count import TrialCount
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from trading.factory.worlds.month import FREE, Calendar, simulate
from trading.factory.worlds.planted import Planted, confidence, longest_odds

GENOMES = generate(np.random.default_rng(0), 60, timeframes=[Timeframe.H1], ratings=False)


@pytest.mark.parametrize("kind", Kind)
def test_prices_are_fair_and_the_same_seed_gives_the_same_world(kind: Kind) -> None:
    bars = no_edge(kind, seed=1, symbols=40, days=100)
    again = no_edge(kind, seed=1, symbols=40, days=100)
    np.testing.assert_array_equal(bars.close, again.close)
    assert not np.array_equal(bars.close, no_edge(kind, seed=2, symbols=40, days=100).close)
    assert (bars.high >= np.maximum(bars.open, bars.close)).all()
    assert (bars.low <= np.minimum(bars.open, bars.close)).all()
    hourly = np.diff(bars.open, axis=1) / bars.open[:, :-1]
    # One mean per hour: symbols may share a factor.
    mean = hourly.mean(axis=0)
    assert abs(mean.mean()) < 4 * mean.std() / np.sqrt(mean.size)
    # What was earned says nothing about what comes: neither the last hour nor the last day.
    for span in (1, 24):
        before = bars.open[:, span:-1] / bars.open[:, : -span - 1] - 1
        coming = hourly[:, span:]
        product = (np.sign(before) * coming).mean(axis=0)
        assert abs(product.mean()) < 4 * product.std() / np.sqrt(product.size)


def test_each_kind_moves_as_its_name_says() -> None:
    def hourly(kind: Kind) -> np.ndarray:
        bars = no_edge(kind, seed=3, symbols=30, days=200)
        return np.diff(np.log(bars.close), axis=1)

    def kurtosis(values: np.ndarray) -> float:
        return float(np.mean((values - values.mean()) ** 4) / values.var() ** 2)

    def memory(values: np.ndarray) -> float:
        size = np.abs(values)
        return float(np.mean([np.corrcoef(row[1:], row[:-1])[0, 1] for row in size]))

    returns = {kind: hourly(kind) for kind in Kind}
    assert kurtosis(returns[Kind.INDEPENDENT]) == pytest.approx(3.0, abs=0.1)
    assert memory(returns[Kind.INDEPENDENT]) == pytest.approx(0.0, abs=0.02)
    assert memory(returns[Kind.CLUSTERED]) > 0.05
    assert memory(returns[Kind.REGIMES]) > 0.2
    assert kurtosis(returns[Kind.FAT_TAILS]) > 5
    assert memory(returns[Kind.FAT_TAILS]) == pytest.approx(0.0, abs=0.02)
    correlation = np.corrcoef(returns[Kind.FACTOR])[np.triu_indices(30, 1)].mean()
    assert correlation == pytest.approx(0.7, abs=0.03)


def test_stops_and_targets_inside_an_hour_are_fair() -> None:
    """Whoever stops at 1 % within the hour, or takes 1 %, has on average what the hour's close gives."""
    bars = no_edge(Kind.INDEPENDENT, seed=9, symbols=50, days=400)
    for level, touched in ((0.99, bars.low <= bars.open * 0.99), (1.01, bars.high >= bars.open * 1.01)):
        left = np.where(touched, level * bars.open, bars.close) / bars.open - 1
        assert 0.05 < touched.mean() < 0.5
        assert abs(left.mean()) < 4 * left.std() / np.sqrt(left.size)


@pytest.mark.parametrize("kind", Kind)
def test_no_strategy_has_an_edge_over_the_population_kernel(kind: Kind) -> None:
    ratios = []
    for seed in range(4):
        returns = backtest(GENOMES, no_edge(kind, seed=seed, symbols=3, days=60), FREE).returns
        deviation = returns.std(axis=1)
        able = deviation > 0
        ratios.append(np.mean(returns.mean(axis=1)[able] / deviation[able]) * np.sqrt(returns.shape[1]))
    # In standard errors of one strategy; a little below 0, for the reasons that the world states.
    assert -0.8 < np.mean(ratios) < 0.3


def test_a_month_of_noise_promotes_nothing_and_repeats() -> None:
    calendar = Calendar(window=60, searched=3, paper=8)
    bars = no_edge(Kind.CLUSTERED, seed=0, symbols=2, days=calendar.days + 10, warmup_days=10)
    lenient = dataclasses.replace(GateSettings(), minimum_dsr=0.01, neighbours=6, minimum_trades=1)
    month = simulate(bars, GENOMES, lenient, seed=0, calendar=calendar)
    assert month == simulate(bars, GENOMES, lenient, seed=0, calendar=calendar)
    assert 1 < month.equivalent_trials < 60
    assert 0 <= month.passed_paper <= month.best_paper < 0.95
    assert 0 <= month.passed_live <= month.best_live < 0.95
    assert month.best_paper > 0


def planted(sharpe: float, window_days: int) -> Planted:
    field = np.random.default_rng(5).normal(0, 0.01, (40, 120))
    return Planted(sharpe, window_days, 14, field, TrialCount(15_000, 15_000, 3_000.0, 3.6))


@pytest.mark.parametrize(("sharpe", "low", "high"), [(0.0, 0.0, 0.0), (2.0, 0.0, 0.1), (16.0, 0.8, 1.0)])
def test_the_gate_sees_an_edge_where_ninety_days_can_show_one(sharpe: float, low: float, high: float) -> None:
    rng = np.random.default_rng(6)
    found = [confidence(planted(sharpe, 90), GateSettings(), rng) >= 0.95 for _ in range(30)]
    assert low <= np.mean(found) <= high


def test_no_gate_sees_a_ratio_of_two_in_a_hundred_days() -> None:
    assert longest_odds(2.0, 104, 1.0) == pytest.approx(0.28, abs=0.005)
    assert longest_odds(2.0, 104, 3_000.0) < 0.005
    assert longest_odds(2.0, 565, 1.0) == pytest.approx(0.8, abs=0.005)
    assert longest_odds(0.0, 104, 3_000.0) == pytest.approx(0.05 / 3_000, rel=0.05)
