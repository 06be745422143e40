"""The one risk gate: every fired decision gets a verdict, every check its value and limit.

Decisions are judged one after the other, exits first, then entries in the order in which the desks
gave them; an approved entry uses up room for the next. Entries fail closed: what is unknown refuses.
Reductions pass whatever the limits say, unless an order of the symbol is pending or unknown, when a
second sale could sell more than is held.
"""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.model.decision import Action, Check, Decision, Outcome, Verdict, VerdictKind
from trading.model.snapshot import Snapshot
from trading.risk import checks
from trading.risk.checks import Context
from trading.risk.contracts import contract_checks
from trading.risk.exposure import Exposure, exposure_of, key_of
from trading.risk.limits import RiskLimits

#: Reason codes of verdicts that no limit touched.
WITHIN_LIMITS = "within_limits"
REDUCTION = "reduction"


def judge(
    decisions: Iterable[Decision], snapshot: Snapshot, limits: RiskLimits, now_ms: int
) -> list[Verdict]:
    """Judge the fired decisions of one tick; skipped ones get no verdict.

    Parameters
    ----------
    decisions
        In desk order. A decision id that comes twice is judged once and refused the second time.
    now_ms
        Present time, for the age of the decisions (milliseconds since the epoch).

    Returns
    -------
    list of Verdict
        In the order of judging. ``reason_code`` is the first limit that failed (with ``_unknown``
        appended when its value is unknown), the limit that shrank, or why it passed.
    """
    fired = [decision for decision in decisions if decision.outcome is Outcome.FIRED]
    exits = [decision for decision in fired if decision.action is Action.EXIT]
    entries = [decision for decision in fired if decision.action is Action.ENTER]
    exposure = exposure_of(snapshot)
    seen: set[object] = set()
    verdicts = []
    for decision in exits:
        context = Context(decision, snapshot, limits, now_ms, exposure)
        verdicts.append(_judge_exit(context, repeated=key_of(decision) in seen))
        seen.add(key_of(decision))
    for decision in entries:
        context = Context(decision, snapshot, limits, now_ms, exposure)
        verdict = _judge_entry(context, repeated=decision.decision_id in seen)
        seen.add(decision.decision_id)
        verdicts.append(verdict)
        if verdict.kind is not VerdictKind.REFUSED:
            exposure = _after(exposure, decision, verdict, limits)
    return verdicts


def _after(exposure: Exposure, decision: Decision, verdict: Verdict, limits: RiskLimits) -> Exposure:
    needed = checks.cash_needed(verdict.quote_amount, limits)
    return exposure.with_entry(decision, verdict.quote_amount, needed)


def _once(repeated: bool) -> Check:
    return Check("repeated", not repeated, "yes" if repeated else "no", "no", "must be")


def _judge_exit(context: Context, repeated: bool) -> Verdict:
    quantity = checks.position_of(context.decision, context.snapshot)
    results = (
        _once(repeated),
        checks.unknown_order(context),
        checks.pending_order(context),
        checks.held_quantity(context),
        checks.sellable(context, quantity),
    )
    failed = next((check for check in results if not check.passed), None)
    return Verdict(
        decision_id=context.decision.decision_id,
        kind=VerdictKind.APPROVED if failed is None else VerdictKind.REFUSED,
        reason_code=REDUCTION if failed is None else failed.name,
        quote_amount=Decimal(0),
        checks=results,
    )


def _judge_entry(context: Context, repeated: bool) -> Verdict:
    """Run every check even when an earlier one failed, so that the journal shows the whole picture."""
    special = contract_checks(context)
    hard = (_once(repeated), *(check(context) for check in checks.ENTRY_CHECKS), *special)
    amounts = [limit(context) for limit in checks.AMOUNT_LIMITS]
    wanted = context.decision.quote_amount if context.decision.quote_amount.is_finite() else Decimal(0)
    rooms = [limit.room for limit in amounts if limit.room is not None]
    allowed = max(Decimal(0), min([wanted, *rooms]))
    smallest = checks.min_notional(context, allowed)
    results = (*hard, *(limit.check for limit in amounts), smallest)
    unknown = (limit.check for limit in amounts if limit.room is None)
    failed = next((check for check in (*hard, *unknown) if not check.passed), None)
    tight = (limit.check for limit in amounts if limit.room is not None and limit.room <= allowed < wanted)
    binding = next(tight, None)
    if failed is None and binding is not None and (allowed == 0 or not context.limits.shrink_allowed):
        failed = binding
    if failed is None and not smallest.passed:
        failed = smallest
    if failed is not None:
        return Verdict(
            context.decision.decision_id, VerdictKind.REFUSED, _reason(failed), Decimal(0), results
        )
    kind = VerdictKind.APPROVED if binding is None else VerdictKind.SHRUNK
    reason = WITHIN_LIMITS if binding is None else binding.name
    return Verdict(context.decision.decision_id, kind, reason, allowed, results)


def _reason(check: Check) -> str:
    return f"{check.name}_unknown" if check.value is None else check.name
