"""The first look at an account: what is there already is taken over, so that only what follows must be explained."""

from __future__ import annotations

import math
from dataclasses import dataclass

from trading.ledger.transfers import Transfer, deposit
from trading.model.account import FillCause
from trading.model.order import Fill, Side
from trading.reconciliation.state import MANUAL_DESK, ForeignFill, VenueState


@dataclass(frozen=True, slots=True)
class Opening:
    """Deposits for what the account holds, and fills for the positions that are open."""

    deposits: tuple[Transfer, ...]
    positions: tuple[ForeignFill, ...]


def opening(venue: VenueState, currency: str) -> Opening:
    """What to book for an account that the ledger has never heard of.

    Cash and coins are deposits. An open derivative position belongs to the desk of foreign fills, entered
    at the venue's average price: results before Tidemill came are part of the deposit.
    """
    deposits = tuple(
        deposit(
            f"opening:{venue.venue}/{venue.account}:{item.currency}",
            venue.venue,
            venue.account,
            item.free + item.locked,
            item.currency,
            venue.taken_at_ms,
        )
        for item in venue.balances
        if item.free + item.locked
    )
    positions = tuple(
        ForeignFill(
            Fill(
                venue=venue.venue,
                venue_fill_id=f"opening:{item.symbol}:{item.hedge_side}",
                client_order_id=f"foreign:opening:{item.symbol}:{item.hedge_side}",
                symbol=item.symbol,
                side=Side.BUY if item.quantity > 0 else Side.SELL,
                quantity=abs(item.quantity),
                price=item.entry_price,
                fee=item.quantity * 0,
                fee_currency=currency,
                filled_at_ms=venue.taken_at_ms,
                slippage_bps=math.nan,
                account=venue.account,
            ),
            "",
            FillCause.MANUAL,
            MANUAL_DESK,
        )
        for item in venue.positions
        if item.quantity
    )
    return Opening(deposits, positions)
