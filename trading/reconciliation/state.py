"""Both sides of a reconciliation: the account as the ledger has it, and as the venue shows it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from trading.execution.lifecycle import Life
from trading.ledger.transfers import Transfer
from trading.model.account import CashMove, FillCause, VenueBalance, VenueFill, VenueOrder, VenuePosition
from trading.model.order import Fill, Order
from trading.model.snapshot import Position

#: Desks that fills belong to which no order of ours brought about.
MANUAL_DESK = "manual"
VENUE_DESK = "venue"
FOREIGN_DESKS = frozenset({MANUAL_DESK, VENUE_DESK})
#: Every client order id of ours starts so.
OUR_PREFIX = "tm-"


@dataclass(frozen=True, slots=True)
class VenueState:
    """What a venue showed of an account.

    Attributes
    ----------
    read_from_ms
        Fills and movements of cash from this moment on were asked for.
    taken_at_ms
        The venue's clock before the first question.
    lag_ms
        How long the venue may go on hiding what it has done.
    stable
        Whether orders and fills were the same before and after balances and positions were read. Where
        they were not, quantities and amounts of different moments would be compared.
    """

    venue: str
    account: str
    derivatives: bool
    read_from_ms: int
    taken_at_ms: int
    lag_ms: int
    stable: bool
    orders: tuple[VenueOrder, ...] = ()
    fills: tuple[VenueFill, ...] = ()
    balances: tuple[VenueBalance, ...] = ()
    positions: tuple[VenuePosition, ...] = ()
    moves: tuple[CashMove, ...] = ()


@dataclass(frozen=True, slots=True)
class LocalOrder:
    """An order with where it is, and when it was last sent (None: never) and last changed."""

    order: Order
    life: Life
    sent_at_ms: int | None
    changed_at_ms: int


@dataclass(frozen=True, slots=True)
class LocalState:
    """What the ledger says of an account.

    Attributes
    ----------
    currency
        The account's currency, in which positions are valued; every symbol ends with it.
    orders
        By client order id: every order that has not ended, and those that the venue's answer names.
    booked
        The booked ones among the fills that the venue listed, by venue fill id.
    net
        Quantity (base, signed) by symbol that the account's booked fills add up to.
    cash
        Cash and coins by currency, without what positions cost.
    moves
        The booked ones among the transfers that the venue's movements make, by transfer id.
    holdings
        Open positions of all desks, the foreign ones included.
    """

    currency: str
    orders: Mapping[str, LocalOrder] = field(default_factory=dict)
    booked: Mapping[str, Fill] = field(default_factory=dict)
    net: Mapping[str, Decimal] = field(default_factory=dict)
    cash: Mapping[str, Decimal] = field(default_factory=dict)
    moves: Mapping[str, Transfer] = field(default_factory=dict)
    holdings: tuple[Position, ...] = ()


@dataclass(frozen=True, slots=True)
class ForeignFill:
    """A fill that no order of ours brought about, with whose it is and why it happened."""

    fill: Fill
    venue_order_id: str
    cause: FillCause
    desk: str
