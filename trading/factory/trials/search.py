"""Trials of a night's search: every genome that it looked at, not only those it hands on."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from trading.factory.evolution import generation as search
from trading.factory.trials.fingerprint import fingerprint
from trading.factory.trials.record import Outcome, Trial, crashed
from trading.model.check import known
from trading.statistics.sample import Floats


def searched(
    generation: search.Generation, *, day: date, first_day: date, reasons: Mapping[str, str]
) -> list[Trial]:
    """Trials of a generation, in the order of looking.

    Parameters
    ----------
    day
        Day of the search; its back-tests end before the days that it must not see.
    first_day
        Day of the first return.
    reasons
        Why candidates were discarded later, by strategy id. Who was not handed on has ``not_handed_on``.
    """
    chosen = set(generation.candidates)
    return [
        _trial(
            one,
            returns,
            day,
            first_day,
            reasons.get(one.strategy_id, "" if place in chosen else "not_handed_on"),
        )
        for place, (one, returns) in enumerate(zip(generation.trials, generation.returns, strict=True))
    ]


def _trial(one: search.Trial, returns: Floats, day: date, first_day: date, reason: str) -> Trial:
    proposal = one.proposal
    if one.crashed:
        return crashed(
            one.strategy_id,
            one.genome.json,
            one.crashed,
            day=day,
            proposer=proposal.origin.value,
            parents=proposal.parents,
        )
    return Trial(
        strategy_id=one.strategy_id,
        genome=one.genome.json,
        proposer=proposal.origin.value,
        parents=proposal.parents,
        day=day,
        outcome=Outcome.SCORED if one.trades or returns.any() else Outcome.IDLE,
        reason=reason,
        trades=one.trades,
        sharpe=known(one.sharpe),
        total_return_fraction=known(one.total_return_fraction),
        max_drawdown_fraction=known(one.max_drawdown_fraction),
        returns=fingerprint(returns, first_day),
    )
