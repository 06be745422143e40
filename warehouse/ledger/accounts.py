"""A venue's account as the ledger has it, for comparison, and how far the account has been read."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trading.ledger.transfers import CASH, Transfer, TransferKind
from trading.model.order import Fill, OrderState
from trading.reconciliation.moves import transfer_of
from trading.reconciliation.state import LocalOrder, LocalState, VenueState
from warehouse.ledger import cash, fills, order_history, orders, portfolio
from warehouse.ledger.backend import Transaction
from warehouse.ledger.lookup import in_chunks

_LIVE = tuple(state for state in OrderState if not state.terminal)


@dataclass(frozen=True, slots=True)
class ReadUntil:
    """Since when an account is reconciled, and until when its fills and movements are known to be complete."""

    opened_at_ms: int
    read_until_ms: int


def read_until(tx: Transaction, venue: str, account: str) -> ReadUntil | None:
    """How far an account has been read; None for one that was never reconciled."""
    rows = tx.query(
        "select opened_at_ms, read_until_ms from reconciled_accounts where venue = :venue and account = :account",
        {"venue": venue, "account": account},
    )
    return ReadUntil(**rows[0]) if rows else None


def store_read_until(tx: Transaction, venue: str, account: str, read: ReadUntil, at_ms: int) -> None:
    """Note how far an account has been read."""
    tx.execute(
        "insert into reconciled_accounts (venue, account, opened_at_ms, read_until_ms, checked_at_ms)"
        " values (:venue, :account, :opened_at_ms, :read_until_ms, :at_ms)"
        " on conflict (venue, account) do update set read_until_ms = excluded.read_until_ms,"
        " checked_at_ms = excluded.checked_at_ms",
        {
            "venue": venue,
            "account": account,
            "opened_at_ms": read.opened_at_ms,
            "read_until_ms": read.read_until_ms,
            "at_ms": at_ms,
        },
    )


def has_history(tx: Transaction, venue: str, account: str) -> bool:
    """Whether the ledger has any money, order or fill of an account."""
    names = {"venue": venue, "account": account, "cash": f"{CASH}%:{venue}/{account}"}
    rows = tx.query(
        "select (select count(*) from orders where venue = :venue and account = :account)"
        " + (select count(*) from fills where venue = :venue and account = :account)"
        " + (select count(*) from transfers where to_account like :cash or from_account like :cash) as found",
        names,
    )
    return bool(rows[0]["found"])


def symbols(tx: Transaction, venue: str, account: str, currency: str) -> set[str]:
    """Symbols that the ledger has something open in: quantity, or an order that has not ended."""
    held = {name for name, net in fills.net_quantities(tx, venue, account, currency).items() if net}
    live = {
        order.symbol
        for order in orders.in_states(tx, _LIVE)
        if (order.venue, order.account) == (venue, account)
    }
    return held | live


def load(tx: Transaction, venue: VenueState, currency: str) -> LocalState:
    """The ledger's side of an account, as far as the venue's answer asks for it."""
    name, account = venue.venue, venue.account
    booked = fills.by_ids(tx, name, account, [item.venue_fill_id for item in venue.fills])
    return LocalState(
        currency=currency,
        orders=_orders(tx, name, account, _named(tx, venue, booked)),
        booked=booked,
        net=fills.net_quantities(tx, name, account, currency),
        cash=cash.of_account(tx, name, account),
        moves=_moves(tx, venue),
        holdings=portfolio.positions(tx),
    )


def _named(tx: Transaction, venue: VenueState, booked: Mapping[str, Fill]) -> set[str]:
    """Orders that the venue's open orders and new fills name, or may turn out to be about."""
    fresh = [item for item in venue.fills if item.venue_fill_id not in booked]
    wanted = {item.client_order_id for item in venue.orders} | {item.client_order_id for item in fresh}
    nameless = {item.venue_order_id for item in fresh if not item.client_order_id}
    if nameless:
        wanted |= {
            booked[item.venue_fill_id].client_order_id
            for item in venue.fills
            if item.venue_fill_id in booked and item.venue_order_id in nameless
        }
        wanted |= orders.changed_since(tx, venue.taken_at_ms - venue.lag_ms)
    return wanted


def _orders(tx: Transaction, venue: str, account: str, ids: Collection[str]) -> dict[str, LocalOrder]:
    live = {order.client_order_id: order for order in orders.in_states(tx, _LIVE)}
    live |= orders.by_ids(tx, [name for name in ids if name not in live])
    changed = {
        row["client_order_id"]: row["at_ms"]
        for row in in_chunks(
            tx, "select client_order_id, updated_at_ms as at_ms from orders where client_order_id in", live
        )
    }
    return {
        key: LocalOrder(
            order, order_history.life(tx, order), order_history.sending_at_ms(tx, key), changed[key]
        )
        for key, order in live.items()
        if (order.venue, order.account) == (venue, account)
    }


def _moves(tx: Transaction, venue: VenueState) -> dict[str, Transfer]:
    made = (transfer_of(move, venue.venue, venue.account) for move in venue.moves)
    ids = [transfer.transfer_id for transfer in made if transfer is not None]
    columns = "transfer_id, at_ms, kind, from_account, to_account, amount, currency"
    rows = in_chunks(tx, f"select {columns} from transfers where transfer_id in", ids)
    return {
        row["transfer_id"]: Transfer(
            **{**row, "kind": TransferKind(row["kind"]), "amount": Decimal(row["amount"])}
        )
        for row in rows
    }
