"""The decision job: one tick from the market view to audited orders.

Every op finds its facts in the ledger under the tick's id, so a run that died anywhere is repeated
from the start without doubling or losing anything.
"""

from contextlib import suppress
from typing import Any

import dagster as dg

from resources.execution.alerting import report_tick
from resources.execution.books import anchor, close_books
from resources.execution.protecting import protect_platform
from resources.execution.sender import Settled, cancel_stale_intents, send, settle
from resources.execution.signing import SIGNING_KEY_FILE, signing_key
from resources.execution.ticks import (
    commit,
    load_snapshot,
    require_quality,
    require_tradable,
    take_snapshot,
)
from resources.platform import Platform, PlatformResource
from resources.reconciliation.step import reconcile_platform
from trading.errors import HaltTrading, RetryLater, TradingError
from trading.execution.approval import sign_intents
from trading.execution.planner import plan
from trading.model.decision import Decision, Outcome, Verdict, VerdictKind
from trading.risk.gate import judge

#: How long a tick waits for a reconciliation that is under way elsewhere.
_PATIENCE_SECONDS = 10.0
_HISTORY_TAGS = ("dagster/backfill", "dagster/asset_partition_range_start")


class Tick(dg.Config):
    """Which tick to decide."""

    bar_close_ms: int
    """Close of the decision bar, milliseconds since the epoch; a multiple of 15 minutes."""


def _refuse_history(context: dg.OpExecutionContext) -> None:
    found = [tag for tag in _HISTORY_TAGS if tag in context.run_tags]
    if found:
        raise HaltTrading(
            f"run tag {found[0]}: trading refuses to run in a backfill; launch the decision job"
        )


@dg.op(name="take_snapshot", tags={"tidemill/touches": "ledger"})
def take_snapshot_op(context: dg.OpExecutionContext, config: Tick, platform: PlatformResource) -> str:
    """Reconcile the account, protect what it holds, judge the day's data anew and freeze what this tick knows."""
    _refuse_history(context)
    tidemill, now_ms = platform.get(), platform.get().clock.now_ms()
    require_tradable(tidemill, config.bar_close_ms, now_ms)
    require_quality(tidemill, config.bar_close_ms)
    reconciled = reconcile_platform(tidemill, patience_seconds=_PATIENCE_SECONDS)
    with suppress(RetryLater):  # settling the tick's orders does it again
        protect_platform(tidemill)
    snapshot = take_snapshot(tidemill, config.bar_close_ms, now_ms)
    left = cancel_stale_intents(tidemill.ledger, snapshot.tick_id, now_ms)
    context.add_output_metadata(
        {
            "tick_id": snapshot.tick_id,
            "snapshot_id": snapshot.snapshot_id,
            "symbols": len(snapshot.symbols),
            "btc_condition": snapshot.btc_condition,
            "stale_intents_cancelled": left,
            "blocking_breaks": reconciled.blocking,
        }
    )
    return snapshot.tick_id


@dg.op
def decide(context: dg.OpExecutionContext, tick_id: str, platform: PlatformResource) -> list[Decision]:
    """Let every desk look at the snapshot; skipped candidates come back like fired ones."""
    tidemill = platform.get()
    snapshot = load_snapshot(tidemill, tick_id)
    decided = [decision for desk in tidemill.desks for decision in desk.decide(snapshot)]
    fired = [decision for decision in decided if decision.outcome is Outcome.FIRED]
    context.add_output_metadata({"candidates": len(decided), "fired": len(fired), "preview": _table(fired)})
    return decided


@dg.op
def judge_risk(
    context: dg.OpExecutionContext, tick_id: str, decided: list[Decision], platform: PlatformResource
) -> list[Verdict]:
    """Pass every fired decision through the one risk gate, as of the snapshot's time."""
    tidemill = platform.get()
    snapshot = load_snapshot(tidemill, tick_id)
    verdicts = judge(decided, snapshot, tidemill.settings.risk, snapshot.taken_at_ms)
    refused = [verdict for verdict in verdicts if verdict.kind is VerdictKind.REFUSED]
    context.add_output_metadata(
        {
            "judged": len(verdicts),
            "refused": len(refused),
            "reasons": dg.MetadataValue.json(_count([verdict.reason_code for verdict in verdicts])),
        }
    )
    return verdicts


@dg.op
def commit_intents(
    context: dg.OpExecutionContext,
    tick_id: str,
    decided: list[Decision],
    verdicts: list[Verdict],
    platform: PlatformResource,
) -> str:
    """Make decisions, verdicts and order intents durable in one transaction, before anything is sent."""
    tidemill = platform.get()
    snapshot = load_snapshot(tidemill, tick_id)
    planned = sign_intents(
        plan(decided, verdicts, snapshot, tidemill.venue().name, snapshot.taken_at_ms),
        verdicts,
        signing_key(tidemill.settings.path(SIGNING_KEY_FILE)),
    )
    commit(tidemill, decided, verdicts, planned, tidemill.clock.now_ms())
    context.add_output_metadata({"intents": len(planned)})
    return tick_id


@dg.op(pool="paper_account")
def send_orders(context: dg.OpExecutionContext, tick_id: str, platform: PlatformResource) -> str:
    """Send the tick's intents; the only op that touches a venue."""
    _refuse_history(context)
    tidemill = platform.get()
    try:
        done = _send(tidemill, tick_id)
    except TradingError:
        # An order that closes a holding may have taken its stop away and not gone out itself.
        with suppress(TradingError):
            protect_platform(tidemill)
        raise
    context.add_output_metadata({"sent": done.sent, "fills": done.new_fills, "unknown": done.unknown})
    return tick_id


@dg.op(pool="paper_account")
def settle_orders(context: dg.OpExecutionContext, tick_id: str, platform: PlatformResource) -> str:
    """Book the fills that the venue has by now, and protect what they opened.

    What waited for a stop to be proven cancelled goes out once it is.
    """
    tidemill = platform.get()
    done = settle(
        tidemill.ledger,
        tidemill.venue(),
        tidemill.clock.now_ms(),
        listed=tidemill.account().open_orders,
    )
    late = _send(tidemill, tick_id)
    protected = protect_platform(tidemill)
    context.add_output_metadata(
        {
            "fills": done.new_fills + late.new_fills + protected.new_fills,
            "unknown": done.unknown + late.unknown + protected.unknown,
            "protective_orders_placed": protected.placed,
            "without_stop": len(protected.bare),
        }
    )
    return tick_id


@dg.op
def close_tick(context: dg.OpExecutionContext, tick_id: str, platform: PlatformResource) -> str:
    """Mark the account to the tick's prices, record equity and anchor the audit chain in the lake."""
    tidemill = platform.get()
    snapshot = load_snapshot(tidemill, tick_id)
    equity = close_books(tidemill, snapshot)
    head = anchor(tidemill, snapshot.bar_close_ms)
    context.add_output_metadata({"equity": float(equity), "audit_sequence": head})
    return tick_id


@dg.op
def notify(context: dg.OpExecutionContext, tick_id: str, platform: PlatformResource) -> None:
    """Tell people what the tick did, when it did anything."""
    report_tick(platform.get(), tick_id)


@dg.job(
    name="decision",
    description="Snapshot, desks, risk gate, intents, venue, books, alerts: one tick, once.",
    tags={"tidemill/account": "paper", "dagster/max_retries": "0", "tidemill/kind": "trading"},
    executor_def=dg.in_process_executor,
    resource_defs={"io_manager": dg.mem_io_manager, "platform": PlatformResource()},
)
def decision_job() -> None:
    """Decide one tick."""
    tick = take_snapshot_op()
    decided = decide(tick)
    verdicts = judge_risk(tick, decided)
    notify(close_tick(settle_orders(send_orders(commit_intents(tick, decided, verdicts)))))


def _send(tidemill: Platform, tick_id: str) -> Settled:
    return send(
        tidemill.ledger,
        tidemill.venue(),
        tick_id,
        tidemill.clock.now_ms(),
        key=signing_key(tidemill.settings.path(SIGNING_KEY_FILE)),
        halted=lambda: tidemill.kill_flag.halted,
        clock=tidemill.clock,
    )


def _count(reasons: list[str]) -> dict[str, Any]:
    return {reason: reasons.count(reason) for reason in sorted(set(reasons))}


def _table(fired: list[Decision]) -> dg.MetadataValue:
    lines = ["| desk | symbol | action | reason | amount |", "|---|---|---|---|---|"]
    lines += [
        f"| {d.desk} | {d.symbol} | {d.action.value} {d.direction.value} | {d.reason_code} | {d.quote_amount:.2f} |"
        for d in fired[:50]
    ]
    return dg.MetadataValue.md("\n".join(lines))
