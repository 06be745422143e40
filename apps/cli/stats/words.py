"""What a figure means, in one or two plain sentences."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from apps.cli.output import number

if TYPE_CHECKING:
    from apps.cli.stats.report import Question, Record
    from trading.statistics.overfitting import Overfitting


def probabilistic(record: Record, value: float, question: Question) -> str:
    """Of a probabilistic Sharpe ratio."""
    if math.isnan(value):
        return f"{record.strategy}: undefined, the estimate has no variance."
    enough = "more" if value >= question.confidence else "less"
    return (
        f"{record.strategy}: if its true Sharpe ratio were {number(question.benchmark_sharpe_per_year)} a year, "
        f"{record.n} periods would look this good with a chance of {percent(1 - value)}. That is {enough} proof than "
        f"the {percent(question.confidence)} asked for. It holds only if the strategy was not chosen out of several."
    )


def minimum_record(record: Record, value: float, question: Question) -> str:
    """Of a minimum track record."""
    if math.isnan(value):
        return f"{record.strategy}: undefined, the estimate has no variance."
    benchmark = f"a Sharpe ratio above {number(question.benchmark_sharpe_per_year)} a year"
    if math.isinf(value):
        return (
            f"{record.strategy}: its Sharpe ratio is not above the benchmark; no record proves {benchmark}."
        )
    needed = math.ceil(value)
    years = number(needed / question.periods_per_year, 3)
    have = "it has them" if record.n >= needed else f"it has {record.n}, {needed - record.n} too few"
    return (
        f"{record.strategy}: {benchmark} is proven at {percent(question.confidence)} from {needed} periods "
        f"({years} years) of this kind on; {have}."
    )


def deflated(record: Record, value: float, question: Question, trials: int) -> str:
    """Of a deflated Sharpe ratio."""
    if math.isnan(value):
        return f"{record.strategy}: undefined, the estimate has no variance."
    verdict = (
        "luck in choosing does not explain it"
        if value >= question.confidence
        else "luck in choosing may explain it"
    )
    return (
        f"{record.strategy}: against the best that {trials} worthless trials would show, confidence in a true edge "
        f"is {percent(value)}, with {percent(question.confidence)} asked for: {verdict}."
    )


def overfitting(result: Overfitting) -> str:
    """Of a probability of backtest overfitting."""
    if result.pbo >= 0.5:
        verdict = "choosing by backtest is no better than drawing lots"
    elif result.pbo > 0.1:
        verdict = "choosing by backtest helps, and often fails"
    else:
        verdict = "the best by backtest tends to stay good"
    return (
        f"In {percent(result.pbo)} of {result.splits} splits the strategy that was best in one half was no better than "
        f"the median in the other half, and in {percent(result.probability_of_loss)} it lost there: {verdict}. "
        "It judges the choice among these strategies, not whether any of them is good."
    )


def percent(share: float) -> str:
    """A share as per cent with at most two decimals; what is not quite 0 or 100 % is not shown as such."""
    if 0 < share < 0.0001:
        return "under 0.01 %"
    if 0.9999 < share < 1:
        return "over 99.99 %"
    return f"{number(round(share * 100, 2))} %"
