"""The kill flag: once it is set, open orders are cancelled."""

import dagster as dg

from resources.platform import PlatformResource
from trading.errors import RetryLater
from warehouse.ledger import controls


@dg.sensor(
    name="cancel_on_halt",
    job_name="cancel_open_orders",
    minimum_interval_seconds=10,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def cancel_on_halt(
    context: dg.SensorEvaluationContext, platform: PlatformResource
) -> dg.SensorResult | dg.SkipReason:
    """Ask for one cancelling run per halt.

    The ledger is read in one short transaction; when another process holds it the next tick looks
    again. Cancelling itself happens in the run, never here.
    """
    try:
        with platform.get().ledger.read() as tx:
            current = controls.current(tx)
    except RetryLater as busy:
        return dg.SkipReason(str(busy))
    if not current.halted:
        return dg.SkipReason("not halted")
    key = f"halt:{current.changed_at_ms}"
    if context.cursor == key:
        return dg.SkipReason(f"halted since {current.changed_at_ms}: already handled")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)], cursor=key)
