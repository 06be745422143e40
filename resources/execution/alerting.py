"""Alerts: recorded in the ledger first, then delivered, and each delivery recorded."""

from __future__ import annotations

from collections import Counter

from resources.notifiers.delivery import deliver
from resources.platform import Platform
from trading.alerts.alert import Alert, Severity
from trading.alerts.dedupe import Routing, SentAlert, route
from trading.execution.links import PROTECTIVE
from trading.model.canonical import digest
from trading.model.decision import Decision, Outcome, VerdictKind
from trading.model.interval import MINUTE_MS
from trading.model.order import OrderState
from warehouse.ledger import alerts, decisions, orders


def raise_alert(platform: Platform, *, key: str, severity: Severity, title: str, body: str) -> Routing:
    """Record an alert and deliver it, unless it repeats one or floods.

    The record commits before anything is delivered. An alert that was recorded under the same key
    at the same moment is not delivered again.
    """
    now_ms = platform.clock.now_ms()
    alert = Alert(key, severity, title, body, now_ms)
    rules = platform.settings.alerts.rules
    window_ms = int(max(rules.duplicate_window_minutes, rules.rate_window_minutes) * MINUTE_MS)
    alert_id = digest("alert", key, now_ms)[:32]
    with platform.ledger.transaction() as tx:
        recent = [
            SentAlert(row["dedupe_key"], Severity(row["severity"]), row["created_at_ms"])
            for row in alerts.sent_rows_since(tx, now_ms - window_ms)
        ]
        routing = route(alert, recent, rules)
        new = alerts.record(
            tx,
            alert_id=alert_id,
            dedupe_key=key,
            severity=severity.value,
            title=title,
            body=body,
            created_at_ms=now_ms,
            suppressed=routing is not Routing.SEND,
        )
    if new and routing is Routing.SEND:
        _deliver(platform, alert, alert_id)
    return routing


def report_failed_run(platform: Platform, job_name: str, run_id: str, cause: str) -> Routing:
    """Tell people of a failed run, once, whoever sees it first."""
    return raise_alert(
        platform,
        key=f"run_failure:{run_id}",
        severity=Severity.CRITICAL,
        title=f"Run of {job_name} failed",
        body=f"{cause}\nrun {run_id}",
    )


def _deliver(platform: Platform, alert: Alert, alert_id: str) -> None:
    results = deliver(alert, platform.notifiers)
    with platform.ledger.transaction() as tx:
        for result in results:
            alerts.record_delivery(
                tx,
                alert_id,
                result.channel,
                alerts.DELIVERED if result.delivered else "failed",
                result.receipt or result.error,
                platform.clock.now_ms(),
            )


def report_tick(platform: Platform, tick_id: str) -> bool:
    """Tell people what a tick did: one alert per tick that ordered anything or could not. Repeats say nothing."""
    with platform.ledger.read() as tx:
        decided = decisions.for_tick(tx, tick_id)
        verdicts = decisions.verdicts_for_tick(tx, tick_id)
        placed = orders.for_tick(tx, tick_id)
        told = alerts.last_sent_ms(tx, f"tick:{tick_id}") is not None
    fired = [decision for decision in decided if decision.outcome is Outcome.FIRED]
    if told or not fired:
        return False
    refused = Counter(v.reason_code for v in verdicts.values() if v.kind is VerdictKind.REFUSED)
    unknown = [order for order in placed if order.state is OrderState.UNKNOWN]
    decided_on = [order for order in placed if order.role not in PROTECTIVE]
    lines = [_line(decision, verdicts[decision.decision_id].kind) for decision in fired]
    lines += [f"refused {count} x {reason}" for reason, count in sorted(refused.items())]
    lines += [f"UNKNOWN outcome: {order.client_order_id} {order.symbol}" for order in unknown]
    raise_alert(
        platform,
        key=f"tick:{tick_id}",
        severity=Severity.CRITICAL if unknown else Severity.INFO,
        title=f"{len(decided_on)} order(s), {sum(refused.values())} refused",
        body="\n".join(lines),
    )
    return True


def _line(decision: Decision, kind: VerdictKind) -> str:
    way = f"{decision.action.value} {decision.direction.value}"
    return f"{decision.desk}: {way} {decision.symbol} ({decision.reason_code}) {kind.value}"
