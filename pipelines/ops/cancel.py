"""The job behind the kill flag: cancel what could still add exposure."""

from contextlib import suppress

import dagster as dg

from resources.execution.protecting import protect_platform
from resources.execution.sender import cancel_open
from resources.platform import PlatformResource
from trading.errors import RetryLater


@dg.op(pool="paper_account")
def cancel_buys(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Cancel every order that may add exposure; what reduces risk stays, and late fills get their stops."""
    tidemill = platform.get()
    done = cancel_open(tidemill.ledger, tidemill.venue(), tidemill.clock.now_ms())
    with suppress(RetryLater):  # whoever works on the account protects it too
        protect_platform(tidemill)
    context.log.info(f"{done.cancelled} order(s) cancelled, {done.new_fills} late fill(s) booked")


@dg.job(
    name="cancel_open_orders",
    description="Cancel every open buy: what the kill flag asks for.",
    tags={"tidemill/account": "paper", "dagster/max_retries": "0", "tidemill/kind": "trading"},
    executor_def=dg.in_process_executor,
)
def cancel_open_orders_job() -> None:
    """Cancel open buys."""
    cancel_buys()
