"""Settling an offset: what others closed of a desk's holding is taken off the desk's books, at the others' price."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trading.errors import BadData
from trading.ledger.accounting import EXACT
from trading.model.order import Fill, Side
from trading.model.snapshot import Position
from trading.reconciliation.breaks import shown
from trading.reconciliation.state import FOREIGN_DESKS


@dataclass(frozen=True, slots=True)
class Crossing:
    """A fill between two desks of ours, as one of both sides books it; the venue knows nothing of it."""

    fill: Fill
    desk: str
    strategy_id: str


def net_out(
    holdings: Iterable[Position], symbol: str, *, venue: str, account: str, currency: str, at_ms: int
) -> tuple[Crossing, ...]:
    """Fills that move what others closed of a symbol onto the desks that believe to hold it, oldest position first.

    Each pair has one price, the average of the foreign position, so that cash and the account's quantity
    stay as they are: the desk realises what the others realised for it.

    Raises
    ------
    BadData
        If nobody has closed anything of a desk's holding, or the foreign position has no price above 0.
    """
    rows = [item for item in holdings if item.symbol == symbol and item.quantity]
    crossings: list[Crossing] = []
    with localcontext(EXACT):
        for foreign in (item for item in rows if item.desk in FOREIGN_DESKS):
            against = [item for item in rows if item.desk not in FOREIGN_DESKS]
            left = abs(foreign.quantity)
            for desk in sorted(against, key=lambda item: (item.opened_at_ms, item.desk, item.strategy_id)):
                quantity = min(left, abs(desk.quantity))
                if desk.quantity * foreign.quantity >= 0 or quantity == 0:
                    continue
                left -= quantity
                rows[rows.index(desk)] = _less(desk, quantity)
                crossings += _pair(foreign, desk, quantity, venue, account, currency, at_ms)
    if not crossings:
        raise BadData(f"{symbol}: nobody has closed what a desk holds of it; there is nothing to net")
    return tuple(crossings)


def _less(desk: Position, quantity: Decimal) -> Position:
    left = desk.quantity - quantity if desk.quantity > 0 else desk.quantity + quantity
    return Position(desk.desk, desk.strategy_id, desk.symbol, left, desk.average_cost, desk.opened_at_ms)


def _pair(
    foreign: Position,
    desk: Position,
    quantity: Decimal,
    venue: str,
    account: str,
    currency: str,
    at_ms: int,
) -> tuple[Crossing, Crossing]:
    if foreign.average_cost <= 0:
        raise BadData(
            f"{desk.symbol}: the position of desk {foreign.desk} has the average price "
            f"{shown(foreign.average_cost)}, it must be above 0 to net at"
        )
    closing = Side.SELL if desk.quantity > 0 else Side.BUY
    opening = Side.BUY if closing is Side.SELL else Side.SELL
    name = f"net:{desk.symbol}:{foreign.desk}:{desk.desk}/{desk.strategy_id}:{at_ms}"

    def crossing(holder: Position, side: Side) -> Crossing:
        return Crossing(
            Fill(
                venue=venue,
                venue_fill_id=f"{name}:{side}",
                client_order_id=name,
                symbol=desk.symbol,
                side=side,
                quantity=quantity,
                price=foreign.average_cost,
                fee=Decimal(0),
                fee_currency=currency,
                filled_at_ms=at_ms,
                slippage_bps=math.nan,
                account=account,
            ),
            holder.desk,
            holder.strategy_id,
        )

    return crossing(desk, closing), crossing(foreign, opening)
