"""Reading an account at its venue, in such an order that what comes back belongs together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from trading.model.account import VenueBalance, VenueOrder, VenuePosition
from trading.ports import Account
from trading.reconciliation.state import VenueState

#: How often an account may change under our eyes before quantities are left unjudged.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class Question:
    """What to ask of an account.

    Attributes
    ----------
    symbols
        Symbols that the ledger has something open in.
    listed
        Symbols of the venue: coins found on the account are asked about under those.
    since_ms
        Fills and movements from this moment on.
    lag_ms
        How long the venue may hide what it has done.
    """

    account: str
    currency: str
    symbols: Collection[str]
    listed: Collection[str]
    since_ms: int
    lag_ms: int


def read_account(venue: Account, question: Question) -> VenueState:
    """Ask a venue for everything that a comparison needs.

    Orders, balances and positions are read before and after fills and movements, until both times agree:
    what is behind the quantities is then known. On an account that never rests that long the state says so.

    Raises
    ------
    RetryLater
        If the venue cannot answer now.
    """
    taken_at_ms = venue.now_ms()
    for _ in range(_ATTEMPTS):
        before = _Holdings.of(venue)
        fills = venue.fills(_symbols(question, before), question.since_ms)
        moves = venue.cash_moves(question.since_ms)
        after = _Holdings.of(venue)
        stable = before.traded == after.traded
        if stable:
            break
    return VenueState(
        venue=venue.name,
        account=question.account,
        derivatives=venue.derivatives,
        read_from_ms=question.since_ms,
        taken_at_ms=taken_at_ms,
        lag_ms=question.lag_ms,
        stable=stable,
        orders=tuple(after.orders),
        fills=tuple(fills),
        balances=tuple(after.balances),
        positions=tuple(after.positions),
        moves=tuple(moves),
    )


@dataclass(frozen=True, slots=True)
class _Holdings:
    """Everything but fills, as read at one time."""

    orders: list[VenueOrder]
    balances: list[VenueBalance]
    positions: list[VenuePosition]

    @classmethod
    def of(cls, venue: Account) -> _Holdings:
        return cls(venue.open_orders(), venue.balances(), venue.positions())

    @property
    def traded(self) -> tuple[set[tuple[object, ...]], ...]:
        """What a trade changes, and nothing that changes without one, such as mark prices."""
        return (
            {(item.venue_order_id, item.executed, item.state) for item in self.orders},
            {(item.currency, item.free + item.locked) for item in self.balances},
            {(item.symbol, item.hedge_side, item.quantity, item.entry_price) for item in self.positions},
        )


def _symbols(question: Question, found: _Holdings) -> list[str]:
    """The union of what either side has something in."""
    coins = {item.currency + question.currency for item in found.balances} & set(question.listed)
    of_orders = {item.symbol for item in found.orders}
    of_positions = {item.symbol for item in found.positions}
    return sorted({*question.symbols, *of_orders, *of_positions, *coins})
