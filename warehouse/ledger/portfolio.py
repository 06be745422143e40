"""Positions, cash and equity."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from trading.errors import BadData, HaltTrading
from trading.ledger.accounting import Equity, Posting, PostingKind, exact, mark, rounded
from trading.model.canonical import canonical_json
from trading.model.interval import DAY_MS
from trading.model.order import OrderState
from trading.model.snapshot import Portfolio, Position
from warehouse.ledger import audit, orders
from warehouse.ledger.backend import Transaction

_POSITION = "desk, strategy_id, symbol, quantity, average_cost, opened_at_ms, realised_pnl"
_PENDING = tuple(state for state in OrderState if not state.terminal)


def load(
    tx: Transaction, prices: Mapping[str, Decimal | float], day_start_ms: int, *, currency: str = "USDT"
) -> Portfolio:
    """The account as it stands: cash, open positions, equity at the prices, pending symbols.

    A held symbol without a usable price counts at average cost; `trading.ledger.accounting.mark`
    lists such symbols.

    Parameters
    ----------
    prices
        Quote per base by symbol; NaN counts as absent.
    day_start_ms
        Midnight UTC of the day whose first equity record is the day's start.
    """
    held = positions(tx)
    marked = mark(held, cash(tx, currency), prices)
    pending = orders.in_states(tx, _PENDING)
    first = tx.query(
        "select equity from equity where at_ms >= :start and at_ms < :end order by at_ms, tick_id limit 1",
        {"start": day_start_ms, "end": day_start_ms + DAY_MS},
    )
    return Portfolio(
        cash=marked.cash,
        positions=held,
        equity=marked.equity,
        equity_day_start=first[0]["equity"] if first else None,
        pending_symbols=tuple(sorted({order.symbol for order in pending})),
        unknown_symbols=tuple(
            sorted({order.symbol for order in pending if order.state is OrderState.UNKNOWN})
        ),
    )


def positions(tx: Transaction) -> tuple[Position, ...]:
    """Open positions, by desk, strategy and symbol."""
    rows = tx.query(
        f"select {_POSITION} from positions where quantity <> 0 order by desk, strategy_id, symbol"
    )
    return tuple(Position(**row) for row in rows)


def position(tx: Transaction, desk: str, strategy_id: str, symbol: str) -> Position | None:
    """One position, open or closed; None when there never was one."""
    rows = tx.query(
        f"select {_POSITION} from positions"
        " where desk = :desk and strategy_id = :strategy_id and symbol = :symbol",
        {"desk": desk, "strategy_id": strategy_id, "symbol": symbol},
    )
    return Position(**rows[0]) if rows else None


def store_position(tx: Transaction, held: Position, at_ms: int) -> None:
    """Write a position in place of its former self; only booking a fill does this."""
    tx.execute(
        f"insert into positions ({_POSITION}, updated_at_ms) values (:desk, :strategy_id, :symbol, :quantity,"
        " :average_cost, :opened_at_ms, :realised_pnl, :updated_at_ms)"
        " on conflict (desk, strategy_id, symbol) do update set quantity = excluded.quantity,"
        " average_cost = excluded.average_cost, opened_at_ms = excluded.opened_at_ms,"
        " realised_pnl = excluded.realised_pnl, updated_at_ms = excluded.updated_at_ms",
        {**asdict(held), "updated_at_ms": at_ms},
    )


def cash(tx: Transaction, currency: str = "USDT") -> Decimal:
    """The cash balance: the sum of all postings in the currency."""
    rows = tx.query(
        "select coalesce(sum(amount), 0) as balance from cash_postings where currency = :currency",
        {"currency": currency},
    )
    return rounded(Decimal(rows[0]["balance"]))


def realised_pnl(tx: Transaction) -> Decimal:
    """Realised P&L of all positions ever held."""
    rows = tx.query("select coalesce(sum(realised_pnl), 0) as total from positions")
    return rounded(Decimal(rows[0]["total"]))


def post(tx: Transaction, movements: Iterable[Posting]) -> int:
    """Store cash postings that are not stored yet; returns how many were new."""
    return sum(
        tx.execute(
            "insert into cash_postings (posting_id, at_ms, kind, amount, currency, client_order_id, venue_fill_id)"
            " values (:posting_id, :at_ms, :kind, :amount, :currency, :client_order_id, :venue_fill_id)"
            " on conflict do nothing",
            asdict(posting),
        )
        for posting in movements
    )


def deposit(tx: Transaction, posting_id: str, amount: Decimal, currency: str, at_ms: int) -> bool:
    """Pay cash in (negative: out) under an id of the caller's; returns whether it was new.

    Raises
    ------
    BadData
        If the amount is zero or has more than 18 decimals.
    HaltTrading
        If the id was used for another amount or currency.
    """
    if amount == 0:
        raise BadData(f"deposit {posting_id}: amount is 0")
    posting = Posting(posting_id, at_ms, PostingKind.DEPOSIT, exact("deposit amount", amount), currency)
    if post(tx, [posting]):
        audit.append(tx, "deposit", posting_id, {"amount": amount, "currency": currency}, at_ms)
        return True
    booked = tx.query(
        "select amount, currency from cash_postings where posting_id = :id", {"id": posting_id}
    )[0]
    if (booked["amount"], booked["currency"]) != (posting.amount, currency):
        raise HaltTrading(
            f"deposit {posting_id} was booked as {booked['amount'].normalize():f} {booked['currency']}, "
            f"now it says {amount} {currency}: use a new id for a new deposit"
        )
    return False


def record_equity(tx: Transaction, tick_id: str, at_ms: int, marked: Equity) -> bool:
    """Store a tick's equity unless it is stored; returns whether it was new."""
    inserted = tx.execute(
        "insert into equity (tick_id, at_ms, cash, positions_value, equity, unpriced_symbols)"
        " values (:tick_id, :at_ms, :cash, :positions_value, :equity, :unpriced_symbols) on conflict do nothing",
        {
            "tick_id": tick_id,
            "at_ms": at_ms,
            "cash": rounded(marked.cash),
            "positions_value": rounded(marked.positions_value),
            "equity": rounded(marked.equity),
            "unpriced_symbols": canonical_json(marked.unpriced_symbols),
        },
    )
    return inserted == 1


def equity_curve(tx: Transaction, since_ms: int = 0) -> list[dict[str, Any]]:
    """Equity records from a moment on, oldest first."""
    return tx.query(
        "select tick_id, at_ms, cash, positions_value, equity, unpriced_symbols from equity"
        " where at_ms >= :since order by at_ms, tick_id",
        {"since": since_ms},
    )
