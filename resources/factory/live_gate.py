"""The gate before real money: back-test and what came after it, judged as one record."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np

from resources.factory.evaluation import evaluator
from resources.factory.trial_rows import fingerprints_of
from resources.factory.trials import TrialBook
from resources.platform import Platform
from trading.factory.gate.evidence import Evidence
from trading.factory.gate.gather import gather
from trading.factory.gate.judge import Stage, judge
from trading.factory.genes.parse import known
from trading.factory.lifecycle.activation import GATE_PASSED
from trading.factory.lifecycle.states import State
from trading.model.days import day_at
from trading.statistics.sample import Floats
from warehouse.ledger import strategies

#: Days in which a search is looked for; after a longer pause nothing is known of it.
_SEARCHED_DAYS = 7
_JUDGED = (State.PAPER, State.LIVE_CANDIDATE)


def live_gate(platform: Platform, now_ms: int) -> dict[str, str]:
    """What the gate says of every strategy on paper and every live candidate, by id.

    The days since a strategy came on paper were not known to the search that found it: the engine trades
    them by the same rules, and they stand for its record on paper (a strategy's journal on paper equals its
    back-test over the same bars).

    Returns
    -------
    dict
        ``passed``, or the names of the checks that failed.
    """
    day, settings = day_at(now_ms) - timedelta(days=1), platform.settings.factory
    with platform.ledger.read() as tx:
        judged = strategies.current(tx, _JUDGED)
        names = [status.strategy_id for status in judged]
        on_paper = {
            name: day_at(event.at_ms)
            for name, event in strategies.newest_entries(tx, names, State.PAPER).items()
        }
    genomes = known(status.genome for status in judged)
    if not genomes:
        return {}
    book, score = TrialBook(platform.lake, platform.ledger), evaluator(platform, day, settings)
    seen_to = book.seen_to(genome.strategy_id for genome in genomes)
    found = gather(
        genomes,
        backtest=score.at_costs,
        frictions=score.frictions,
        population=_last_search(book, day),
        trials=book.count(day),
        settings=settings.gate,
        seed=day.toordinal(),
        unseen_days=None,
        ratings=settings.evolution.ratings,
    )
    answers = {}
    for evidence in found:
        entered, searched = on_paper[evidence.strategy_id], seen_to.get(evidence.strategy_id)
        shown = _split(
            evidence, (day - entered).days + 1, None if searched is None else (day - searched).days
        )
        judgement = judge(shown, settings.gate, Stage.LIVE)
        answers[evidence.strategy_id] = GATE_PASSED if judgement.promoted else ", ".join(judgement.failed)
    return answers


def _split(evidence: Evidence, days_on_paper: int, days_since_search: int | None) -> Evidence:
    """The evidence with its last days as the record on paper, and what no search saw of those before."""
    if evidence.returns is None:
        return evidence
    days = evidence.returns.size
    paper = min(max(days_on_paper, 0), days)
    cut = days - paper
    unseen = None if days_since_search is None else max(min(days_since_search, days) - paper, 0)
    return replace(
        evidence,
        returns=evidence.returns[:cut],
        unseen_days=unseen,
        paper_returns=evidence.returns[cut:],
        neighbours=None if evidence.neighbours is None else evidence.neighbours[:cut],
    )


def _last_search(book: TrialBook, day: date) -> Floats:
    """Daily returns of the newest search on record, shape (genomes, days); empty without one."""
    rows = book.read(day - timedelta(days=_SEARCHED_DAYS), day)
    if rows.is_empty():
        return np.empty((0, 0))
    newest = rows.filter(rows["day"] == rows["day"].max())
    returns = [item.returns() for item in fingerprints_of(newest)]
    longest = max((item.size for item in returns), default=0)
    return np.array([item for item in returns if item.size == longest]).reshape(-1, longest)
