"""Ranking: every candidate has a row and a reason, the best that differ come to the gate, and the gate decides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.trading.factory.conftest import market
from trading.errors import BadData
from trading.factory.engine.bars import Bars
from trading.factory.engine.frictions import Frictions
from trading.factory.engine.result import Population
from trading.factory.engine.run import backtest
from trading.factory.gate.judge import GateCheck, Judgement, Severity, Stage
from trading.factory.genes.generate import generate
from trading.factory.genes.genome import Genome, Rules, Side, Timeframe
from trading.factory.genes.parse import parse
from trading.factory.genes.rules import Column, Relation, Threshold
from trading.factory.paper import waits_for
from trading.factory.rank import PAPER, REJECTED, SHORTLISTED, WAITING, Ranked, ranked, table
from trading.factory.settings import FactorySettings
from trading.model.check import at_least
from warehouse.datasets.research import STRATEGIES

SETTINGS = FactorySettings()
COSTS = Frictions(fee_bps=10, spread_bps=4, slippage_bps=1, impact_coefficient=0)
DAYS = 45


def genomes_of(seed: int, count: int) -> list[Genome]:
    rng = np.random.default_rng(seed)
    return generate(rng, count, parents=REVERTING, timeframes=[Timeframe.H1], ratings=False)


def reverting(level: float, *, short: bool = False) -> Genome:
    """Buys below the lower band and leaves at the mean; a short mirrors it."""
    score = Column.of("band_score", length=20)
    buy = Rules(Threshold(score, Relation.BELOW, -level), Threshold(score, Relation.ABOVE, 0))
    sell = Rules(Threshold(score, Relation.ABOVE, level), Threshold(score, Relation.BELOW, 0))
    return Genome(
        timeframe=Timeframe.H1,
        long=None if short else buy,
        short=sell if short else None,
        stop_fraction=0.025,
        target_fraction=0.03,
        time_exit_hours=48,
        size_fraction=0.1,
        leverage=1,
    )


NEVER = replace(reverting(3.0), long=Rules(Threshold(Column.of("rsi", length=28), Relation.ABOVE, 85)))
REVERTING = [reverting(2.0), reverting(1.5), reverting(2.0, short=True)]


def rows(
    genomes: Sequence[Genome],
    bars: Bars,
    settings: FactorySettings = SETTINGS,
    *,
    dsr: float = 0.99,
) -> pl.DataFrame:
    """The day's rows where the gate's one check, the deflated Sharpe ratio, finds the same for everyone."""
    result = backtest(genomes, bars, COSTS)
    places = ranked(genomes, result, settings)
    judgements = {
        genomes[one.place].strategy_id: judgement(genomes[one.place], dsr)
        for one in places
        if one.status == SHORTLISTED
    }
    return table(genomes, result, places, judgements, trials=5_000)


def judgement(genome: Genome, dsr: float) -> Judgement:
    check = GateCheck(at_least("dsr", dsr, 0.95), Severity.BLOCK, "Is it above 0 after all trials?")
    return Judgement(genome.strategy_id, Stage.PAPER, (check,))


def listed(places: Sequence[Ranked]) -> list[int]:
    return [one.place for one in places if one.status == SHORTLISTED]


@pytest.fixture(scope="module")
def edge() -> Bars:
    """Prices pulled back to their start: buying weakness pays, far beyond costs."""
    return market(8, DAYS, seed=3, pull=0.15)


@pytest.fixture(scope="module")
def genomes() -> list[Genome]:
    return genomes_of(1, 120)


@pytest.fixture(scope="module")
def result(genomes: list[Genome], edge: Bars) -> Population:
    return backtest(genomes, edge, COSTS)


def test_every_candidate_has_a_row_in_the_declared_schema(genomes: list[Genome], edge: Bars) -> None:
    found = rows(genomes, edge)
    dated = {"window_start", "window_end"}
    assert dict(found.schema) == {k: v for k, v in STRATEGIES.schema.items() if k not in dated}
    assert found.height == 120
    assert found["trials"].unique().to_list() == [5_000]
    assert found["strategy_id"].is_unique().all()
    assert found["strategy_id"].is_sorted()
    assert found["reason"].str.len_chars().min() > 0
    assert SHORTLISTED not in found["status"].to_list()
    for identity, text, words in found.select("strategy_id", "genome", "text").iter_rows():
        assert parse(text).strategy_id == identity
        assert str(parse(text)) == words


def test_the_gate_decides_and_what_it_says_is_the_reason(genomes: list[Genome], edge: Bars) -> None:
    passed, failed = rows(genomes, edge, dsr=0.99), rows(genomes, edge, dsr=0.5)
    paper = passed.filter(pl.col("status") == PAPER)
    assert 1 <= paper.height <= SETTINGS.shortlist
    assert (paper["reason"] == "survivor").all()
    assert (paper["deflated_sharpe_probability"] == 0.99).all()
    assert PAPER not in failed["status"].to_list()
    stopped = failed.filter(pl.col("strategy_id").is_in(paper["strategy_id"].to_list()))
    assert (stopped["reason"] == "gate: dsr").all()
    assert (
        passed.filter(pl.col("status") != PAPER)["deflated_sharpe_probability"].null_count()
        == 120 - paper.height
    )


def test_who_was_not_judged_is_not_promoted(genomes: list[Genome], result: Population) -> None:
    places = ranked(genomes, result, SETTINGS)
    found = table(genomes, result, places, {}, trials=1)
    assert PAPER not in found["status"].to_list()
    assert found["reason"].to_list().count("gate: not judged") == len(listed(places)) > 0


def test_the_shortlist_is_the_best_that_differ(genomes: list[Genome], result: Population) -> None:
    places = ranked(genomes, result, SETTINGS)
    sharpes = result.metrics()["sharpe"]
    order = [one for one in places if one.rank is not None]
    assert [one.rank for one in order] == list(range(1, len(order) + 1))
    assert [sharpes[one.place] for one in order] == sorted(
        (sharpes[one.place] for one in order), reverse=True
    )
    chosen = listed(places)
    assert chosen[0] == next(one.place for one in order if one.status != WAITING)
    assert {genomes[place].side for place in chosen} == {Side.LONG}
    if len(chosen) > 1:
        correlation = np.corrcoef(result.returns[chosen]) - np.eye(len(chosen))
        assert correlation.max() <= SETTINGS.maximum_correlation


def test_a_good_short_waits_for_an_account_that_can_sell(genomes: list[Genome], edge: Bars) -> None:
    waiting = rows(genomes, edge).filter(pl.col("status") == WAITING)
    assert not waiting.is_empty()
    for reason, text in waiting.select("reason", "genome").iter_rows():
        assert reason.startswith("waits_for_derivatives")
        assert parse(text).short is not None
    assert waits_for(reverting(2.0)) == ""
    assert waits_for(replace(reverting(2.0), leverage=3)) == ""
    assert waits_for(replace(reverting(2.0), timeframe=Timeframe.M5)).startswith("waits_for_faster_ticks")


def test_each_filter_gives_its_reason(edge: Bars) -> None:
    genomes = genomes_of(2, 40)
    impossible = {
        "minimum_trades": (10**6, "too_few_trades"),
        "minimum_sharpe": (1e6, "low_sharpe"),
        "minimum_win_fraction": (1.0, "low_win_fraction"),
        "maximum_return_fraction": (1e-9, "return_out_of_range"),
        "maximum_drawdown_fraction": (1e-9, "deep_drawdown"),
        "shortlist": (0, "quota_full"),
    }
    lenient = replace(SETTINGS, minimum_sharpe=-1e9, minimum_trades=1, minimum_win_fraction=0.0,
                      minimum_return_fraction=-1.0, maximum_drawdown_fraction=1.0)  # fmt: skip
    for name, (value, reason) in impossible.items():
        found = rows(genomes, edge, replace(lenient, **{name: value}))
        assert reason in found["reason"].to_list(), name
        assert (found["status"] == REJECTED).sum() >= found["reason"].eq(reason).sum() > 0


def test_the_same_candidates_give_the_same_rows_in_any_order(genomes: list[Genome], edge: Bars) -> None:
    assert_frame_equal(rows(genomes[::-1], edge), rows(genomes, edge), rel_tol=1e-12)


def test_a_genome_that_never_trades_has_no_sharpe(edge: Bars) -> None:
    row = rows([NEVER], edge).row(0, named=True)
    assert (row["trades"], row["reason"], row["sharpe"]) == (0, "too_few_trades", None)
    assert (row["total_return_fraction"], row["fees_fraction"]) == (0.0, 0.0)


def test_a_doubled_genome_is_refused(edge: Bars) -> None:
    with pytest.raises(BadData, match="comes twice"):
        rows([reverting(2.0)] * 2, edge)
