"""The job of the daily drill: the kill chain is tried on a local exchange, and the evidence kept."""

import dagster as dg

from resources.clock import SystemClock
from resources.execution.alerting import raise_alert
from resources.platform import PlatformResource
from trading.alerts.alert import Severity
from trading.errors import HaltTrading


@dg.op
def drill_kill_chain(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Halt by the flag and by a heartbeat that stops; a drill that fails is told to people."""
    # Brings the sandbox exchange along, which nothing else of the graph needs.
    from resources.killswitch.drill import DrillResult, Trigger, evidence, record, run_drill

    tidemill = platform.get()
    failed: list[DrillResult] = []
    for trigger in Trigger:
        result = run_drill(trigger)
        record(tidemill.ledger, result, SystemClock().now_ms())
        context.log.info(f"drill by {trigger}: {evidence(result)}")
        if not result.passed:
            failed.append(result)
    if failed:
        words = "; ".join(f"by {result.trigger}: {result.problem}" for result in failed)
        raise_alert(
            tidemill,
            key=f"kill_drill:{failed[0].drill_id}",
            severity=Severity.CRITICAL,
            title="The kill chain failed its drill",
            body=words,
        )
        raise HaltTrading(f"the kill chain failed its drill {words}; do not trade before it passes")


@dg.job(
    name="kill_drill",
    description="Try the kill chain on a local exchange with a real guard; the evidence goes to the audit trail.",
    tags={"dagster/max_retries": "0", "tidemill/kind": "drill"},
    executor_def=dg.in_process_executor,
)
def kill_drill_job() -> None:
    """Drill the kill chain."""
    drill_kill_chain()
