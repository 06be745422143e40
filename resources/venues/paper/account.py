"""The paper account as its venue sees it: what was paid in, and what the venue's own book made of it."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal, localcontext

from resources.venues.paper.client import BookEntry, read_fills
from trading.ledger.accounting import EXACT, notional_of, signed_quantity
from trading.ledger.transfers import CAPITAL, free_cash
from trading.model.account import VenueBalance, VenueFill, VenueOrder
from trading.model.order import Fill, Side
from warehouse.ledger.backend import Transaction

_ACCOUNT = "main"


def fills(transaction: Transaction, symbols: Sequence[str], since_ms: int) -> list[VenueFill]:
    """Every execution of the symbols from a moment on, oldest first."""
    wanted = set(symbols)
    return [_venue_fill(fill) for fill in read_fills(transaction, since_ms) if fill.symbol in wanted]


def balances(transaction: Transaction, venue: str, currency: str) -> list[VenueBalance]:
    """What the venue's own fills leave of what was paid in; resting orders lock nothing.

    Deposits are the ledger's: paper money comes from nowhere else.

    Parameters
    ----------
    currency
        What symbols are quoted in.
    """
    held = _paid_in(transaction, venue)
    with localcontext(EXACT):
        for fill in read_fills(transaction):
            _apply(held, fill, currency)
    return [VenueBalance(name, amount, Decimal(0)) for name, amount in sorted(held.items()) if amount]


def _paid_in(transaction: Transaction, venue: str) -> dict[str, Decimal]:
    rows = transaction.query(
        "select currency, sum(case when from_account = :capital then amount else -amount end) as paid"
        " from transfers where kind = 'deposit' and (from_account = :capital and to_account = :cash"
        " or to_account = :capital and from_account = :cash) group by currency",
        {"capital": CAPITAL, "cash": free_cash(venue, _ACCOUNT)},
    )
    return {row["currency"]: Decimal(row["paid"]) for row in rows}


def _apply(held: dict[str, Decimal], fill: Fill, currency: str) -> None:
    def add(name: str, amount: Decimal) -> None:
        held[name] = held.get(name, Decimal(0)) + amount

    base = fill.symbol.removesuffix(currency)
    notional = notional_of(fill.quantity, fill.price)
    add(base, signed_quantity(fill, currency))
    add(currency, -notional if fill.side is Side.BUY else notional)
    if fill.fee_currency != base:
        add(fill.fee_currency, -fill.fee)


def venue_order(entry: BookEntry) -> VenueOrder:
    """An order of the book as the venue lists it."""
    order = entry.order
    return VenueOrder(
        client_order_id=order.client_order_id,
        venue_order_id=order.client_order_id,
        symbol=order.symbol,
        side=order.side,
        order_type=order.order_type,
        quantity=order.quantity,
        executed=sum((fill.quantity for fill in entry.fills), Decimal(0)),
        state=order.state,
        updated_at_ms=max((fill.filled_at_ms for fill in entry.fills), default=order.created_at_ms),
        reduce_only=order.reduce_only,
        limit_price=order.limit_price,
        stop_price=order.stop_price,
    )


def _venue_fill(fill: Fill) -> VenueFill:
    return VenueFill(
        venue_fill_id=fill.venue_fill_id,
        venue_order_id=fill.client_order_id,
        client_order_id=fill.client_order_id,
        symbol=fill.symbol,
        side=fill.side,
        quantity=fill.quantity,
        price=fill.price,
        fee=fill.fee,
        fee_currency=fill.fee_currency,
        filled_at_ms=fill.filled_at_ms,
    )
