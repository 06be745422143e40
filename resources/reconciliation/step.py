"""One reconciliation of the platform's account, and what people are told of it."""

from __future__ import annotations

import time

from resources.execution.alerting import raise_alert
from resources.platform import Platform
from resources.reconciliation.reconcile import Reconciled, Scope, reconcile
from trading.alerts.alert import Severity
from trading.errors import RetryLater
from trading.model.account import FillCause
from trading.reconciliation.breaks import BreakSeverity, shown
from warehouse.ledger import breaks, fills
from warehouse.ledger.breaks import StoredBreak

_PAUSE_SECONDS = 0.5


def reconcile_platform(platform: Platform, *, patience_seconds: float = 0.0) -> Reconciled:
    """Reconcile the account that orders go to, and alert on what is new.

    Parameters
    ----------
    patience_seconds
        How long to go on trying while another process works on the account or the venue is busy.

    Raises
    ------
    RetryLater
        If it did not come to that in time; nothing was found or denied.
    """
    venue, account = platform.venue(), platform.account()
    scope = Scope(platform.settings.universe.quote, listed=frozenset(platform.instruments()))
    deadline = time.monotonic() + patience_seconds
    while True:
        try:
            done = reconcile(platform.ledger, venue, account, scope)
            break
        except RetryLater:
            if time.monotonic() + _PAUSE_SECONDS > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)
    _tell_of_fills(platform, account.now_ms())
    _tell_of_breaks(platform, venue.absence_proven_after_ms, account.now_ms())
    return done


def _tell_of_fills(platform: Platform, now_ms: int) -> None:
    """Alert on adopted fills, each once, those included that a process booked which then died."""
    with platform.ledger.read() as tx:
        found = fills.untold(tx)
    for fill, cause, desk in found:
        forced = cause in (FillCause.LIQUIDATION, FillCause.ADL)
        raise_alert(
            platform,
            key=f"foreign_fill:{fill.venue}/{fill.account}:{fill.venue_fill_id}",
            severity=Severity.CRITICAL if forced else Severity.WARNING,
            title=f"{cause}: {fill.side} {shown(fill.quantity)} {fill.symbol} was not ours",
            body=(
                f"At {shown(fill.price)} on {fill.venue}/{fill.account}, fill {fill.venue_fill_id}. "
                f"It is booked on desk {desk!r}."
            ),
        )
        with platform.ledger.transaction() as tx:
            fills.mark_told(tx, fill, now_ms)


def _tell_of_breaks(platform: Platform, lag_ms: int, now_ms: int) -> None:
    """Alert on breaks that have outlasted what the venue may hide, each once."""
    with platform.ledger.read() as tx:
        lasting = [
            item
            for item in breaks.open_breaks(tx)
            if item.told_at_ms is None and now_ms - item.opened_at_ms >= lag_ms
        ]
    for item in lasting:
        raise_alert(
            platform,
            key=f"break:{item.break_id}",
            severity=Severity.CRITICAL if item.content.severity is BreakSeverity.BLOCKS else Severity.WARNING,
            title=f"Ledger and venue disagree: {item.content.kind} {item.content.subject}",
            body=_words(item),
        )
    if lasting:
        with platform.ledger.transaction() as tx:
            breaks.mark_told(tx, [item.break_id for item in lasting], now_ms)


def _words(item: StoredBreak) -> str:
    content = item.content
    where = content.symbol or "the whole account"
    effect = f"No new risk in {where} until it is gone." if content.severity is BreakSeverity.BLOCKS else ""
    return (
        f"{item.venue}/{item.account}: the ledger says {content.ours}, the venue {content.theirs}. {effect}"
    ).strip()
