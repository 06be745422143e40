"""The cash ledger in double entry; what moves where is decided by `trading.ledger.transfers`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict
from decimal import Decimal

from trading.errors import HaltTrading
from trading.ledger import transfers
from trading.ledger.accounting import rounded, short_cost
from trading.ledger.transfers import CASH, RESERVED, Transfer, TransferKind, free_cash, reserved_cash
from trading.model.order import Order
from trading.model.snapshot import Position
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction

_COLUMNS = (
    "transfer_id, at_ms, kind, from_account, to_account, amount, currency, client_order_id, venue_fill_id"
)
_PAGE = 5_000
_BELOW = "starts_with({}, :name)"


def post(tx: Transaction, moves: Iterable[Transfer]) -> None:
    """Append transfers to the log; an id that is there already breaks the table's key."""
    last = tx.query("select coalesce(max(sequence), 0) as last from transfers")[0]["last"]
    places = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
    rows = [{**asdict(move), "sequence": last + number} for number, move in enumerate(moves, start=1)]
    for row in rows:
        row["kind"] = row["kind"].value
    tx.execute_many(f"insert into transfers ({_COLUMNS}, sequence) values ({places}, :sequence)", rows)


def post_once(tx: Transaction, move: Transfer) -> bool:
    """Append a transfer that came from outside unless it is there; returns whether it was new.

    Raises
    ------
    HaltTrading
        If its id was used for another amount, currency or account.
    """
    subject = move.transfer_id.partition(":")[2]
    rows = tx.query(
        "select amount, currency, from_account, to_account from transfers where transfer_id = :id",
        {"id": move.transfer_id},
    )
    if not rows:
        post(tx, [move])
        audit.append(tx, move.kind, subject, asdict(move), move.at_ms)
        return True
    booked = rows[0]
    if any(booked[name] != getattr(move, name) for name in booked):
        raise HaltTrading(
            f"{move.kind} {subject} was booked as {_shown(booked['amount'], booked['currency'])}, "
            f"now it says {_shown(move.amount, move.currency)} from {move.from_account} to {move.to_account}: "
            "use a new id for a new one"
        )
    return False


def free(tx: Transaction, venue: str, account: str, currency: str) -> Decimal:
    """Cash at a venue's account that no open order may spend."""
    return _held(tx, "{} = :name", free_cash(venue, account), currency)


def spendable(tx: Transaction, venue: str, account: str, currency: str) -> Decimal:
    """Free cash less what shorts tie up: what they brought in is not ours, and as much again stands behind it."""
    shorts = tx.query(
        "select desk, strategy_id, symbol, quantity, average_cost, opened_at_ms, realised_pnl from positions"
        " where symbol in (select symbol from positions group by symbol having sum(quantity) < 0)"
    )
    return free(tx, venue, account, currency) - 2 * short_cost(Position(**row) for row in shorts)


def of_account(tx: Transaction, venue: str, account: str) -> dict[str, Decimal]:
    """Cash and coins at a venue's account by currency, reserved or not; what positions cost is no part of it."""
    names = {"free": free_cash(venue, account), "reserved": reserved_cash(venue, account)}
    rows = tx.query(
        "select currency, sum(case when to_account in (:free, :reserved) then amount else 0 end)"
        " - sum(case when from_account in (:free, :reserved) then amount else 0 end) as held"
        " from transfers where to_account in (:free, :reserved) or from_account in (:free, :reserved)"
        " group by currency",
        names,
    )
    return {row["currency"]: rounded(Decimal(row["held"])) for row in rows}


def total(tx: Transaction, currency: str) -> Decimal:
    """All cash in a currency, reserved or not, of all venues."""
    return _held(tx, _BELOW, CASH, currency)


def reserved(tx: Transaction, currency: str) -> Decimal:
    """Cash that open orders of all venues may still spend."""
    return _held(tx, _BELOW, RESERVED, currency)


def release_surplus(tx: Transaction, order: Order, filled: Decimal, cause_id: str, at_ms: int) -> None:
    """Give back what an order's reservation holds beyond the share of what is left to fill."""
    row = tx.query(
        "select min(currency) as currency,"
        " coalesce(sum(case when kind = 'reserve' then amount else 0 end), 0) as reserved,"
        " coalesce(sum(case when kind = 'release' then amount else 0 end), 0) as released"
        " from transfers where client_order_id = :id and kind in ('reserve', 'release')",
        {"id": order.client_order_id},
    )[0]
    if row["currency"] is None:
        return
    first = rounded(Decimal(row["reserved"]))
    surplus = rounded(first - Decimal(row["released"])) - transfers.kept_reserved(order, first, filled)
    post(tx, transfers.release(cause_id, order, surplus, row["currency"], at_ms))


def balances(tx: Transaction) -> dict[tuple[str, str], Decimal]:
    """What each account holds, by (account, currency)."""
    rows = tx.query(
        "select account, currency, sum(amount) as amount from ("
        " select to_account as account, currency, amount from transfers"
        " union all select from_account, currency, -amount from transfers) as moved"
        " group by account, currency order by account, currency"
    )
    return {(row["account"], row["currency"]): rounded(Decimal(row["amount"])) for row in rows}


def log(tx: Transaction) -> Iterator[Transfer]:
    """Every transfer in the order of booking."""
    after = 0
    while True:
        rows = tx.query(
            f"select {_COLUMNS}, sequence from transfers where sequence > :after order by sequence limit {_PAGE}",
            {"after": after},
        )
        for row in rows:
            after = row.pop("sequence")
            yield Transfer(**{**row, "kind": TransferKind(row["kind"])})
        if len(rows) < _PAGE:
            return


def _held(tx: Transaction, matches: str, name: str, currency: str) -> Decimal:
    row = tx.query(
        f"select coalesce(sum(case when {matches.format('to_account')} then amount else 0 end), 0)"
        f" - coalesce(sum(case when {matches.format('from_account')} then amount else 0 end), 0) as held"
        " from transfers where currency = :currency",
        {"name": name, "currency": currency},
    )[0]
    return rounded(Decimal(row["held"]))


def _shown(amount: Decimal, currency: str) -> str:
    return f"{amount.normalize():f} {currency}"
