"""Fills: each is booked once, with the position, the cash and the order's state in one transaction."""

from __future__ import annotations

import math
from dataclasses import asdict
from decimal import Decimal
from typing import Any

from trading.errors import BadData, HaltTrading
from trading.ledger.accounting import apply_fill, exact, postings
from trading.model.order import Fill, Order, OrderState, Side
from warehouse.ledger import audit, orders, portfolio
from warehouse.ledger.backend import Transaction

_COLUMNS = (
    "venue, venue_fill_id, client_order_id, symbol, side, quantity, price, fee, fee_currency,"
    " filled_at_ms, slippage_bps"
)


def record(tx: Transaction, fill: Fill, order: Order, at_ms: int, *, currency: str = "USDT") -> bool:
    """Book a fill of an order unless it is booked: the venue may report it any number of times.

    Updates the position, the cash postings, the order's state and the audit trail. A fill that
    arrives after the order ended (cancelled, say) is booked all the same; the end state stays.

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
    _insert(tx, fill, at_ms)
    held = portfolio.position(tx, order.desk, order.strategy_id, order.symbol)
    position, realised = apply_fill(
        held, fill, desk=order.desk, strategy_id=order.strategy_id, currency=currency
    )
    portfolio.store_position(tx, position, at_ms)
    portfolio.post(tx, postings(fill, currency))
    audit.append(tx, "fill", fill.client_order_id, {**asdict(fill), "realised_pnl": realised}, at_ms)
    _advance(tx, fill, at_ms)
    return True


def for_order(tx: Transaction, client_order_id: str) -> list[Fill]:
    """The fills of an order, oldest first."""
    rows = tx.query(
        f"select {_COLUMNS} from fills where client_order_id = :id order by filled_at_ms, venue_fill_id",
        {"id": client_order_id},
    )
    return [_fill(row) for row in rows]


def _require_match(fill: Fill, order: Order) -> None:
    for name in ("client_order_id", "venue", "symbol", "side"):
        if getattr(fill, name) != getattr(order, name):
            raise BadData(
                f"fill {fill.venue_fill_id}: {name} is {getattr(fill, name)}, the order's is {getattr(order, name)}"
            )


def _is_booked(tx: Transaction, fill: Fill) -> bool:
    rows = tx.query(
        f"select {_COLUMNS} from fills where venue = :venue and venue_fill_id = :id",
        {"venue": fill.venue, "id": fill.venue_fill_id},
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
    order = orders.by_id(tx, fill.client_order_id)
    if order is None:
        raise HaltTrading(f"order {fill.client_order_id} is not in the ledger: reconcile it with the venue")
    total = sum((booked.quantity for booked in for_order(tx, fill.client_order_id)), Decimal(0))
    if total > order.quantity:
        raise HaltTrading(
            f"order {order.client_order_id}: {total} filled of {order.quantity} ordered: reconcile it with the venue"
        )
    if order.state.terminal:
        return
    state = OrderState.FILLED if total == order.quantity else OrderState.PARTIALLY_FILLED
    orders.transition(tx, order.client_order_id, state, f"fill {fill.venue_fill_id}", at_ms)


def _fill(row: dict[str, Any]) -> Fill:
    slippage = row["slippage_bps"]
    return Fill(
        **{**row, "side": Side(row["side"]), "slippage_bps": math.nan if slippage is None else slippage}
    )
