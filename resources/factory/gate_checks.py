"""The gate's judgements as results of asset checks, with the evidence as tables; nothing of Dagster here."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import polars as pl

from resources.lake import markdown_table
from trading.factory.gate.judge import QUESTIONS, Judgement, Severity
from trading.factory.trials.chain import TrialReport
from trading.factory.trials.count import TrialCount

#: Names of the checks for an asset, with their descriptions.
GATE_CHECKS = {f"gate_{name}": question for name, question in QUESTIONS.items()}
TRIALS_COUNTED = "trials_counted"

_SCHEMA = {
    "strategy_id": pl.String,
    "stage": pl.String,
    "promoted": pl.Boolean,
    "check": pl.String,
    "passed": pl.Boolean,
    "value": pl.Float64,
    "limit": pl.Float64,
    "detail": pl.String,
    "severity": pl.String,
}


@dataclass(frozen=True, slots=True)
class CheckResult:
    """Result of one asset check.

    Attributes
    ----------
    blocks
        Whether a failure stops what is downstream; otherwise it only warns.
    metadata
        JSON-safe figures, and ``table`` as Markdown.
    """

    name: str
    passed: bool
    blocks: bool
    description: str
    metadata: dict[str, str | int | float | None]


def evidence_table(judgements: Sequence[Judgement]) -> pl.DataFrame:
    """A row per candidate and check, with value, limit and whether it passed."""
    rows = [
        (
            judgement.strategy_id,
            judgement.stage.value,
            judgement.promoted,
            item.check.name,
            item.check.passed,
            item.check.value,
            item.check.limit,
            item.check.detail,
            item.severity.value,
        )
        for judgement in judgements
        for item in judgement.checks
    ]
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def gate_results(judgements: Sequence[Judgement], moved_on: Collection[str]) -> list[CheckResult]:
    """A result per check of the gate.

    A check passes when every strategy that moved on passed it, so that it fails where something moved on
    without evidence. Who was held back is in its table, and fails nothing.

    Parameters
    ----------
    moved_on
        Ids of the strategies that the partition puts on paper or further. One that was not judged fails
        every check.
    """
    table = evidence_table(judgements)
    unjudged = sorted(set(moved_on) - {judgement.strategy_id for judgement in judgements})
    return [_result(name, table, set(moved_on), unjudged) for name in QUESTIONS]


def trials_result(report: TrialReport, count: TrialCount, expected: int) -> CheckResult:
    """Whether the trial ledger is whole and holds the partition's own trials.

    Parameters
    ----------
    expected
        Trials of the partition; the ledger holds at least these.
    """
    passed = report.intact and count.recorded >= expected > 0
    problem = report.problem or f"{count.recorded} trials recorded, {expected} of them expected from this day"
    return CheckResult(
        TRIALS_COUNTED,
        passed,
        True,
        "Every trial is in the ledger, and the ledger is whole." if passed else problem,
        {
            "recorded": count.recorded,
            "able_to_win": count.able,
            "equivalent_trials": round(count.equivalent, 1),
            "best_of_luck_in_standard_errors": round(count.maximum, 4),
            "segments": report.segments,
        },
    )


def _result(name: str, table: pl.DataFrame, moved_on: set[str], unjudged: Sequence[str]) -> CheckResult:
    rows = table.filter(pl.col("check") == name)
    asked = rows.filter(pl.col("strategy_id").is_in(list(moved_on)))
    offenders = [*asked.filter(~pl.col("passed"))["strategy_id"], *unjudged]
    blocks = rows.is_empty() or rows["severity"][0] == Severity.BLOCK.value
    question = QUESTIONS[name]
    return CheckResult(
        f"gate_{name}",
        not offenders,
        blocks,
        f"{question} Moved on without it: {', '.join(offenders[:5])}" if offenders else question,
        {
            "judged": rows.height,
            "passed": int(rows["passed"].sum()),
            "moved_on": len(moved_on),
            "limit": rows["limit"][0] if rows.height else None,
            "table": markdown_table(
                rows.sort("passed", "value", descending=True, nulls_last=True).select(
                    "strategy_id", "value", "limit", "passed", "detail"
                )
            ),
        },
    )
