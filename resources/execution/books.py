"""Closing a tick's books: equity at the tick's prices, and the audit head anchored outside the ledger."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import polars as pl

from resources.platform import Platform
from trading.errors import HaltTrading
from trading.ledger.accounting import mark
from trading.model.days import day_at
from trading.model.snapshot import Snapshot
from warehouse.datasets.research import AUDIT_ANCHORS
from warehouse.ledger import audit, portfolio


def close_books(platform: Platform, snapshot: Snapshot) -> Decimal:
    """Record the account's equity at the tick's prices; a tick is recorded once, later marks change nothing."""
    prices = {symbol: view.close for symbol, view in snapshot.symbols.items()}
    currency = platform.settings.universe.quote
    with platform.ledger.transaction() as tx:
        marked = mark(portfolio.positions(tx), portfolio.cash(tx, currency), prices)
        portfolio.record_equity(tx, snapshot.tick_id, platform.clock.now_ms(), marked)
    return marked.equity


def anchor(platform: Platform, bar_close_ms: int) -> int:
    """Add the chain's head to the day's anchors in the lake; returns its sequence number."""
    with platform.ledger.read() as tx:
        ledger_id, head = audit.ledger_id(tx), audit.head(tx)
    if head is None:
        raise HaltTrading("audit: the head row is missing; run tidemill audit verify before trading on")
    day = day_at(bar_close_ms - 1)
    row = pl.DataFrame(
        {
            "ledger_id": [ledger_id],
            "sequence": [head.sequence],
            "hash": [head.hash],
            "anchored_at": [datetime.fromtimestamp(platform.clock.now_ms() / 1000, UTC)],
        }
    ).cast(dict(AUDIT_ANCHORS.schema))
    if platform.lake.info(AUDIT_ANCHORS, day) is not None:
        earlier = platform.lake.read(AUDIT_ANCHORS, day)
        row = pl.concat([earlier, row.join(earlier, on=list(AUDIT_ANCHORS.key), how="anti")])
    platform.lake.write(AUDIT_ANCHORS, day, row)
    return head.sequence
