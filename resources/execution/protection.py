"""The protection step: every entry gets the stop and the take-profit that its decision named, and keeps them."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace

from resources.execution.cover import Bare, Cover, Rules, cover_of
from resources.execution.leasing import AccountHold, account_hold
from resources.execution.sender import Settled, cancel_at_venue, dispatch
from trading.errors import RetryLater
from trading.execution.lifecycle import Event, EventKind
from trading.model.order import OrderState
from trading.ports import Clock, Venue
from warehouse.ledger import orders
from warehouse.ledger.backend import Ledger
from warehouse.ledger.entries import Holding, protected_holdings

#: Times that one call goes over a holding: a proven cancel makes room for what takes its place.
_PASSES = 4


@dataclass(frozen=True, slots=True)
class Protected:
    """What a protection step did.

    Attributes
    ----------
    bare
        Entries that want a stop and have none at work at the end.
    postponed
        Why the venue took no orders; empty when it did.
    """

    placed: int = 0
    cancelled: int = 0
    new_fills: int = 0
    unknown: int = 0
    bare: tuple[Bare, ...] = ()
    postponed: str = ""


def protect(
    ledger: Ledger,
    venue: Venue,
    now_ms: int,
    rules: Rules,
    *,
    account: str = "main",
    clock: Clock | None = None,
    lease_clock: Clock | None = None,
    symbols: Collection[str] | None = None,
) -> Protected:
    """Bring the protective orders of an account in line with what its entries have filled and still hold.

    Wishes to cancel and new intents commit together, signed, before the venue hears of either; they are sent
    like every order, under the lease. A halt changes nothing here: these orders can only make a holding
    smaller. Killed anywhere and called again, it goes on from what the ledger says.

    Parameters
    ----------
    symbols
        Holdings of these only; None: all.

    Raises
    ------
    RetryLater
        If another sender works on the account.
    HaltTrading
        If a stored leg is not what the risk gate signed.
    """
    covers = _covers(ledger, venue.name, account, rules, now_ms, symbols)
    open_ends = [cover.holding for cover in covers if not cover.settled]
    if not open_ends:
        return Protected(bare=tuple(bare for cover in covers for bare in cover.bare))
    done = Protected()
    with account_hold(ledger, f"{venue.name}/{account}", clock=lease_clock) as hold:
        try:
            for holding in open_ends:
                done = _cover(hold, venue, holding, now_ms, rules, done, clock)
        except RetryLater as busy:
            done = replace(done, postponed=str(busy))
    covers = _covers(ledger, venue.name, account, rules, now_ms, symbols)
    return replace(done, bare=tuple(bare for cover in covers for bare in cover.bare))


def _covers(
    ledger: Ledger, venue: str, account: str, rules: Rules, now_ms: int, symbols: Collection[str] | None
) -> list[Cover]:
    with ledger.read() as tx:
        return [
            cover_of(tx, holding, rules, now_ms)
            for holding in protected_holdings(tx)
            if (holding.venue, holding.account) == (venue, account)
            and (symbols is None or holding.symbol in symbols)
        ]


def _cover(
    hold: AccountHold,
    venue: Venue,
    holding: Holding,
    now_ms: int,
    rules: Rules,
    done: Protected,
    clock: Clock | None,
) -> Protected:
    for _ in range(_PASSES):
        cover = _committed(hold, holding, now_ms, rules)
        if cover.settled:
            break
        booked = sum(_cancel(hold, venue, name, now_ms) for name in cover.cancel)
        ids = (*cover.waiting, *(leg.client_order_id for leg in cover.place))
        sent = dispatch(hold, venue, ids, now_ms, key=rules.key, clock=clock) if ids else Settled()
        done = replace(
            done,
            placed=done.placed + sent.sent,
            cancelled=done.cancelled + len(cover.cancel),
            new_fills=done.new_fills + booked + sent.new_fills,
            unknown=done.unknown + sent.unknown,
        )
        if not (cover.cancel or sent.sent or sent.cancelled):
            break
    return done


def _committed(hold: AccountHold, holding: Holding, now_ms: int, rules: Rules) -> Cover:
    """Commit what is to be cancelled and placed, together."""
    with hold.transaction() as tx:
        cover = cover_of(tx, holding, rules, now_ms)
        for name in cover.cancel:
            wish = Event(EventKind.REQUEST_CANCEL, "it covers more than is held")
            orders.append(tx, orders.require(tx, name), wish, now_ms)
        orders.commit_orders(tx, cover.place, now_ms, currency=rules.currency)
    return cover


def _cancel(hold: AccountHold, venue: Venue, client_order_id: str, now_ms: int) -> int:
    with hold.ledger.read() as tx:
        order = orders.require(tx, client_order_id)
    if order.state not in (OrderState.OPEN, OrderState.PARTIALLY_FILLED):
        return 0  # it was never sent, or is cancelled once it turns up
    return cancel_at_venue(hold.ledger, venue, order, now_ms)
