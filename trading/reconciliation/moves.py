"""What the venue's movements of cash are in our books."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from trading.ledger.transfers import FEES, Transfer, TransferKind, deposit, free_cash, funding
from trading.model.account import CashKind, CashMove
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity, shown

#: What the fills say already: fees and results of trades.
_TOLD_BY_FILLS = frozenset({CashKind.FEE, CashKind.REALISED_PNL})
_PAID_IN = frozenset({CashKind.DEPOSIT, CashKind.WITHDRAWAL, CashKind.TRANSFER})


def transfer_of(move: CashMove, venue: str, account: str) -> Transfer | None:
    """The transfer that a movement is; None for what fills say already, and for an amount of 0.

    Deposits, withdrawals and transfers between wallets are capital, funding is funding, and what a
    liquidation or anything else took is a fee.
    """
    if move.kind in _TOLD_BY_FILLS or move.amount == 0:
        return None
    key = f"{move.symbol}:{move.currency}:{move.venue_move_id}"
    if move.kind in _PAID_IN:
        name = f"{venue}/{account}:{move.kind}:{key}"
        return deposit(name, venue, account, move.amount, move.currency, move.at_ms)
    if move.kind is CashKind.FUNDING:
        return funding(key, venue, account, move.amount, move.currency, move.at_ms)
    cash = free_cash(venue, account)
    paid = move.amount < 0
    return Transfer(
        f"fee:{venue}/{account}:{move.kind}:{key}",
        move.at_ms,
        TransferKind.FEE,
        cash if paid else FEES,
        FEES if paid else cash,
        move.amount.copy_abs(),
        move.currency,
    )


def compare_moves(
    moves: Iterable[CashMove], booked: Mapping[str, Transfer], venue: str, account: str
) -> tuple[list[Transfer], list[Break]]:
    """Transfers to post, each once, and movements that were booked otherwise."""
    fresh: dict[str, Transfer] = {}
    breaks: dict[str, Break] = {}
    for move in moves:
        transfer = transfer_of(move, venue, account)
        if transfer is None:
            continue
        other = booked.get(transfer.transfer_id) or fresh.get(transfer.transfer_id)
        if other is None:
            fresh[transfer.transfer_id] = transfer
        elif _content(other) != _content(transfer):
            breaks[transfer.transfer_id] = Break(
                BreakKind.MOVE_DIFFERS,
                transfer.transfer_id,
                "",
                BreakSeverity.BLOCKS,
                _shown(other),
                _shown(transfer),
            )
    return list(fresh.values()), list(breaks.values())


def _content(transfer: Transfer) -> tuple[object, ...]:
    return transfer.amount, transfer.currency, transfer.from_account, transfer.to_account


def _shown(transfer: Transfer) -> str:
    return (
        f"{shown(transfer.amount)} {transfer.currency} from {transfer.from_account} to {transfer.to_account}"
    )
