"""A night's search from end to end: genomes looked at, put on record, judged at the gate, and entered in the ledger."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl

from resources.factory.evaluation import Evaluator, evaluator
from resources.factory.lifecycle import Tested, enter, seeds
from resources.factory.trials import TrialBook
from resources.platform import Platform
from trading.errors import HaltTrading
from trading.factory.evolution.evolve import PastTrial, evolve
from trading.factory.evolution.generation import Generation, Round
from trading.factory.gate.gather import gather
from trading.factory.gate.judge import Judgement, Stage, judge
from trading.factory.genes.genome import Genome
from trading.factory.genes.parse import known
from trading.factory.paper import PAPER_TIMEFRAMES
from trading.factory.rank import PAPER, REJECTED, SHORTLISTED, ranked, table
from trading.factory.settings import FactorySettings
from trading.factory.trials.chain import TrialReport
from trading.factory.trials.count import TrialCount
from trading.factory.trials.search import searched
from trading.model.days import day_at, end_ms
from warehouse.datasets.research import STRATEGIES
from warehouse.schema import TIMESTAMP

#: Days of the trial ledger that the second proposer learns from.
_PAST_DAYS = 7


@dataclass(frozen=True, slots=True)
class Night:
    """What a night's search left behind.

    Attributes
    ----------
    rows
        The day's `STRATEGIES`: a row per candidate.
    judgements
        Of the shortlisted candidates, best first.
    ledger
        What verifying the trial ledger found.
    on_paper
        Ids that the gate lets on paper; they trade only if the day is the one that closed last.
    """

    generation: Generation
    rows: pl.DataFrame
    judgements: tuple[Judgement, ...]
    trials: TrialCount
    ledger: TrialReport
    on_paper: tuple[str, ...]


def search_night(platform: Platform, day: date, report: Callable[[Round], None] | None = None) -> Night:
    """Search on history up to a day's end; the same day again finds the same and records nothing twice.

    The search, and the filters that shortlist what it hands on, see the window less its newest days. What a
    search has climbed on is no evidence: the gate asks the days that none has seen.

    Raises
    ------
    BadData
        If the lake has no bars of the window.
    HaltTrading
        If the trial ledger is broken: a haircut for trials that nobody can count is none.
    """
    settings, book = platform.settings.factory, TrialBook(platform.lake, platform.ledger)
    score = evaluator(platform, day, settings)
    generation = _searched(platform, book, score, day, report)
    genomes = [trial.genome for trial in generation.chosen]
    result = score(genomes) if genomes else None
    market = platform.settings.venue.trades
    places = ranked(genomes, score.seen(genomes), settings, market) if genomes else []
    reasons = {genomes[one.place].strategy_id: one.reason for one in places if one.status == REJECTED}
    first_day = score.window[0].date()
    trials = searched(generation, day=day, first_day=first_day, reasons=reasons)
    book.append_new(trials, platform.clock.now_ms())
    proven = book.verify()
    if not proven.intact:
        raise HaltTrading(f"trial ledger: {proven.problem}; run tidemill trials verify, nothing is promoted")
    count = book.count(day)
    listed = [genomes[one.place] for one in places if one.status == SHORTLISTED]
    judgements = _judged(score, listed, generation, count, settings, seed=day.toordinal())
    verdicts = {judgement.strategy_id: judgement for judgement in judgements}
    rows = pl.DataFrame(schema=STRATEGIES.schema)
    if result:
        start, end = (pl.lit(moment, TIMESTAMP) for moment in score.window)
        found = table(genomes, result, places, verdicts, trials=count.recorded)
        rows = found.with_columns(window_start=start, window_end=end)
    on_paper = tuple(rows.filter(pl.col("status") == PAPER).sort("rank")["strategy_id"])
    if day == day_at(platform.clock.now_ms()) - timedelta(days=1):
        # History changes nothing of today: only the day that closed last puts anything on paper.
        _enter(platform, generation, rows, verdicts)
    return Night(generation, rows, judgements, count, proven, on_paper)


def _searched(
    platform: Platform,
    book: TrialBook,
    score: Evaluator,
    day: date,
    report: Callable[[Round], None] | None,
) -> Generation:
    settings = platform.settings.factory
    # Who came on paper later did so for what it earned on days that this search must not know of.
    seen_to = day - timedelta(days=settings.gate.unseen_days(settings.window_days))
    with platform.ledger.read() as tx:
        parents = seeds(tx, before_ms=end_ms(seen_to))
    return evolve(
        score.seen,
        parents,
        settings.evolution,
        day.toordinal(),
        report,
        past=_past(book, day),
        timeframes=PAPER_TIMEFRAMES,
    )


def _past(book: TrialBook, day: date) -> list[PastTrial]:
    """Trials of the nights before, oldest first; genomes that this version cannot read are left out."""
    rows = book.read(day - timedelta(days=_PAST_DAYS), day - timedelta(days=1))
    found = rows.select("genome", "sharpe").unique("genome", keep="last", maintain_order=True)
    genomes = {genome.json: genome for genome in known(found["genome"])}
    return [
        PastTrial(genomes[text], np.nan if sharpe is None else sharpe)
        for text, sharpe in found.iter_rows()
        if text in genomes
    ]


def _judged(
    score: Evaluator,
    listed: Sequence[Genome],
    generation: Generation,
    count: TrialCount,
    settings: FactorySettings,
    *,
    seed: int,
) -> tuple[Judgement, ...]:
    survived = np.isfinite(generation.returns).all(axis=1)
    found = gather(
        listed,
        backtest=score.at_costs,
        frictions=score.frictions,
        population=generation.returns[survived],
        trials=count,
        settings=settings.gate,
        seed=seed,
        unseen_days=score.unseen_days,
        ratings=settings.evolution.ratings,
    )
    return tuple(judge(evidence, settings.gate, Stage.PAPER) for evidence in found)


def _enter(
    platform: Platform, generation: Generation, rows: pl.DataFrame, verdicts: Mapping[str, Judgement]
) -> None:
    origins = {trial.strategy_id: trial.proposal.origin.value for trial in generation.chosen}
    tested = [
        Tested(
            strategy_id=row["strategy_id"],
            genome=row["genome"],
            origin=origins[row["strategy_id"]],
            figures={
                name: row[name]
                for name in ("sharpe", "trades", "total_return_fraction", "max_drawdown_fraction")
            },
            promoted=row["status"] == PAPER,
            reason=row["reason"],
            evidence=_evidence(verdicts.get(row["strategy_id"])),
        )
        for row in rows.iter_rows(named=True)
    ]
    enter(platform.ledger, tested, platform.clock.now_ms())


def _evidence(judgement: Judgement | None) -> dict[str, object]:
    if judgement is None:
        return {}
    return {
        item.check.name: [item.check.value, item.check.limit, item.check.passed] for item in judgement.checks
    }
