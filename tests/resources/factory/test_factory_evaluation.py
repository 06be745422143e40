"""The evaluator reads the lake's bars and gives what the engine gives over them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from resources.factory.evaluation import Evaluator
from tests.resources.factory.minute_lake import FIRST, SYMBOLS, filled, klines
from trading.errors import BadData
from trading.factory.engine.bars import bars_from_frame
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.joined import joined
from trading.factory.engine.minutes import COLUMNS, bars_of_minutes
from trading.factory.engine.run import backtest
from trading.factory.gate.settings import GateSettings
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Timeframe
from warehouse.datasets.market import KLINES
from warehouse.lake.lake import Lake

DAYS = 8
LAST = FIRST + timedelta(days=DAYS - 1)
START = datetime(FIRST.year, FIRST.month, FIRST.day, tzinfo=UTC)
END = START + timedelta(days=DAYS)
FRICTIONS = Frictions()
GENOMES = generate(np.random.default_rng(2), 60, ratings=False)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Lake:
    return filled(tmp_path_factory.mktemp("evaluation"), klines(DAYS))


@pytest.mark.parametrize("timeframe", [Timeframe.M5, Timeframe.H1])
def test_it_is_the_engine_over_the_bars_of_the_lake(lake: Lake, timeframe: Timeframe) -> None:
    chosen = [genome for genome in GENOMES if genome.timeframe is timeframe]
    minutes = min(timeframe.minutes, 15)
    frame = bars_of_minutes(lake.window(KLINES, FIRST, LAST, columns=COLUMNS), minutes)
    frame = frame.filter(pl.col("symbol").is_in(["AAAUSDT", "BBBUSDT"]))
    bars = bars_from_frame(frame, START, END, minutes=minutes, trade_from=END - timedelta(days=2))
    score = Evaluator(lake, LAST, 2, FRICTIONS)
    found, expected = score(chosen), backtest(chosen, bars, FRICTIONS, watched=True)
    assert found.symbols == ("AAAUSDT", "BBBUSDT"), "what no longer trades takes no slot"
    assert found.total("trades").sum() > 10
    np.testing.assert_allclose(found.equity, expected.equity, rtol=1e-9)
    np.testing.assert_allclose(found.totals, expected.totals, rtol=1e-9, atol=1e-12)


def test_the_search_sees_the_window_less_its_newest_days(lake: Lake) -> None:
    """Whatever the unseen days bring, it changes nothing that the search is told."""
    score = Evaluator(lake, LAST, 4, FRICTIONS)
    told, whole = score.seen(GENOMES), score(GENOMES)
    assert score.unseen_days == 2
    assert (told.equity.shape[1], whole.equity.shape[1]) == (2, 4)
    assert told.first_day == whole.first_day
    earlier = Evaluator(lake, LAST - timedelta(days=2), 2, FRICTIONS)(GENOMES)
    np.testing.assert_array_equal(told.equity, earlier.equity)
    np.testing.assert_array_equal(told.totals, earlier.totals)
    all_but_one = Evaluator(lake, LAST, 4, FRICTIONS, GateSettings(unseen_fraction=0.25)).seen(GENOMES)
    assert all_but_one.equity.shape[1] == 3


def test_a_genome_alone_and_among_others_gets_the_same_result(lake: Lake) -> None:
    score = Evaluator(lake, LAST, 3, FRICTIONS)
    together = score(GENOMES)
    for place in range(0, len(GENOMES), 7):
        alone = Evaluator(lake, LAST, 3, FRICTIONS)([GENOMES[place]])
        np.testing.assert_array_equal(alone.equity[0], together.equity[place])
        assert alone.metrics()["exposure"][0] == pytest.approx(together.metrics()["exposure"][place])


def test_at_other_costs_only_those_are_paid(lake: Lake) -> None:
    score = Evaluator(lake, LAST, 3, FRICTIONS)
    none = replace(FRICTIONS, fee_bps=0, spread_bps=0, slippage_bps=0, impact_coefficient=0)
    free = score.at_costs(GENOMES, none)
    assert free.total("fees").sum() == free.total("slippage").sum() == 0
    assert score(GENOMES).total("fees").sum() > 0


def test_the_window_is_as_long_as_the_lake_allows(lake: Lake) -> None:
    score = Evaluator(lake, LAST, 90, FRICTIONS)
    assert score(GENOMES[:3]).equity.shape == (3, DAYS)
    assert score.window == (START, END)
    short = Evaluator(lake, LAST, 3, FRICTIONS)
    assert short(GENOMES[:3]).equity.shape == (3, 3)
    assert short.window == (END - timedelta(days=3), END)


def test_later_bars_do_not_change_a_day(tmp_path: Path, lake: Lake) -> None:
    rows = klines(DAYS)
    until = filled(tmp_path, rows.filter(pl.col("open_time") < END - timedelta(days=1)))
    day = LAST - timedelta(days=1)
    before, after = (Evaluator(one, day, 3, FRICTIONS)(GENOMES) for one in (until, lake))
    np.testing.assert_array_equal(before.equity, after.equity)


def test_a_window_without_bars_is_refused_by_name(lake: Lake) -> None:
    with pytest.raises(BadData, match="bars 15m: none from 2026-03-3"):
        Evaluator(lake, LAST + timedelta(days=30), 10, FRICTIONS)(
            [replace(GENOMES[0], timeframe=Timeframe.H1)]
        )
    with pytest.raises(BadData, match="none given"):
        Evaluator(lake, LAST, 3, FRICTIONS)([])


def test_bars_of_minutes_by_hand() -> None:
    rows = klines(1, (*SYMBOLS[:1], "ZUSDT")).filter(pl.col("symbol") == SYMBOLS[0])
    made = bars_of_minutes(rows.select(COLUMNS).sample(fraction=1, shuffle=True, seed=1), 5)
    for row in made.head(50).iter_rows(named=True):
        opened = pl.col("open_time")
        inside = rows.filter(opened >= row["open_time"], opened < row["open_time"] + timedelta(minutes=5))
        assert row["open"] == inside["open"][0]
        assert row["close"] == inside["close"][-1]
        assert (row["high"], row["low"]) == (inside["high"].max(), inside["low"].min())
        assert row["volume"] == pytest.approx(inside["volume"].sum())


def test_parts_of_different_worlds_do_not_join(lake: Lake) -> None:
    one, other = (Evaluator(lake, LAST, days, FRICTIONS)(GENOMES[:2]) for days in (2, 3))
    places = np.array([0, 1]), np.array([2, 3])
    with pytest.raises(BadData, match="symbols or days differ"):
        joined([(places[0], one), (places[1], other)])
