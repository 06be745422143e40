"""Which of a night's candidates come to the promotion gate: filters, an order, and no two alike."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import polars as pl

from trading.errors import BadData
from trading.factory.engine.result import Population
from trading.factory.gate.judge import Judgement
from trading.factory.genes.genome import Genome
from trading.factory.paper import waits_for
from trading.factory.settings import FactorySettings
from trading.indicators.columns import FloatArray
from trading.model.series import Market

#: What becomes of a candidate. A shortlisted one is judged at the gate, which leaves none of them.
SHORTLISTED, PAPER, WAITING, REJECTED = "shortlisted", "paper", "waiting", "rejected"


@dataclass(frozen=True, slots=True)
class Ranked:
    """A candidate by its place in the population; ``rank`` counts from 1, None where a filter took it out."""

    place: int
    rank: int | None
    status: str
    reason: str


def ranked(
    genomes: Sequence[Genome], result: Population, settings: FactorySettings, market: Market = Market.SPOT
) -> list[Ranked]:
    """Filter and order candidates by Sharpe ratio, and shortlist the best that differ.

    Parameters
    ----------
    market
        Of the account that is to trade them.

    Returns
    -------
    list of Ranked
        Ranked ones first, in their order. The reason is the first test that one failed: ``not_tested``,
        ``too_few_trades``, ``low_sharpe``, ``low_win_fraction``, ``return_out_of_range``,
        ``deep_drawdown``; then for ranked ones ``waits_for_…`` (status waiting), ``quota_full``,
        ``correlated_with: …``; empty where it is shortlisted.

    Raises
    ------
    BadData
        If a genome comes twice: each distinct genome is one trial.
    """
    if len(set(genomes)) != len(genomes):
        raise BadData("genomes: one comes twice; each distinct genome is one trial")
    rows = list(result.metrics().iter_rows(named=True))
    failed = {place: _failed_filter(row, settings) for place, row in enumerate(rows)}
    good = [place for place in failed if not failed[place]]
    good.sort(key=lambda place: (-rows[place]["sharpe"], genomes[place].strategy_id))
    returns = result.returns
    listed: list[int] = []
    found = []
    for rank, place in enumerate(good, start=1):
        waits = waits_for(genomes[place], market)
        status, reason = (WAITING, waits) if waits else _verdict(genomes, returns, place, listed, settings)
        if status == SHORTLISTED:
            listed.append(place)
        found.append(Ranked(place, rank, status, reason))
    return found + [Ranked(place, None, REJECTED, reason) for place, reason in failed.items() if reason]


def table(
    genomes: Sequence[Genome],
    result: Population,
    places: Sequence[Ranked],
    judgements: Mapping[str, Judgement],
    *,
    trials: int,
) -> pl.DataFrame:
    """A row per candidate, sorted by ``strategy_id``: its figures, and what became of it at the gate.

    Parameters
    ----------
    judgements
        By strategy id. A shortlisted candidate without one is rejected.
    trials
        Trials on record when the gate judged.
    """
    final = {one.place: _after_gate(one, judgements.get(genomes[one.place].strategy_id)) for one in places}
    ordered = [final[place] for place in range(len(genomes))]
    luck = [_deflated(judgements.get(genome.strategy_id)) for genome in genomes]
    return pl.DataFrame(
        {
            "strategy_id": [genome.strategy_id for genome in genomes],
            "rank": pl.Series([one.rank for one in ordered], dtype=pl.Int32),
            "status": pl.Series([one.status for one in ordered], dtype=pl.String),
            "reason": pl.Series([one.reason for one in ordered], dtype=pl.String),
            "genome": [genome.json for genome in genomes],
            "text": [str(genome) for genome in genomes],
            **result.metrics().to_dict(),
            "deflated_sharpe_probability": pl.Series(luck, dtype=pl.Float64),
            "trials": pl.Series([trials] * len(genomes), dtype=pl.Int64),
        }
    ).sort("strategy_id")


def _after_gate(one: Ranked, judgement: Judgement | None) -> Ranked:
    if one.status != SHORTLISTED:
        return one
    if judgement is None:
        return replace(one, status=REJECTED, reason="gate: not judged")
    if judgement.promoted:
        return replace(one, status=PAPER, reason="survivor")
    return replace(one, status=REJECTED, reason=f"gate: {', '.join(judgement.failed)}")


def _deflated(judgement: Judgement | None) -> float | None:
    if judgement is None:
        return None
    value = next((item.check.value for item in judgement.checks if item.check.name == "dsr"), None)
    return value if isinstance(value, float) and math.isfinite(value) else None


def _failed_filter(figures: dict[str, float | None], settings: FactorySettings) -> str:
    """The first filter that a row of metrics fails, or nothing. A missing figure fails."""

    def figure(name: str) -> float:
        value = figures[name]
        return math.nan if value is None else value

    low, high = settings.minimum_return_fraction, settings.maximum_return_fraction
    passed = {
        "not_tested": math.isfinite(figure("total_return_fraction")),
        "too_few_trades": figure("trades") >= settings.minimum_trades,
        "low_sharpe": figure("sharpe") >= settings.minimum_sharpe,
        "low_win_fraction": figure("win_fraction") >= settings.minimum_win_fraction,
        "return_out_of_range": low <= figure("total_return_fraction") <= high,
        "deep_drawdown": figure("max_drawdown_fraction") <= settings.maximum_drawdown_fraction,
    }
    return next((reason for reason, good in passed.items() if not good), "")


def _verdict(
    genomes: Sequence[Genome],
    returns: FloatArray,
    place: int,
    listed: Sequence[int],
    settings: FactorySettings,
) -> tuple[str, str]:
    if len(listed) >= settings.shortlist:
        return REJECTED, "quota_full"
    for other in listed:
        if not np.corrcoef(returns[place], returns[other])[0, 1] <= settings.maximum_correlation:
            return REJECTED, f"correlated_with: {genomes[other].strategy_id}"
    return SHORTLISTED, ""
