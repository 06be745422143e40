"""What Dagster stores of errors and logs, without the secrets that they may quote.

Mixins that stand before Dagster's storages, whichever database those are on.
"""

from __future__ import annotations

from typing import Any, TypeVar

from dagster._core.events.log import EventLogEntry
from dagster._core.execution.backfill import PartitionBackfill
from dagster._core.scheduler.instigation import InstigatorTick, TickData
from dagster._daemon.types import DaemonHeartbeat
from dagster._serdes import deserialize_value, serialize_value

from resources.redaction import redact_this_process, redacted

Stored = TypeVar("Stored", TickData, DaemonHeartbeat, PartitionBackfill)


class RedactedEvents:
    """Before an event log storage. Whoever opens one is a process of Dagster's: its logs are redacted too."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        redact_this_process()
        super().__init__(*arguments, **options)

    def _event_to_row(self, event: EventLogEntry) -> dict[str, Any]:
        row = super()._event_to_row(event)  # type: ignore[misc] # the storage's
        return {**row, "event": redacted(row["event"])}


class RedactedTicks:
    """Before a schedule storage: the errors of sensors and schedules."""

    def create_tick(self, tick_data: TickData) -> InstigatorTick:
        """Store the beginning of a tick."""
        return super().create_tick(_clean(tick_data))  # type: ignore[misc,no-any-return] # the storage's

    def update_tick(self, tick: InstigatorTick) -> InstigatorTick:
        """Store how a tick goes on."""
        safe = tick._replace(tick_data=_clean(tick.tick_data))
        return super().update_tick(safe)  # type: ignore[misc,no-any-return] # the storage's


class RedactedRuns:
    """Before a run storage: the errors of daemons and backfills."""

    def add_daemon_heartbeat(self, daemon_heartbeat: DaemonHeartbeat) -> None:
        """Store that a daemon lives, and its last errors."""
        super().add_daemon_heartbeat(_clean(daemon_heartbeat))  # type: ignore[misc] # the storage's

    def update_backfill(self, partition_backfill: PartitionBackfill) -> None:
        """Store how a backfill goes on, and why it failed."""
        super().update_backfill(_clean(partition_backfill))  # type: ignore[misc] # the storage's


def _clean(value: Stored) -> Stored:
    text = serialize_value(value)
    safe = redacted(text)
    return value if safe == text else deserialize_value(safe, type(value))
