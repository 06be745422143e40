"""Alerts and their deliveries; dedupe and rate limits read their history here."""

from __future__ import annotations

from typing import Any

from warehouse.ledger.backend import Transaction

#: The status of a delivery that arrived.
DELIVERED = "delivered"


def record(
    tx: Transaction,
    *,
    alert_id: str,
    dedupe_key: str,
    severity: str,
    title: str,
    body: str,
    created_at_ms: int,
    suppressed: bool,
) -> bool:
    """Store an alert, sent or suppressed, unless it is stored; returns whether it was new."""
    inserted = tx.execute(
        "insert into alerts (alert_id, dedupe_key, severity, title, body, created_at_ms, suppressed)"
        " values (:alert_id, :dedupe_key, :severity, :title, :body, :created_at_ms, :suppressed)"
        " on conflict do nothing",
        {
            "alert_id": alert_id,
            "dedupe_key": dedupe_key,
            "severity": severity,
            "title": title,
            "body": body,
            "created_at_ms": created_at_ms,
            "suppressed": suppressed,
        },
    )
    return inserted == 1


def record_delivery(
    tx: Transaction, alert_id: str, channel: str, status: str, receipt: str, at_ms: int
) -> bool:
    """Store how a channel took an alert; a delivery that arrived is never overwritten.

    Returns
    -------
    bool
        Whether the record is new or replaced a failed attempt.
    """
    return (
        tx.execute(
            "insert into alert_deliveries (alert_id, channel, status, receipt, at_ms)"
            " values (:alert_id, :channel, :status, :receipt, :at_ms)"
            " on conflict (alert_id, channel) do update set status = excluded.status,"
            " receipt = excluded.receipt, at_ms = excluded.at_ms"
            f" where alert_deliveries.status <> '{DELIVERED}'",
            {"alert_id": alert_id, "channel": channel, "status": status, "receipt": receipt, "at_ms": at_ms},
        )
        == 1
    )


def last_sent_ms(tx: Transaction, dedupe_key: str) -> int | None:
    """When an alert with this key was last let through; None when never."""
    rows = tx.query(
        "select max(created_at_ms) as last from alerts where dedupe_key = :key and not suppressed",
        {"key": dedupe_key},
    )
    last: int | None = rows[0]["last"]
    return last


def sent_rows_since(tx: Transaction, since_ms: int) -> list[dict[str, Any]]:
    """Alerts that were let through from a moment on: their key, severity and time."""
    return tx.query(
        "select dedupe_key, severity, created_at_ms from alerts"
        " where created_at_ms >= :since and not suppressed order by created_at_ms, alert_id",
        {"since": since_ms},
    )


def sent_since(tx: Transaction, since_ms: int) -> int:
    """How many alerts were let through from a moment on."""
    rows = tx.query(
        "select count(*) as sent from alerts where created_at_ms >= :since and not suppressed",
        {"since": since_ms},
    )
    return int(rows[0]["sent"])


def deliveries(tx: Transaction, alert_id: str) -> list[dict[str, Any]]:
    """How each channel took an alert, by channel."""
    return tx.query(
        "select channel, status, receipt, at_ms from alert_deliveries where alert_id = :id order by channel",
        {"id": alert_id},
    )
