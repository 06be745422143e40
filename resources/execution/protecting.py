"""The protection step of the platform's account, and what people are told of it."""

from __future__ import annotations

from dataclasses import replace

from resources.execution.alerting import raise_alert
from resources.execution.cover import Bare, Rules, Seen
from resources.execution.protection import Protected, protect
from resources.execution.signing import SIGNING_KEY_FILE, signing_key
from resources.platform import Platform
from trading.alerts.alert import Severity
from trading.model.interval import Interval
from trading.reconciliation.breaks import shown
from warehouse.ledger import audit, orders
from warehouse.ledger.backend import Transaction
from warehouse.ledger.entries import protected_holdings

#: Records of the audit trail that say nothing of orders and holdings, and those whose subject is an order.
_NO_EFFECT = ("decision", "verdict")
_OF_ORDERS = ("fill", "foreign_fill")


def protect_platform(platform: Platform) -> Protected:
    """Bring the protective orders in line with what is held, and alert on what has no stop.

    Every holding is looked at once an hour, and otherwise those of which an order or a fill has been recorded
    since, or that have no stop: where there is none, this costs one look at the ledger.

    Raises
    ------
    RetryLater
        If another process works on the account.
    """
    now_ms = platform.clock.now_ms()
    last = platform.protection
    if last is not None and not 0 <= now_ms - last.in_full_at_ms < Interval.H1.milliseconds:
        last = None
    with platform.ledger.read() as tx:
        head = audit.head(tx)
        touched = _touched(tx, last) if last else None
        idle = touched == set() or not protected_holdings(tx)
    done = Protected() if idle else _protect(platform, touched, now_ms)
    if head is not None and replace(done, bare=()) == Protected():
        in_full_at_ms = now_ms if last is None or touched is None else last.in_full_at_ms
        platform.protection = Seen(head.sequence, in_full_at_ms, done.bare)
    for each in done.bare:
        _tell(platform, each, done.postponed)
    return done


def _protect(platform: Platform, symbols: set[str] | None, now_ms: int) -> Protected:
    return protect(
        platform.ledger,
        platform.venue(),
        now_ms,
        rules_of(platform),
        clock=platform.clock,
        symbols=symbols,
    )


def _touched(tx: Transaction, last: Seen) -> set[str] | None:
    """Symbols to look at again; None: any may have changed."""
    subjects: set[str] = set()
    for record in audit.after(tx, last.sequence, besides=_NO_EFFECT):
        if record.kind not in _OF_ORDERS and not record.kind.startswith("order_"):
            return None
        subjects.add(record.subject)
    found = orders.by_ids(tx, subjects)
    if len(found) < len(subjects):
        return None
    return {order.symbol for order in found.values()} | {bare.holding.symbol for bare in last.bare}


def rules_of(platform: Platform) -> Rules:
    """What shapes the protective orders of the account that orders go to.

    A spot account locks what a resting order sells, so that only one of both legs fits. Futures know what the
    account holds and not whose it is; the paper venue knows that.
    """
    kind = platform.settings.venue.kind
    return Rules(
        key=signing_key(platform.settings.path(SIGNING_KEY_FILE)),
        instruments=platform.instruments(),
        both_legs=kind != "binance_spot",
        by_account=kind == "binance_usdm",
        currency=platform.settings.universe.quote,
    )


def _tell(platform: Platform, bare: Bare, postponed: str) -> None:
    holding = bare.holding
    raise_alert(
        platform,
        key=f"unprotected:{bare.entry_id}",
        severity=Severity.CRITICAL,
        title=f"{shown(bare.quantity)} {holding.symbol} of {holding.desk} has no stop at work",
        body=f"Entry {bare.entry_id} on {holding.venue}/{holding.account}: {bare.why}. {postponed}".strip(),
    )
