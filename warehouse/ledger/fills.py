"""Fills: each is booked once, with the position, the cash and the order's state in one transaction."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from trading.errors import BadData, HaltTrading
from trading.execution.lifecycle import Event, EventKind
from trading.ledger import transfers
from trading.ledger.accounting import apply_fill, exact, replay, rounded
from trading.model.account import FillCause
from trading.model.order import Fill, Order, Side
from trading.model.series import Market
from trading.model.snapshot import Position
from warehouse.ledger import audit, cash, order_history, orders, portfolio
from warehouse.ledger.backend import Transaction
from warehouse.ledger.lookup import in_chunks

_COLUMNS = (
    "venue, account, venue_fill_id, client_order_id, symbol, side, quantity, price, fee, fee_currency,"
    " filled_at_ms, slippage_bps"
)


@dataclass(frozen=True, slots=True)
class Owner:
    """Whose position a fill changes, and whether it may be sold short."""

    desk: str
    strategy_id: str
    shorts: bool


def record(tx: Transaction, fill: Fill, order: Order, at_ms: int, *, currency: str = "USDT") -> bool:
    """Book a fill of an order unless it is booked: the venue may report it any number of times.

    Updates the position, the cash, the order's state and the audit trail. A fill that arrives after the
    order ended (cancelled, say) is booked all the same; the end state stays. Fills lead to the same
    position in whatever order they arrive: one that is older than the newest makes the position anew.

    Parameters
    ----------
    order
        The order that the fill belongs to; its state is read from the ledger.
    at_ms
        When the ledger learns of the fill.
    currency
        The account's currency, in which positions are valued.

    Returns
    -------
    bool
        Whether the fill was new.

    Raises
    ------
    HaltTrading
        If the same fill id was booked with other content, more is filled than was ordered, more
        is sold than held, or the order was never sent.
    BadData
        If the fill is not the order's, or its amounts have more than 18 decimals.
    """
    _require_match(fill, order)
    if _is_booked(tx, fill):
        return False
    owner = Owner(order.desk, order.strategy_id, order.market is not Market.SPOT)
    realised = _book(tx, fill, owner, at_ms, currency)
    audit.append(tx, "fill", fill.client_order_id, {**asdict(fill), "realised_pnl": realised}, at_ms)
    _advance(tx, fill, at_ms)
    return True


def adopt(
    tx: Transaction,
    fill: Fill,
    owner: Owner,
    *,
    cause: FillCause,
    venue_order_id: str,
    at_ms: int,
    currency: str = "USDT",
    told: bool = False,
) -> bool:
    """Book a fill that no order of ours brought about, unless it is booked; returns whether it was new.

    Parameters
    ----------
    told
        Whether people know of it already.

    Raises
    ------
    HaltTrading
        If the same fill id was booked with other content.
    BadData
        If its amounts have more than 18 decimals.
    """
    if _is_booked(tx, fill):
        return False
    tx.execute(
        "insert into foreign_fills (venue, account, venue_fill_id, venue_order_id, cause, desk, strategy_id,"
        " adopted_at_ms, told_at_ms) values (:venue, :account, :venue_fill_id, :venue_order_id, :cause, :desk,"
        " :strategy_id, :at_ms, :told_at_ms)",
        {
            "venue": fill.venue,
            "account": fill.account,
            "venue_fill_id": fill.venue_fill_id,
            "venue_order_id": venue_order_id,
            "cause": cause,
            "desk": owner.desk,
            "strategy_id": owner.strategy_id,
            "at_ms": at_ms,
            "told_at_ms": at_ms if told else None,
        },
    )
    realised = _book(tx, fill, owner, at_ms, currency)
    content = {**asdict(fill), "cause": cause, "desk": owner.desk, "realised_pnl": realised}
    audit.append(tx, "foreign_fill", fill.client_order_id, content, at_ms)
    return True


def untold(tx: Transaction) -> list[tuple[Fill, FillCause, str]]:
    """Foreign fills that nobody has been told of, with their cause and desk, oldest first."""
    rows = tx.query("select * from foreign_fills where told_at_ms is null")
    labels = {(row["venue"], row["account"], row["venue_fill_id"]): row for row in rows}
    found = []
    for venue, account in sorted({key[:2] for key in labels}):
        ids = [key[2] for key in labels if key[:2] == (venue, account)]
        for fill in by_ids(tx, venue, account, ids).values():
            label = labels[venue, account, fill.venue_fill_id]
            found.append((fill, FillCause(label["cause"]), str(label["desk"])))
    return sorted(found, key=lambda item: (item[0].filled_at_ms, item[0].venue_fill_id))


def mark_told(tx: Transaction, fill: Fill, at_ms: int) -> None:
    """Note that people have been told of a foreign fill."""
    tx.execute(
        "update foreign_fills set told_at_ms = :at_ms where venue = :venue and account = :account"
        " and venue_fill_id = :venue_fill_id",
        {"at_ms": at_ms, "venue": fill.venue, "account": fill.account, "venue_fill_id": fill.venue_fill_id},
    )


def net_quantities(tx: Transaction, venue: str, account: str, currency: str = "USDT") -> dict[str, Decimal]:
    """What the fills of a venue's account add up to by symbol (base, signed), fees in the base taken off."""
    rows = tx.query(
        "select symbol, sum(case when side = 'buy' then quantity else -quantity end)"
        " - sum(case when fee_currency <> :currency and symbol = fee_currency || :currency then fee else 0 end)"
        " as net from fills where venue = :venue and account = :account group by symbol",
        {"venue": venue, "account": account, "currency": currency},
    )
    return {row["symbol"]: rounded(Decimal(row["net"])) for row in rows}


def by_ids(tx: Transaction, venue: str, account: str, ids: Collection[str]) -> dict[str, Fill]:
    """The booked ones of an account's fills, by venue fill id."""
    found = {}
    for row in in_chunks(
        tx, f"select {_COLUMNS} from fills where venue = :venue and account = :account and venue_fill_id in", ids,
        {"venue": venue, "account": account},
    ):  # fmt: skip
        found[row["venue_fill_id"]] = _fill(row)
    return found


def for_order(tx: Transaction, client_order_id: str) -> list[Fill]:
    """The fills of an order, oldest first."""
    rows = tx.query(
        f"select {_COLUMNS} from fills where client_order_id = :id order by filled_at_ms, venue_fill_id",
        {"id": client_order_id},
    )
    return [_fill(row) for row in rows]


def _book(tx: Transaction, fill: Fill, owner: Owner, at_ms: int, currency: str) -> Decimal:
    """Store a fill with its position and its cash; returns what it realised."""
    _insert(tx, fill, at_ms)
    held = portfolio.position(tx, owner.desk, owner.strategy_id, fill.symbol)
    position, newest_ms = _position_after(tx, held, fill, owner, currency)
    realised = position.realised_pnl - (held.realised_pnl if held else 0)
    portfolio.store_position(tx, position, newest_ms, at_ms)
    cash.post(tx, transfers.of_fill(fill, owner, realised, currency))
    return realised


def _require_match(fill: Fill, order: Order) -> None:
    for name in ("client_order_id", "venue", "account", "symbol", "side"):
        if getattr(fill, name) != getattr(order, name):
            raise BadData(
                f"fill {fill.venue_fill_id}: {name} is {getattr(fill, name)}, the order's is {getattr(order, name)}"
            )


def _is_booked(tx: Transaction, fill: Fill) -> bool:
    rows = tx.query(
        f"select {_COLUMNS} from fills where venue = :venue and account = :account and venue_fill_id = :id",
        {"venue": fill.venue, "account": fill.account, "id": fill.venue_fill_id},
    )
    if not rows:
        return False
    booked = _fill(rows[0])
    for name in ("client_order_id", "symbol", "side", "quantity", "price", "fee", "fee_currency"):
        if getattr(booked, name) != getattr(fill, name):
            raise HaltTrading(
                f"fill {fill.venue_fill_id} of {fill.venue} was booked with {name} {getattr(booked, name)}, "
                f"now it says {getattr(fill, name)}: reconcile it with the venue"
            )
    return True


def _insert(tx: Transaction, fill: Fill, at_ms: int) -> None:
    row = asdict(fill)
    for name in ("quantity", "price", "fee"):
        row[name] = exact(f"fill {fill.venue_fill_id}: {name}", row[name])
    places = ", ".join(f":{name}" for name in _COLUMNS.split(", "))
    tx.execute(
        f"insert into fills ({_COLUMNS}, recorded_at_ms) values ({places}, :recorded_at_ms)",
        {**row, "recorded_at_ms": at_ms},
    )


def _advance(tx: Transaction, fill: Fill, at_ms: int) -> None:
    order = orders.require(tx, fill.client_order_id)
    life = order_history.life(tx, order)  # with this fill, which is in the table by now
    event = Event(EventKind.FILL, f"fill {fill.venue_fill_id}", fill.quantity)
    before = replace(life, filled=life.filled - fill.quantity)
    orders.append(tx, order, event, at_ms, before=before)
    if not order.state.terminal:
        cause = f"fill:{fill.venue}/{fill.account}:{fill.venue_fill_id}"
        cash.release_surplus(tx, order, life.filled, cause, at_ms)


def _position_after(
    tx: Transaction, held: Position | None, fill: Fill, owner: Owner, currency: str
) -> tuple[Position, int | None]:
    """The position with the fill, and the time of its newest fill; None while its fills make no sense in order.

    A sale may be reported before the purchase that it sold: until that comes, fills count as they arrive.
    """
    newest_ms = portfolio.last_filled_at_ms(tx, owner.desk, owner.strategy_id, fill.symbol)
    in_order = held is None or (newest_ms is not None and fill.filled_at_ms > newest_ms)
    if not in_order:
        booked = _of_position(tx, owner, fill.symbol)
        held_by = ((each, owner.desk, owner.strategy_id) for each in booked)
        try:
            again = replay(held_by, currency, shorts=owner.shorts)
        except HaltTrading:
            again = None
        if again is not None:
            return again, max(each.filled_at_ms for each in booked)
    position, _ = apply_fill(
        held,
        fill,
        desk=owner.desk,
        strategy_id=owner.strategy_id,
        currency=currency,
        shorts=owner.shorts,
    )
    return position, fill.filled_at_ms if in_order else None


def _of_position(tx: Transaction, owner: Owner, symbol: str) -> list[Fill]:
    adopted = "a.venue = f.venue and a.account = f.account and a.venue_fill_id = f.venue_fill_id"
    rows = tx.query(
        f"select {_COLUMNS} from fills f where symbol = :symbol and (client_order_id in"
        " (select client_order_id from orders"
        " where desk = :desk and strategy_id = :strategy_id and symbol = :symbol)"
        f" or exists (select 1 from foreign_fills a where {adopted}"
        " and a.desk = :desk and a.strategy_id = :strategy_id))",
        {"desk": owner.desk, "strategy_id": owner.strategy_id, "symbol": symbol},
    )
    return [_fill(row) for row in rows]


def _fill(row: dict[str, Any]) -> Fill:
    slippage = row["slippage_bps"]
    return Fill(
        **{**row, "side": Side(row["side"]), "slippage_bps": math.nan if slippage is None else slippage}
    )
