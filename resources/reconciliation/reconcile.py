"""Reconciling an account: settle, read, compare, book, and keep what disagrees."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from resources.execution.sender import settle
from resources.reconciliation.booking import RefusedFillError, book_findings, book_opening
from resources.reconciliation.reading import Question, read_account
from trading.errors import HaltTrading, RetryLater
from trading.ports import Account, Clock, Venue
from trading.reconciliation.breaks import Break, BreakKind, BreakSeverity
from trading.reconciliation.compare import compare
from trading.reconciliation.opening import opening
from trading.reconciliation.state import ForeignFill, VenueState
from warehouse.ledger import accounts, breaks
from warehouse.ledger.accounts import ReadUntil
from warehouse.ledger.backend import Ledger, Transaction

#: How far back fills and movements are read again each time: venues list some of them late.
LOOKBACK_MS = 3_600_000
#: Looks at the venue before a disagreement counts: the first may have caught a trade in the middle.
_LOOKS = 2
#: Fills that the books may refuse in one look before nothing is booked at all.
_MOST_REFUSED = 20
#: While such a break is open the account is read again from the moment up to which all was well.
_MAY_LACK_A_FILL = frozenset(
    {
        BreakKind.POSITION,
        BreakKind.COIN,
        BreakKind.CASH,
        BreakKind.FILL_DIFFERS,
        BreakKind.FILL_REFUSED,
        BreakKind.MOVE_DIFFERS,
    }
)


@dataclass(frozen=True, slots=True)
class Scope:
    """Which account, in which currency it is kept, and the symbols that the venue lists."""

    currency: str = "USDT"
    account: str = "main"
    listed: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Reconciled:
    """What a reconciliation did.

    Attributes
    ----------
    matched
        Fills, positions, coins and amounts of cash that agreed at the last look.
    new_fills, adopted, moves
        Fills of our orders, foreign fills and movements of cash that were booked.
    opened, resolved
        Breaks that came and went.
    blocking
        Open breaks of the account that forbid new risk.
    foreign
        The fills that were adopted.
    """

    matched: int = 0
    new_fills: int = 0
    adopted: int = 0
    moves: int = 0
    opened: int = 0
    resolved: int = 0
    blocking: int = 0
    foreign: tuple[ForeignFill, ...] = ()


def reconcile(
    ledger: Ledger, venue: Venue, account: Account, scope: Scope, *, lease_clock: Clock | None = None
) -> Reconciled:
    """Bring the ledger up to what the venue shows of an account, and record where the two disagree.

    What is found is booked at once; a disagreement counts from the second look on, which follows
    immediately and asks about every symbol. The ledger's side is read, compared and written in one
    transaction, so that nothing else is booked in between. Doing it again changes nothing.

    Parameters
    ----------
    venue, account
        The same venue, as orders are sent to it and as it shows the account.
    lease_clock
        For the sender's lease, see `resources.execution.sender.settle`.

    Raises
    ------
    RetryLater
        If another sender works on the account, or venue or ledger cannot be reached now.
    """
    settled = settle(
        ledger,
        venue,
        account.now_ms(),
        account=scope.account,
        lease_clock=lease_clock,
        listed=account.open_orders,
    )
    done = Reconciled(new_fills=settled.new_fills)
    for look in range(_LOOKS):
        with ledger.read() as tx:
            question, known = _question(tx, venue, account, scope, wide=look > 0)
        state = read_account(account, question)
        if not known:
            _open(ledger, state, scope)
            return done
        one, again = _book(ledger, state, account.now_ms(), scope, final=look == _LOOKS - 1)
        done = _together(done, one)
        if not again:
            break
    return done


def _question(
    tx: Transaction, venue: Venue, account: Account, scope: Scope, *, wide: bool
) -> tuple[Question, bool]:
    """What to ask, and whether the ledger has heard of the account before.

    The second look asks about every listed symbol: what somebody bought and sold again in between has left
    nothing but a difference in cash.
    """
    read = accounts.read_until(tx, venue.name, scope.account)
    known = read is not None or accounts.has_history(tx, venue.name, scope.account)
    if read is not None:
        since_ms = max(read.opened_at_ms, read.read_until_ms - LOOKBACK_MS)
    else:
        since_ms = 0 if known else account.now_ms()
    question = Question(
        account=scope.account,
        currency=scope.currency,
        symbols=accounts.symbols(tx, venue.name, scope.account, scope.currency)
        | (scope.listed if wide else frozenset()),
        listed=scope.listed,
        since_ms=since_ms,
        lag_ms=venue.absence_proven_after_ms,
    )
    return question, known


def _open(ledger: Ledger, state: VenueState, scope: Scope) -> None:
    if not state.stable:
        raise RetryLater(f"account {state.venue}/{state.account} does not rest long enough to be taken over")
    with ledger.transaction() as tx:
        if accounts.has_history(tx, state.venue, state.account):
            return  # somebody was faster
        book_opening(tx, opening(state, scope.currency), state.taken_at_ms, scope.currency)
        read = ReadUntil(state.taken_at_ms, state.taken_at_ms)
        accounts.store_read_until(tx, state.venue, state.account, read, state.taken_at_ms)


def _book(
    ledger: Ledger, state: VenueState, at_ms: int, scope: Scope, *, final: bool
) -> tuple[Reconciled, bool]:
    """Compare and book; also tells whether something disagrees that a second look may explain."""
    refused: dict[str, Break] = {}
    while True:
        try:
            with ledger.transaction() as tx:
                return _write(tx, state, at_ms, scope, refused, final=final)
        except RefusedFillError as error:
            if len(refused) == _MOST_REFUSED:
                raise HaltTrading(
                    f"the books refuse more than {_MOST_REFUSED} fills of {state.venue}/{state.account}, the last: "
                    f"{error}. Compare the account with the ledger before trading on"
                ) from error
            refused[error.fill.venue_fill_id] = error.broken


def _write(
    tx: Transaction,
    state: VenueState,
    at_ms: int,
    scope: Scope,
    refused: Mapping[str, Break],
    *,
    final: bool,
) -> tuple[Reconciled, bool]:
    venue, account = state.venue, state.account
    findings = compare(accounts.load(tx, state, scope.currency), state)
    booked = book_findings(tx, findings, at_ms, scope.currency, without=refused.keys())
    seen = [*findings.breaks, *refused.values()]
    known = {stored.content.key for stored in breaks.open_breaks(tx, venue, account)}
    counted = seen if final else [item for item in seen if item.key in known]
    again = not final and any(item.key not in known or item.kind in _MAY_LACK_A_FILL for item in seen)
    opened, resolved = breaks.update(tx, venue, account, counted, at_ms, unjudged=findings.unjudged)
    still_open = breaks.open_breaks(tx, venue, account)
    read = accounts.read_until(tx, venue, account) or ReadUntil(state.read_from_ms, state.read_from_ms)
    unexplained = any(
        item.kind in _MAY_LACK_A_FILL and item.severity is BreakSeverity.BLOCKS
        for item in (*seen, *(stored.content for stored in still_open))
    )
    if not (again or unexplained or findings.unjudged or findings.waiting):
        read = replace(read, read_until_ms=max(read.read_until_ms, state.taken_at_ms))
    accounts.store_read_until(tx, venue, account, read, at_ms)
    foreign = tuple(item for item in findings.foreign if item.fill.venue_fill_id not in refused)
    done = Reconciled(
        matched=findings.matched,
        new_fills=booked.fills,
        adopted=booked.adopted,
        moves=booked.moves,
        opened=opened,
        resolved=resolved,
        blocking=sum(item.content.severity is BreakSeverity.BLOCKS for item in still_open),
        foreign=foreign,
    )
    return done, again


def _together(first: Reconciled, second: Reconciled) -> Reconciled:
    """Both looks: what they did adds up, what they saw is the second's."""
    return replace(
        second,
        new_fills=first.new_fills + second.new_fills,
        adopted=first.adopted + second.adopted,
        moves=first.moves + second.moves,
        opened=first.opened + second.opened,
        resolved=first.resolved + second.resolved,
        foreign=(*first.foreign, *second.foreign),
    )
