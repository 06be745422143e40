"""Settling offsets on the ledger, when a person asks for it."""

from __future__ import annotations

from trading.model.account import FillCause
from trading.reconciliation.breaks import BreakKind
from trading.reconciliation.netting import net_out
from warehouse.ledger import audit, breaks, fills, portfolio
from warehouse.ledger.backend import Ledger
from warehouse.ledger.fills import Owner


def net_offset(
    ledger: Ledger,
    symbol: str,
    *,
    venue: str,
    by: str,
    at_ms: int,
    account: str = "main",
    currency: str = "USDT",
) -> int:
    """Take what others closed of a symbol off the desks that believe to hold it; the break is over with that.

    Parameters
    ----------
    by
        Who asked, for the audit trail.

    Returns
    -------
    int
        Positions of desks that were changed.

    Raises
    ------
    BadData
        If nobody has closed anything of a desk's holding.
    """
    with ledger.transaction() as tx:
        crossings = net_out(
            portfolio.positions(tx), symbol, venue=venue, account=account, currency=currency, at_ms=at_ms
        )
        audit.append(tx, "net_offset", symbol, {"by": by, "fills": len(crossings)}, at_ms)
        for each in crossings:
            fills.adopt(
                tx,
                each.fill,
                Owner(each.desk, each.strategy_id, shorts=True),
                cause=FillCause.MANUAL,
                venue_order_id="",
                at_ms=at_ms,
                currency=currency,
                told=True,
            )
        others = [
            item.content
            for item in breaks.open_breaks(tx, venue, account)
            if item.content.key != (BreakKind.OFFSET, symbol)
        ]
        breaks.update(tx, venue, account, others, at_ms)
    return len(crossings) // 2
