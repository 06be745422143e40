"""The lives of strategies: the daily review, and who gets a live place every four hours."""

import dagster as dg

from resources.execution.alerting import raise_alert
from resources.factory.lifecycle import activate
from resources.factory.live_gate import live_gate
from resources.factory.review import review_all
from resources.platform import PlatformResource
from trading.alerts.alert import Severity


@dg.op(name="review_strategies", tags={"tidemill/touches": "ledger"})
def review_strategies(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Grade every strategy that trades on its own trades of the last month; once a day."""
    tidemill = platform.get()
    settings = tidemill.settings.factory.lifecycle.review
    done = review_all(
        tidemill.ledger, settings, tidemill.clock.now_ms(), currency=tidemill.settings.universe.quote
    )
    for each in done:
        context.log.info(
            f"{each.status.strategy_id[:12]}: {each.review.grade.value}, {each.review.action.value}: "
            f"{'; '.join(each.review.reasons)}"
        )
    context.add_output_metadata({"reviewed": len(done)})


@dg.op(name="activate_strategies", pool="training", tags={"tidemill/touches": "ledger"})
def activate_strategies(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Promote and demote within the live places; without `factory.live` a candidate waits for a person."""
    tidemill = platform.get()
    factory, now_ms = tidemill.settings.factory, tidemill.clock.now_ms()
    plan = activate(
        tidemill.ledger,
        factory.lifecycle,
        now_ms,
        live=factory.live,
        gate=live_gate(tidemill, now_ms),
        currency=tidemill.settings.universe.quote,
    )
    if plan.waiting:
        raise_alert(
            tidemill,
            key=f"live_candidates:{','.join(plan.waiting)}",
            severity=Severity.INFO,
            title=f"{len(plan.waiting)} strategies wait for your approval",
            body="\n".join(f"tidemill strategies approve {name[:12]}" for name in plan.waiting),
        )
    for change in plan.changes:
        context.log.info(f"{change.strategy_id[:12]} -> {change.to_state.value}: {change.reason}")
    context.add_output_metadata({"changes": len(plan.changes), "waiting_for_a_person": len(plan.waiting)})


@dg.job(
    name="review_strategies_job",
    description="Grade the strategies that trade, and pause those that must stop.",
    tags={"dagster/max_retries": "0", "tidemill/kind": "research"},
    executor_def=dg.in_process_executor,
)
def review_strategies_job() -> None:
    """The daily review."""
    review_strategies()


@dg.job(
    name="activate_strategies_job",
    description="Who leaves paper, who is live, and who waits for a person.",
    tags={"dagster/max_retries": "0", "tidemill/kind": "research"},
    executor_def=dg.in_process_executor,
)
def activate_strategies_job() -> None:
    """The contest for live places."""
    activate_strategies()
