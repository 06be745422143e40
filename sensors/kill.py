"""The kill flag: once it is set, open orders are cancelled. Each look is a heartbeat of the daemon."""

from contextlib import suppress

import dagster as dg

from resources.clock import SystemClock
from resources.killswitch.evidence import catch_up
from resources.platform import PlatformResource
from trading.errors import RetryLater, TradingError
from warehouse.flags.heartbeat import Heartbeat


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

    A halt that only the flag's file knows is brought into the ledger first, and so is what the guard has
    written. When another process holds the ledger the next tick looks again. Cancelling itself happens in
    the run, never here.
    """
    tidemill, now_ms = platform.get(), SystemClock().now_ms()
    with suppress(TradingError):  # a disk that takes no beat is a silence that the guard acts on
        Heartbeat(tidemill.control_folder, "daemon").beat(now_ms)
    try:
        current = catch_up(tidemill.ledger, tidemill.control_folder, now_ms).controls
    except RetryLater as busy:
        return dg.SkipReason(str(busy))
    if not current.halted:
        return dg.SkipReason("not halted")
    key = f"halt:{current.changed_at_ms}"
    if context.cursor == key:
        return dg.SkipReason(f"halted since {current.changed_at_ms}: already handled")
    return dg.SensorResult(run_requests=[dg.RunRequest(run_key=key)], cursor=key)
