"""The comparison of ledger and venue: what to book, what to adopt, what to post, and what disagrees."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trading.ledger.accounting import EXACT, notional_of, signed_quantity
from trading.ledger.transfers import Transfer, free_cash, reserved_cash
from trading.model.order import Fill, Side
from trading.ports import OrderReport
from trading.reconciliation.breaks import Break
from trading.reconciliation.fills import sort_fills
from trading.reconciliation.holdings import compare_holdings, offsets
from trading.reconciliation.moves import compare_moves
from trading.reconciliation.orders import compare_orders, may_still_fill
from trading.reconciliation.state import ForeignFill, LocalState, VenueState

#: Cash may differ by this much: venues round the amounts that they derive.
CASH_TOLERANCE = Decimal("0.01")


@dataclass(frozen=True, slots=True)
class Findings:
    """What a comparison came to.

    Attributes
    ----------
    matched
        Fills, positions, coins and amounts of cash that agree.
    reports
        New fills of our orders, and states that they have moved to.
    foreign
        Fills to adopt.
    moves
        Movements of cash to post.
    unjudged
        Symbols and currencies of which nothing can be said this time: an open break about their quantity
        or amount is neither confirmed nor over.
    waiting
        Symbols with fills that may yet turn out ours.
    """

    matched: int
    reports: tuple[OrderReport, ...]
    foreign: tuple[ForeignFill, ...]
    moves: tuple[Transfer, ...]
    breaks: tuple[Break, ...]
    unjudged: frozenset[str]
    waiting: frozenset[str]


def compare(local: LocalState, venue: VenueState, *, cash_tolerance: Decimal = CASH_TOLERANCE) -> Findings:
    """Compare an account with the ledger; pure, and a second time after booking finds nothing to book.

    Raises
    ------
    BadData
        If a symbol is not quoted in the account's currency.
    """
    sorted_fills = sort_fills(local, venue)
    reports, order_breaks = compare_orders(local, venue, sorted_fills.ours)
    moves, move_breaks = compare_moves(venue.moves, local.moves, venue.venue, venue.account)
    foreign = [item.fill for item in sorted_fills.foreign]
    fresh = [*(fill for fills in sorted_fills.ours.values() for fill in fills), *foreign]
    adopted = _added({}, foreign, local.currency)
    compared = compare_holdings(
        _added(local.net, fresh, local.currency),
        _cash_after(local, venue, fresh, moves),
        venue,
        currency=local.currency,
        open_ends=may_still_fill(local, venue, sorted_fills.ours),
        waiting=sorted_fills.waiting,
        cash_tolerance=cash_tolerance,
    )
    breaks = [*sorted_fills.breaks, *order_breaks, *move_breaks, *compared.breaks]
    return Findings(
        matched=sorted_fills.matched + compared.matched,
        reports=tuple(reports),
        foreign=tuple(sorted_fills.foreign),
        moves=tuple(moves),
        breaks=tuple(breaks + offsets(local.holdings, adopted)),
        unjudged=frozenset(compared.unjudged),
        waiting=frozenset(sorted_fills.waiting),
    )


def _added(net: Mapping[str, Decimal], fills: Iterable[Fill], currency: str) -> dict[str, Decimal]:
    after = dict(net)
    with localcontext(EXACT):
        for fill in fills:
            after[fill.symbol] = after.get(fill.symbol, Decimal(0)) + signed_quantity(fill, currency)
    return after


def _cash_after(
    local: LocalState, venue: VenueState, fills: Sequence[Fill], moves: Iterable[Transfer]
) -> dict[str, Decimal]:
    """Cash by currency once the fills and movements are booked."""
    after = dict(local.cash)

    def add(currency: str, amount: Decimal) -> None:
        after[currency] = after.get(currency, Decimal(0)) + amount

    own = {free_cash(venue.venue, venue.account), reserved_cash(venue.venue, venue.account)}
    with localcontext(EXACT):
        for fill in fills:
            notional = notional_of(fill.quantity, fill.price)
            add(local.currency, -notional if fill.side is Side.BUY else notional)
            if fill.symbol != fill.fee_currency + local.currency:
                add(fill.fee_currency, -fill.fee)
        for move in moves:
            add(move.currency, move.amount if move.to_account in own else -move.amount)
    return after
