"""The compiled kernel and the plain reference engine agree trade by trade on random worlds."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from engine_worlds import agree, random_bars
from hypothesis import given, settings
from hypothesis import strategies as st

from trading.factory.engine.frictions import Frictions
from trading.factory.engine.run import backtest
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe

WORLDS = st.fixed_dictionaries(
    {
        "volatility": st.sampled_from([0.002, 0.01, 0.04]),
        "holes": st.sampled_from([0.0, 0.05, 0.4]),
        "silent": st.sampled_from([0.0, 0.1]),
        "jumps": st.sampled_from([0.0, 0.03]),
        "funding": st.sampled_from([0.0, 0.001, 0.2]),
        "tick": st.sampled_from([0.0, 0.5]),
        "warmup_bars": st.sampled_from([0, 1, 37]),
    }
)
COSTS = st.builds(
    Frictions,
    fee_bps=st.sampled_from([0.0, 10.0]),
    spread_bps=st.sampled_from([0.0, 4.0]),
    slippage_bps=st.sampled_from([0.0, 1.0]),
    impact_coefficient=st.sampled_from([0.0, 0.7]),
    maintenance_fraction=st.sampled_from([0.0, 0.01, 0.3]),
    slot_quote=st.sampled_from([1.0, 10_000.0, 1e7]),
)
#: Timeframe, length of the execution bars in minutes.
CLOCKS = st.sampled_from([(Timeframe.H1, 60), (Timeframe.M5, 5), (Timeframe.H1, 15), (Timeframe.M15, 5)])


@given(seed=st.integers(0, 2**32), world=WORLDS, frictions=COSTS, clock=CLOCKS, watched=st.booleans())
@settings(max_examples=60, deadline=None)
def test_every_trade_and_every_day_agrees(
    seed: int, world: dict[str, float], frictions: Frictions, clock: tuple[Timeframe, int], watched: bool
) -> None:
    timeframe, minutes = clock
    rng = np.random.default_rng(seed)
    genomes = generate(rng, 8, timeframes=[timeframe], ratings=False)
    bars = random_bars(rng, symbols=2, count=int(rng.integers(40, 400)), minutes=minutes, **world)  # type: ignore[arg-type]
    agree(genomes, bars, frictions, watched=watched)


@pytest.mark.parametrize("watched", [False, True])
def test_the_worlds_reach_every_reason(watched: bool) -> None:
    """The property above would be hollow if its worlds never liquidated or trailed."""
    rng = np.random.default_rng(3)
    reasons: Counter[str] = Counter()
    for _ in range(6):
        genomes = generate(rng, 20, timeframes=[Timeframe.H1], ratings=False)
        bars = random_bars(
            rng, symbols=2, count=400, minutes=60, volatility=0.01, holes=0.05, jumps=0.02, funding=0.05
        )
        found = agree(genomes, bars, Frictions(), watched=watched)
        reasons.update(found.trade_list()["reason"].to_list())
    assert reasons.keys() == {"signal", "time", "stop", "trailing", "target", "liquidation"}


@pytest.mark.parametrize("workers", [1, 3])
def test_threads_and_memory_do_not_change_a_digit(workers: int) -> None:
    rng = np.random.default_rng(5)
    genomes = generate(rng, 60, timeframes=[Timeframe.M5, Timeframe.H1], ratings=False)
    bars = random_bars(rng, symbols=5, count=1200, minutes=5, holes=0.02)
    whole = backtest(genomes, bars, Frictions(), workers=2)
    cut = backtest(genomes, bars, Frictions(), workers=workers, memory_values=30_000)
    np.testing.assert_array_equal(whole.totals, cut.totals)
    np.testing.assert_array_equal(whole.equity, cut.equity)
