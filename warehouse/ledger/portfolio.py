"""Positions, cash and equity."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from trading.execution.links import rests_as_protection
from trading.ledger import transfers
from trading.ledger.accounting import Equity, mark, rounded
from trading.model.canonical import canonical_json
from trading.model.interval import DAY_MS
from trading.model.order import OrderState
from trading.model.snapshot import Portfolio, Position
from warehouse.ledger import breaks, orders
from warehouse.ledger import cash as cash_book
from warehouse.ledger.backend import Transaction

_POSITION = "desk, strategy_id, symbol, quantity, average_cost, opened_at_ms, realised_pnl"
_PENDING = tuple(state for state in OrderState if not state.terminal)
# An order found in *sending* was under way when its sender died: nobody knows more of it.
_IN_DOUBT = (OrderState.SENDING, OrderState.UNKNOWN)


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
    broken_symbols, account_breaks = breaks.blocking(tx)
    first = tx.query(
        "select equity from equity where at_ms >= :start and at_ms < :end order by at_ms, tick_id limit 1",
        {"start": day_start_ms, "end": day_start_ms + DAY_MS},
    )
    return Portfolio(
        cash=marked.cash,
        positions=held,
        equity=marked.equity,
        equity_day_start=first[0]["equity"] if first else None,
        pending_symbols=tuple(sorted({order.symbol for order in pending if not rests_as_protection(order)})),
        unknown_symbols=tuple(sorted({order.symbol for order in pending if order.state in _IN_DOUBT})),
        pending_buy_amount=cash_book.reserved(tx, currency),
        broken_symbols=broken_symbols,
        account_breaks=account_breaks,
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


def quantity_of(tx: Transaction, symbol: str, desks: Collection[str]) -> Decimal:
    """Quantity (base, signed) that some desks hold of a symbol together."""
    held = (each.quantity for each in positions(tx) if each.symbol == symbol and each.desk in desks)
    return sum(held, Decimal(0))


def last_filled_at_ms(tx: Transaction, desk: str, strategy_id: str, symbol: str) -> int | None:
    """Time of the newest fill of a position; None when there is none, or its fills make no sense in order yet."""
    rows = tx.query(
        "select last_filled_at_ms from positions"
        " where desk = :desk and strategy_id = :strategy_id and symbol = :symbol",
        {"desk": desk, "strategy_id": strategy_id, "symbol": symbol},
    )
    return rows[0]["last_filled_at_ms"] if rows else None


def store_position(tx: Transaction, held: Position, newest_fill_ms: int | None, at_ms: int) -> None:
    """Write a position in place of its former self; only booking a fill does this."""
    tx.execute(
        f"insert into positions ({_POSITION}, last_filled_at_ms, updated_at_ms) values (:desk, :strategy_id,"
        " :symbol, :quantity, :average_cost, :opened_at_ms, :realised_pnl, :newest_fill_ms, :updated_at_ms)"
        " on conflict (desk, strategy_id, symbol) do update set quantity = excluded.quantity,"
        " average_cost = excluded.average_cost, opened_at_ms = excluded.opened_at_ms,"
        " realised_pnl = excluded.realised_pnl, updated_at_ms = excluded.updated_at_ms,"
        " last_filled_at_ms = excluded.last_filled_at_ms",
        {**asdict(held), "newest_fill_ms": newest_fill_ms, "updated_at_ms": at_ms},
    )


def cash(tx: Transaction, currency: str = "USDT") -> Decimal:
    """The cash balance in a currency, reserved or not, of all venues."""
    return cash_book.total(tx, currency)


def realised_pnl(tx: Transaction) -> Decimal:
    """Realised P&L of all positions ever held."""
    rows = tx.query("select coalesce(sum(realised_pnl), 0) as total from positions")
    return rounded(Decimal(rows[0]["total"]))


def deposit(
    tx: Transaction,
    deposit_id: str,
    amount: Decimal,
    currency: str,
    at_ms: int,
    *,
    venue: str = "paper",
    account: str = "main",
) -> bool:
    """Pay cash in (negative: out) under an id of the caller's; returns whether it was new.

    Raises
    ------
    BadData
        If the amount is zero or has more than 18 decimals.
    HaltTrading
        If the id was used for another amount or currency.
    """
    return cash_book.post_once(tx, transfers.deposit(deposit_id, venue, account, amount, currency, at_ms))


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
