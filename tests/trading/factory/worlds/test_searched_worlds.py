"""The planted edge is in the bars, and a month of real searches neither sees ahead nor takes luck for skill."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest

from trading.factory.engine import metrics
from trading.factory.engine.run import backtest
from trading.factory.evolution.settings import EvolutionSettings
from trading.factory.gate.settings import GateSettings
from trading.factory.worlds import nights
from trading.factory.worlds.edge import drift_deviations, planted_rule, with_edge
from trading.factory.worlds.kinds import Kind
from trading.factory.worlds.market import no_edge
from trading.factory.worlds.month import FREE, Calendar
from trading.factory.worlds.nights import search_month

SMALL = EvolutionSettings(
    candidates=10,
    looks_per_candidate=6,
    population=8,
    elites=2,
    round_size=20,
    minimum_known=20,
    ratings=False,
)
CALENDAR = Calendar(window=60, searched=3, paper=8)
GATE = dataclasses.replace(GateSettings(), minimum_dsr=0.01, neighbours=6, minimum_trades=1)
WARMUP = 5


@pytest.mark.parametrize("sharpe", [0.0, 30.0])
def test_the_planted_rule_earns_the_sharpe_ratio_that_was_asked_for(sharpe: float) -> None:
    """Sixty symbols together for a year: what was asked for, give or take one, as for any ratio over a year."""
    bars = with_edge(sharpe, seed=1, symbols=60, days=365)
    found = metrics.sharpe(backtest([planted_rule()], bars, FREE).returns)[0]
    # Stops keep the rule out of some hours, and cut some of the worst: neither is in the formula.
    assert found == pytest.approx(sharpe, abs=0.1 * sharpe + 3)


def test_buying_and_holding_the_planted_market_earns_nothing() -> None:
    bars = with_edge(12.0, seed=5, symbols=40, days=200)
    hourly = np.diff(bars.open, axis=1) / bars.open[:, :-1]
    mean = hourly.mean(axis=0)
    assert abs(mean.mean()) < 4 * mean.std() / np.sqrt(mean.size)


def test_a_planted_market_repeats_and_its_bars_enclose_their_prices() -> None:
    one, again = (with_edge(6.0, seed=2, symbols=3, days=20, warmup_days=2) for _ in range(2))
    np.testing.assert_array_equal(one.close, again.close)
    np.testing.assert_array_equal(one.open[:, 1:], one.close[:, :-1])
    assert (one.high >= np.maximum(one.open, one.close)).all()
    assert (one.low <= np.minimum(one.open, one.close)).all()
    assert one.warmup_bars == 48
    assert drift_deviations(12.0, 2) == pytest.approx(2 * drift_deviations(6.0, 2))


def test_a_month_of_searches_repeats_and_finds_luck_on_searched_days_alone() -> None:
    bars = no_edge(Kind.INDEPENDENT, seed=3, symbols=2, days=CALENDAR.days + WARMUP, warmup_days=WARMUP)
    month = search_month(bars, SMALL, GATE, seed=3, calendar=CALENDAR)
    assert month == search_month(bars, SMALL, GATE, seed=3, calendar=CALENDAR)
    assert month.trials == CALENDAR.searched * SMALL.evaluations
    assert 1 < month.equivalent_trials < month.trials
    assert 0 <= month.passed_paper <= month.best_paper < 0.95
    assert 0 <= month.passed_live <= month.best_live < 0.95
    assert month.best_searched > 0
    assert math.isnan(month.likeness)


def test_no_search_sees_its_unseen_days_nor_what_comes_after(monkeypatch: pytest.MonkeyPatch) -> None:
    """Other prices on the days that a night may not see change nothing that it looks at."""
    bars = no_edge(Kind.CLUSTERED, seed=4, symbols=2, days=CALENDAR.days + WARMUP, warmup_days=WARMUP)
    unseen = GATE.unseen_days(CALENDAR.window)
    # The last night's window starts two days in; what it sees ends so many bars after the warm-up.
    seen_bars = bars.warmup_bars + (CALENDAR.searched - 1 + CALENDAR.window - unseen) * 24
    other = no_edge(Kind.FAT_TAILS, seed=4, symbols=2, days=CALENDAR.days + WARMUP, warmup_days=WARMUP)
    names = ("open", "high", "low", "close")
    mixed = dataclasses.replace(
        bars,
        **{
            name: np.concatenate(
                [getattr(bars, name)[:, :seen_bars], getattr(other, name)[:, seen_bars:]], axis=1
            )
            for name in names
        },
    )
    found = []
    real = nights.evolve

    def remembered(*arguments: object, **named: object) -> object:
        generation = real(*arguments, **named)  # type: ignore[arg-type]
        found.append([(trial.strategy_id, trial.sharpe, trial.trades) for trial in generation.trials])
        return generation

    monkeypatch.setattr(nights, "evolve", remembered)
    for world in (bars, mixed):
        search_month(world, SMALL, GATE, seed=4, calendar=CALENDAR)
    assert len(found) == 2 * CALENDAR.searched
    np.testing.assert_equal(found[: CALENDAR.searched], found[CALENDAR.searched :])


def test_an_edge_that_is_large_enough_is_found_and_passes() -> None:
    calendar = Calendar(window=60, searched=2, paper=8)
    bars = with_edge(60.0, seed=1, symbols=2, days=calendar.days + WARMUP, warmup_days=WARMUP)
    month = search_month(
        bars,
        dataclasses.replace(SMALL, candidates=30),
        GATE,
        seed=1,
        calendar=calendar,
        planted=planted_rule(),
    )
    assert month.best_live > 0.95
    assert month.likeness > 0.2
