"""Ranking: noise stays off paper, an edge gets on, every trial is counted."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from tests.trading.factory.conftest import market, panel_of
from trading.errors import BadData
from trading.factory import rank
from trading.factory.backtest import backtest
from trading.factory.generate import generate
from trading.factory.genome import from_parameters
from trading.factory.rank import evaluate
from trading.factory.settings import FactorySettings
from warehouse.datasets.research import STRATEGIES

SETTINGS = FactorySettings()
COSTS = {"fee_bps": 10.0, "slippage_bps": 3.0}
HOURS = 24 * 45


@pytest.fixture(scope="module")
def edge():
    """Prices pulled back to their start: buying weakness pays, far beyond costs."""
    return panel_of(market(8, HOURS, seed=3, pull=0.15), HOURS)


@pytest.fixture(scope="module")
def judged(edge):
    return evaluate(edge, generate("2026-03-01", 120), SETTINGS, **COSTS)


def test_every_trial_has_a_row_in_the_declared_schema(judged):
    assert dict(judged.schema) == STRATEGIES.schema
    assert judged.height == 120
    assert judged["trials"].unique().to_list() == [120]
    assert judged["strategy_id"].is_unique().all()
    assert judged["strategy_id"].is_sorted()
    assert judged["reason"].str.len_chars().min() > 0
    for name in ("win_fraction", "deflated_sharpe_probability"):
        assert judged[name].drop_nulls().is_between(0, 1).all()
    for name, dtype in judged.schema.items():
        if dtype == pl.Float64:
            assert judged[name].drop_nulls().is_finite().all()


@pytest.mark.parametrize("seed", range(4))
def test_noise_puts_nothing_on_paper(seed):
    panel = panel_of(market(8, HOURS, seed=100 + seed), HOURS)
    result = evaluate(panel, generate(f"noise {seed}", 120), SETTINGS, **COSTS)
    assert result.filter(pl.col("status") == "paper").is_empty()


def test_a_real_edge_goes_on_paper_and_survivors_differ(judged, edge):
    paper = judged.filter(pl.col("status") == "paper").sort("rank")
    assert 1 <= paper.height <= SETTINGS.maximum_survivors
    assert (paper["reason"] == "survivor").all()
    assert (paper["deflated_sharpe_probability"] >= SETTINGS.minimum_deflated_probability).all()
    assert {json.loads(text)["family"] for text in paper["genome"]} <= {"rsi_reversal", "bollinger_reversion"}
    curves = [backtest(from_parameters(json.loads(text)), edge, **COSTS).returns for text in paper["genome"]]
    if len(curves) > 1:
        correlation = np.corrcoef(curves) - np.eye(len(curves))
        assert correlation.max() <= SETTINGS.maximum_correlation


def test_ranks_are_without_holes_and_follow_the_probability(judged):
    ranked = judged.filter(pl.col("rank").is_not_null()).sort("rank")
    assert ranked["rank"].to_list() == list(range(1, ranked.height + 1))
    assert ranked["deflated_sharpe_probability"].is_sorted(descending=True)
    filtered = judged.filter(pl.col("rank").is_null())
    assert (filtered["status"] == "rejected").all()
    assert not filtered.is_empty()


def test_each_filter_gives_its_reason(edge):
    genomes = generate("filters", 40)
    impossible = {
        "minimum_trades": (10**6, "too_few_trades"),
        "minimum_sharpe": (1e6, "low_sharpe"),
        "minimum_win_fraction": (1.0, "low_win_fraction"),
        "maximum_return_fraction": (1e-9, "return_out_of_range"),
        "maximum_drawdown_fraction": (1e-9, "deep_drawdown"),
        "minimum_deflated_probability": (1.0, "explained_by_luck"),
        "maximum_survivors": (0, "quota_full"),
    }
    lenient = replace(SETTINGS, minimum_sharpe=-1e9, minimum_trades=1, minimum_deflated_probability=0.0,
                      minimum_win_fraction=0.0, minimum_return_fraction=-1.0, maximum_drawdown_fraction=1.0)  # fmt: skip
    for name, (value, reason) in impossible.items():
        result = evaluate(edge, genomes, replace(lenient, **{name: value}), **COSTS)
        assert reason in result["reason"].to_list(), name
        assert (result["status"] == "rejected").sum() >= result["reason"].eq(reason).sum() > 0


def test_a_trial_that_breaks_is_still_counted_and_raises_the_bar(edge, judged, monkeypatch):
    genomes = generate("2026-03-01", 120)
    broken = set(genomes[:60])
    real = rank.conditions

    def conditions(genome, panel):
        if genome in broken:
            raise ZeroDivisionError("no range")
        return real(genome, panel)

    monkeypatch.setattr(rank, "conditions", conditions)
    result = evaluate(edge, genomes, SETTINGS, **COSTS)
    failed = result.filter(pl.col("reason") == "not_tested: no range")
    assert failed.height == 60
    assert result["trials"].unique().to_list() == [120]
    assert failed["sharpe"].null_count() == 60
    monkeypatch.undo()
    alone = evaluate(edge, genomes[60:], SETTINGS, **COSTS)
    both = result.join(alone, on="strategy_id", suffix="_alone").drop_nulls("deflated_sharpe_probability")
    assert (both["deflated_sharpe_probability"] <= both["deflated_sharpe_probability_alone"]).all()


def test_the_same_panel_and_genomes_give_the_same_rows_in_any_order(judged, edge):
    again = evaluate(edge, generate("2026-03-01", 120)[::-1], SETTINGS, **COSTS)
    assert_frame_equal(again, judged, rel_tol=1e-12)


def test_costs_lower_results_and_are_reported(edge):
    genomes = generate("costs", 30)
    free = evaluate(edge, genomes, SETTINGS, fee_bps=0, slippage_bps=0)
    dear = evaluate(edge, genomes, SETTINGS, fee_bps=20, slippage_bps=10)
    assert (free["fees_fraction"] == 0).all()
    traded = dear.filter(pl.col("trades") > 5)
    assert (traded["fees_fraction"] > 0).all()
    assert dear["total_return_fraction"].mean() < free["total_return_fraction"].mean() - 0.02


def test_one_trial_alone_is_judged_without_a_haircut(edge):
    from trading.factory import metrics

    genome = from_parameters(
        {
            "family": "bollinger_reversion",
            "band_length": 20,
            "band_width": 2.0,
            "take_profit_fraction": 0.03,
            "stop_loss_fraction": 0.025,
            "time_exit_hours": 48,
        }
    )
    row = evaluate(edge, [genome], SETTINGS, **COSTS).row(0, named=True)
    returns = backtest(genome, edge, **COSTS).returns
    moments = metrics.skewness_and_kurtosis(returns)
    plain = metrics.probabilistic_sharpe(metrics.sharpe(returns), 0.0, HOURS, *moments)
    assert row["trials"] == 1
    assert row["deflated_sharpe_probability"] == pytest.approx(plain)


def test_a_genome_that_never_trades_is_counted_and_has_no_sharpe(edge):
    row = evaluate(edge, generate("one", 1), SETTINGS, **COSTS).row(0, named=True)
    assert (row["trades"], row["reason"], row["sharpe"]) == (0, "too_few_trades", None)
    assert (row["total_return_fraction"], row["fees_fraction"]) == (0.0, 0.0)


def test_a_doubled_genome_is_refused(edge):
    genome = generate("x", 1)
    with pytest.raises(BadData, match="comes twice"):
        evaluate(edge, genome * 2, SETTINGS, **COSTS)
