"""The kill flag: persisted, honoured at every start."""

from __future__ import annotations

from trading.model.snapshot import Controls
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction

_HALT = "halted"


def halt(tx: Transaction, reason: str, by: str, at_ms: int) -> Controls:
    """Forbid new exposure until somebody resumes; halting again keeps the first reason."""
    return _set(tx, True, reason, by, at_ms)


def resume(tx: Transaction, reason: str, by: str, at_ms: int) -> Controls:
    """Allow new exposure again; no change when nothing was halted."""
    return _set(tx, False, reason, by, at_ms)


def current(tx: Transaction) -> Controls:
    """The switches as they stand. Anything but a clear "false" counts as halted."""
    rows = tx.query("select value, reason, changed_at_ms from controls where name = :name", {"name": _HALT})
    if not rows:
        return Controls(halted=False)
    return Controls(rows[0]["value"] != "false", rows[0]["reason"], rows[0]["changed_at_ms"])


def _set(tx: Transaction, halted: bool, reason: str, by: str, at_ms: int) -> Controls:
    before = current(tx)
    if before.halted is halted:
        return before
    tx.execute(
        "insert into controls (name, value, reason, changed_at_ms, changed_by)"
        " values (:name, :value, :reason, :at_ms, :by) on conflict (name) do update set value = excluded.value,"
        " reason = excluded.reason, changed_at_ms = excluded.changed_at_ms, changed_by = excluded.changed_by",
        {"name": _HALT, "value": "true" if halted else "false", "reason": reason, "at_ms": at_ms, "by": by},
    )
    audit.append(tx, "halt" if halted else "resume", _HALT, {"reason": reason, "by": by}, at_ms)
    return Controls(halted, reason, at_ms)
