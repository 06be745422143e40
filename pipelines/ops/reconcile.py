"""The job that compares the ledger with the venue's account."""

import dagster as dg

from resources.execution.protecting import protect_platform
from resources.platform import PlatformResource
from resources.reconciliation.step import reconcile_platform
from trading.errors import RetryLater


@dg.op(name="reconcile_account", pool="paper_account", tags={"tidemill/touches": "ledger"})
def reconcile_account_op(context: dg.OpExecutionContext, platform: PlatformResource) -> None:
    """Book what the ledger lacks, adopt what others did, record and alert on what disagrees, protect what is held."""
    try:
        done = reconcile_platform(platform.get())
        protected = protect_platform(platform.get())
    except RetryLater as busy:
        context.log.info(f"left to the next time: {busy}")
        return
    context.add_output_metadata(
        {
            "matched": done.matched,
            "new_fills": done.new_fills,
            "adopted": done.adopted,
            "cash_moves": done.moves,
            "breaks_opened": done.opened,
            "breaks_resolved": done.resolved,
            "blocking_breaks": done.blocking,
            "protective_orders_placed": protected.placed,
            "without_stop": len(protected.bare),
        }
    )


@dg.job(
    name="reconcile",
    description="Compare orders, fills, positions and cash with the venue's account, and protect what is held.",
    tags={"tidemill/account": "paper", "dagster/max_retries": "0", "tidemill/kind": "trading"},
    executor_def=dg.in_process_executor,
)
def reconcile_job() -> None:
    """Reconcile the account."""
    reconcile_account_op()
