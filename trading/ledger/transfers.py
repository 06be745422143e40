"""Double entry: every movement of money goes from one account to another, so that the books balance.

A transfer takes a positive amount out of one account and puts the same amount into another. Sums over all
accounts are therefore 0 per currency after every transfer, at every prefix of the log, by construction.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import ROUND_DOWN, Decimal, localcontext
from enum import StrEnum
from typing import Protocol

from trading.errors import BadData
from trading.ledger.accounting import EXACT, QUANTUM, exact, notional_of, rounded
from trading.model.order import Fill, Order, Side

#: Where deposits come from, and what realised results, funding and foreign fees are counted under.
CAPITAL = "capital"
REALISED = "realised"
FUNDING = "funding"
FEES = "fees"
#: Prefix of all cash, free and reserved, of every venue.
CASH = "cash:"
FREE = "cash:free:"
RESERVED = "cash:reserved:"

#: Room for fees and slippage that a reservation holds beyond the order's value, where cash allows.
RESERVE_MARGIN_FRACTION = Decimal("0.005")


class TransferKind(StrEnum):
    """Why money moved."""

    DEPOSIT = "deposit"
    RESERVE = "reserve"
    RELEASE = "release"
    TRADE = "trade"
    FEE = "fee"
    REALISED = "realised"
    FUNDING = "funding"


@dataclass(frozen=True, slots=True)
class Transfer:
    """An amount (above 0, at most 18 decimals) that moved from one account to another.

    Ids derive from what caused the transfer, so that booking twice gives the same transfers.
    """

    transfer_id: str
    at_ms: int
    kind: TransferKind
    from_account: str
    to_account: str
    amount: Decimal
    currency: str
    client_order_id: str | None = None
    venue_fill_id: str | None = None

    def __post_init__(self) -> None:
        if self.from_account == self.to_account:
            raise BadData(f"transfer {self.transfer_id} goes from {self.from_account} to itself")
        if exact(f"transfer {self.transfer_id}: amount", self.amount) <= 0:
            raise BadData(f"transfer {self.transfer_id}: amount is {self.amount}, it must be positive")


def free_cash(venue: str, account: str) -> str:
    """Name of the account that holds the cash nobody has spoken for, at a venue's account."""
    return f"{FREE}{venue}/{account}"


def reserved_cash(venue: str, account: str) -> str:
    """Name of the account that holds the cash which open orders may still spend."""
    return f"{RESERVED}{venue}/{account}"


def position_account(desk: str, strategy_id: str, symbol: str) -> str:
    """Name of the account that holds what a position cost."""
    return f"position:{desk}/{strategy_id}/{symbol}"


def balances(transfers: Iterable[Transfer]) -> dict[tuple[str, str], Decimal]:
    """What each account holds, by (account, currency), exactly; accounts at 0 included."""
    held: dict[tuple[str, str], Decimal] = {}
    with localcontext(EXACT):
        for transfer in transfers:
            source, target = (
                (transfer.from_account, transfer.currency),
                (transfer.to_account, transfer.currency),
            )
            held[source] = held.get(source, Decimal(0)) - transfer.amount
            held[target] = held.get(target, Decimal(0)) + transfer.amount
    return held


def imbalance(held: Mapping[tuple[str, str], Decimal]) -> dict[str, Decimal]:
    """Sum over all accounts by currency, where it is not 0: an intact set of books gives nothing."""
    sums: dict[str, Decimal] = {}
    with localcontext(EXACT):
        for (_, currency), amount in held.items():
            sums[currency] = sums.get(currency, Decimal(0)) + amount
    return {currency: amount for currency, amount in sums.items() if amount}


def deposit(
    deposit_id: str, venue: str, account: str, amount: Decimal, currency: str, at_ms: int
) -> Transfer:
    """Cash paid in; a negative amount is paid out.

    Raises
    ------
    BadData
        If the amount is zero or has more than 18 decimals.
    """
    cash = free_cash(venue, account)
    return _signed(
        f"deposit:{deposit_id}",
        at_ms,
        TransferKind.DEPOSIT,
        CAPITAL,
        cash,
        exact("deposit", amount),
        currency,
    )


def funding(
    funding_id: str, venue: str, account: str, amount: Decimal, currency: str, at_ms: int
) -> Transfer:
    """A funding payment received; a negative amount was paid. It stays out of a position's cost."""
    cash = free_cash(venue, account)
    return _signed(
        f"funding:{venue}/{account}:{funding_id}",
        at_ms,
        TransferKind.FUNDING,
        FUNDING,
        cash,
        exact("funding", amount),
        currency,
    )


def value_of(order: Order) -> Decimal:
    """What an order is worth (quote) at its limit price, or at the price it was decided at."""
    price = order.reference_price if order.limit_price is None else order.limit_price
    return notional_of(order.quantity, price)


def reserve(order: Order, free: Decimal, currency: str, at_ms: int) -> Transfer:
    """Set aside what an order that adds exposure may spend, and room for its costs if free cash has it.

    The amount never exceeds the free cash.

    Raises
    ------
    BadData
        If the order's value exceeds the free cash.
    """
    value = value_of(order)
    if value > free:
        raise BadData(
            f"order {order.client_order_id} needs {value.normalize():f} {currency}, free are "
            f"{free.normalize():f}: deposit more or lower its size"
        )
    with localcontext(EXACT):
        wanted = rounded(value * (1 + RESERVE_MARGIN_FRACTION))
    return Transfer(
        f"reserve:{order.client_order_id}",
        at_ms,
        TransferKind.RESERVE,
        free_cash(order.venue, order.account),
        reserved_cash(order.venue, order.account),
        min(wanted, free),
        currency,
        order.client_order_id,
    )


def kept_reserved(order: Order, reserved: Decimal, filled: Decimal) -> Decimal:
    """What of an order's reservation stays aside once so much is filled: its share, rounded down."""
    if filled >= order.quantity:
        return Decimal(0)
    with localcontext(EXACT):
        return (reserved * (order.quantity - filled) / order.quantity).quantize(QUANTUM, rounding=ROUND_DOWN)


def release(cause_id: str, order: Order, amount: Decimal, currency: str, at_ms: int) -> tuple[Transfer, ...]:
    """Give reserved cash back to free cash; nothing for an amount of 0."""
    if amount == 0:
        return ()
    return (
        Transfer(
            f"release:{cause_id}",
            at_ms,
            TransferKind.RELEASE,
            reserved_cash(order.venue, order.account),
            free_cash(order.venue, order.account),
            amount,
            currency,
            order.client_order_id,
        ),
    )


class Holder(Protocol):
    """Whose position a fill changes; an order is one."""

    @property
    def desk(self) -> str:
        """Desk that holds the position."""
        ...

    @property
    def strategy_id(self) -> str:
        """Strategy of the desk; empty where it has none."""
        ...


def of_fill(fill: Fill, holder: Holder, realised: Decimal, currency: str) -> tuple[Transfer, ...]:
    """The trade, its fee, and what it realised.

    Cash moves between free cash and the position's account, fees in the account's currency included. What
    the fill realised, and what it changed of earlier results where it came late, moves between the
    position and the realised result: the position's account then holds exactly what the holding cost.
    A fee in the base currency is quantity and no money; one in a third currency is cash of its own.
    """
    cash = free_cash(fill.venue, fill.account)
    position = position_account(holder.desk, holder.strategy_id, fill.symbol)
    key = f"{fill.venue}/{fill.account}:{fill.venue_fill_id}"
    notional, fee = notional_of(fill.quantity, fill.price), exact("fee", fill.fee)
    paid = notional if fill.side is Side.BUY else notional.copy_negate()
    moves = [(TransferKind.TRADE, cash, position, paid, currency)]
    if fill.fee_currency == currency:
        moves.append((TransferKind.FEE, cash, position, fee, currency))
    elif fill.symbol != fill.fee_currency + currency:
        moves.append((TransferKind.FEE, cash, FEES, fee, fill.fee_currency))
    moves.append((TransferKind.REALISED, REALISED, position, realised, currency))
    return tuple(
        _signed(
            f"{kind}:{key}", fill.filled_at_ms, kind, source, target, amount, unit, fill.client_order_id,
            fill.venue_fill_id,
        )
        for kind, source, target, amount, unit in moves
        if amount
    )  # fmt: skip


def _signed(
    transfer_id: str,
    at_ms: int,
    kind: TransferKind,
    source: str,
    target: str,
    amount: Decimal,
    currency: str,
    client_order_id: str | None = None,
    venue_fill_id: str | None = None,
) -> Transfer:
    """A transfer of an amount that may be negative: it then goes the other way."""
    if amount < 0:
        source, target, amount = target, source, amount.copy_negate()
    return Transfer(
        transfer_id, at_ms, kind, source, target, amount, currency, client_order_id, venue_fill_id
    )
