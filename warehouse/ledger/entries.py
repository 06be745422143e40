"""Entries with what protects them: the orders behind a holding, and their stops and take-profits."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass
from decimal import Decimal

from trading.execution.lifecycle import Life
from trading.execution.links import BY_HAND, PROTECTIVE, Leg, in_order
from trading.model.order import Order, OrderRole, OrderState, Side
from warehouse.ledger import order_history, orders
from warehouse.ledger.backend import Transaction
from warehouse.ledger.lookup import in_chunks

_LIVE = ", ".join(f"'{state}'" for state in OrderState if not state.terminal)
_ROLES = ", ".join(f"'{role}'" for role in sorted(PROTECTIVE))
_KEY = ("venue", "account", "desk", "strategy_id", "symbol")
_ENTRIES = f"""
    with own as (
        select client_order_id, parent_id, role, state, side, reduce_only, created_at_ms, decision_id from orders
        where venue = :venue and account = :account and desk = :desk and strategy_id = :strategy_id
            and symbol = :symbol
    ), filled as (
        select client_order_id, sum(quantity) as quantity,
            sum(case when fee_currency <> :currency and symbol = fee_currency || :currency then fee else 0 end) as fees
        from fills where symbol = :symbol group by client_order_id
    ), legs as (
        select o.parent_id, coalesce(sum(f.quantity), 0) as closed,
            max(case when o.state in ({_LIVE}) then 1 else 0 end) as live
        from own o left join filled f on f.client_order_id = o.client_order_id
        where o.role in ({_ROLES}) group by o.parent_id
    )
    select o.client_order_id, o.side, d.stop_price, d.take_profit_price, f.quantity - f.fees as bought,
        coalesce(l.closed, 0) as closed, coalesce(l.live, 0) as live
    from own o
    left join filled f on f.client_order_id = o.client_order_id
    left join legs l on l.parent_id = o.client_order_id
    left join decisions d on d.decision_id = o.decision_id
    where not o.reduce_only and (f.quantity is not null or l.live = 1)
    order by o.created_at_ms desc, o.client_order_id desc
"""


@dataclass(frozen=True, slots=True, order=True)
class Holding:
    """What a desk's strategy holds of a symbol, at a venue's account."""

    venue: str
    account: str
    desk: str
    strategy_id: str
    symbol: str


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry that has filled, with what its decision said of protection.

    Attributes
    ----------
    bought
        What its fills brought (base): fees in the base currency are off.
    stop_price, take_profit_price
        Quote, as decided; NaN: none.
    legs
        Its protective orders, live or not, from the first of each role to the newest.
    """

    order: Order
    life: Life
    bought: Decimal
    stop_price: float
    take_profit_price: float
    legs: tuple[Leg, ...]

    @property
    def unclosed(self) -> Decimal:
        """What its own legs have not closed yet; other orders may have closed it all the same."""
        return self.bought - sum((leg.life.filled for leg in self.legs), Decimal(0))

    @property
    def wants_stop(self) -> bool:
        """Whether its decision named a stop that nobody has taken off."""
        return math.isfinite(self.stop_price) and not self.taken_off(OrderRole.STOP)

    def taken_off(self, role: OrderRole) -> bool:
        """Whether a person has cancelled a leg and put no other in its place."""
        newest = next((leg for leg in reversed(self.legs) if leg.order.role is role), None)
        return newest is not None and newest.by_hand

    @property
    def has_live_legs(self) -> bool:
        """Whether a protective order of it has not ended."""
        return any(not leg.life.state.terminal for leg in self.legs)


def protected_holdings(tx: Transaction) -> list[Holding]:
    """Open holdings with an entry that wants protection, and those with a protective order that has not ended."""
    columns = "o.venue, o.account, o.desk, o.strategy_id, o.symbol"
    rows = tx.query(
        f"select distinct {columns} from positions p"
        " join orders o on o.desk = p.desk and o.strategy_id = p.strategy_id and o.symbol = p.symbol"
        " join decisions d on d.decision_id = o.decision_id"
        " where p.quantity <> 0 and not o.reduce_only"
        " and (d.stop_price is not null or d.take_profit_price is not null)"
        f" union select {columns} from orders o where o.role in ({_ROLES}) and o.state in ({_LIVE})"
    )
    return sorted(Holding(**row) for row in rows)


def entries_of(
    tx: Transaction, holding: Holding, held: Decimal, *, opening: Side, currency: str = "USDT"
) -> list[Entry]:
    """The newest entries of a holding that together brought what is held, and those with live legs; newest first.

    Parameters
    ----------
    held
        Quantity (base, unsigned) to look for.
    opening
        Side of the entries that brought it.
    currency
        What the symbol is quoted in.
    """
    rows = tx.query(_ENTRIES, {**{name: getattr(holding, name) for name in _KEY}, "currency": currency})
    wanted = []
    for row in rows:
        unclosed = (
            Decimal(row["bought"] or 0) - Decimal(row["closed"]) if row["side"] == opening else Decimal(0)
        )
        if row["live"] or (held > 0 and unclosed > 0):
            wanted.append(row)
            held -= max(unclosed, Decimal(0))
    ids = [row["client_order_id"] for row in wanted]
    found = orders.by_ids(tx, ids)
    lives = order_history.lives(tx, found.values())
    legs = legs_of(tx, ids)
    return [
        Entry(
            order=found[row["client_order_id"]],
            life=lives[row["client_order_id"]],
            bought=Decimal(row["bought"] or 0),
            stop_price=_nan(row["stop_price"]),
            take_profit_price=_nan(row["take_profit_price"]),
            legs=legs[row["client_order_id"]],
        )
        for row in wanted
    ]


def legs_of(tx: Transaction, parent_ids: Collection[str]) -> dict[str, tuple[Leg, ...]]:
    """The protective orders of entries, by entry; from the first of each role to the newest."""
    ids = [
        row["client_order_id"]
        for row in in_chunks(
            tx, f"select client_order_id from orders where role in ({_ROLES}) and parent_id in", parent_ids
        )
    ]
    linked = orders.by_ids(tx, ids)
    lives = order_history.lives(tx, linked.values())
    causes = in_chunks(tx, "select client_order_id, cause from order_events where client_order_id in", ids)
    by_hand = {row["client_order_id"] for row in causes if row["cause"].startswith(BY_HAND)}
    legs = {name: Leg(order, lives[name], name in by_hand) for name, order in linked.items()}
    return {
        parent: tuple(in_order(parent, (leg for leg in legs.values() if leg.order.parent_id == parent)))
        for parent in parent_ids
    }


def _nan(price: float | None) -> float:
    return math.nan if price is None else price
