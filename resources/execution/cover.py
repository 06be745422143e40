"""What protects a holding now, what should, and what is bare: read in one transaction, nothing is changed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from resources.execution.reductions import unspoken_for
from trading.execution.approval import objection, sign_legs
from trading.execution.filters import broken_filters, floor_to
from trading.execution.links import (
    Bracket,
    BracketSteps,
    Leg,
    bracket_of,
    bracket_steps,
    refusals,
)
from trading.model.instrument import Instrument
from trading.model.order import Order, OrderRole, OrderState, Side
from warehouse.ledger import decisions, orders, portfolio
from warehouse.ledger.backend import Transaction
from warehouse.ledger.entries import Entry, Holding, entries_of

_AT_WORK = (OrderState.OPEN, OrderState.PARTIALLY_FILLED)


@dataclass(frozen=True, slots=True)
class Rules:
    """What shapes the protective orders of an account.

    Attributes
    ----------
    key
        The risk gate's signing key.
    instruments
        Filters by symbol; a symbol without them gets no new order.
    both_legs
        Whether the venue lets a stop and a take-profit cover the same quantity. Where it does not, and an
        entry wants both, the stop rests.
    by_account
        Whether reduce-only orders may close what the account holds, whoever it belongs to. A stop and a
        take-profit that both go out would then close another's holding: while somebody else holds the
        symbol too, only the stop rests.
    currency
        What the symbols are quoted in.
    """

    key: bytes
    instruments: Mapping[str, Instrument]
    both_legs: bool = True
    by_account: bool = False
    currency: str = "USDT"


@dataclass(frozen=True, slots=True)
class Bare:
    """A part of an entry (base) that wants a stop and has none at work, and why."""

    holding: Holding
    entry_id: str
    quantity: Decimal
    why: str


@dataclass(frozen=True, slots=True)
class Seen:
    """What a look at all holdings found, and up to where the audit trail confirms that it still stands.

    Attributes
    ----------
    sequence
        Of the audit record up to which nothing has changed.
    in_full_at_ms
        When all holdings were last looked at, on the market's clock.
    bare
        What had no stop.
    """

    sequence: int
    in_full_at_ms: int
    bare: tuple[Bare, ...]


@dataclass(frozen=True, slots=True)
class Cover:
    """The state of one holding's protection.

    Attributes
    ----------
    cancel
        Ids of orders that cover too much.
    place
        New intents, signed.
    waiting
        Ids of intents that are stored and not sent.
    bare
        What has no stop at work at this moment.
    """

    holding: Holding
    cancel: tuple[str, ...] = ()
    place: tuple[Order, ...] = ()
    waiting: tuple[str, ...] = ()
    bare: tuple[Bare, ...] = ()

    @property
    def settled(self) -> bool:
        """Whether nothing needs to be done."""
        return not (self.cancel or self.place or self.waiting)


def cover_of(tx: Transaction, holding: Holding, rules: Rules, now_ms: int) -> Cover:
    """Look at a holding: what its entries brought is closed oldest first, and the rest wants protection."""
    instrument = rules.instruments.get(holding.symbol)
    cancel: list[str] = []
    place: list[Order] = []
    waiting: list[str] = []
    bare: list[Bare] = []
    shared = rules.by_account and _is_shared(tx, holding)
    for entry, held in _held_of_entries(tx, holding, rules.currency):
        covered = floor_to(held, instrument.lot_step) if instrument else held
        bracket = _bracket(tx, entry, rules, instrument, shared=shared)
        steps = bracket_steps(entry.order, entry.life, bracket, entry.legs, now_ms, held=covered)
        fitting = _fitting(steps, instrument)
        unfit = _targets(entry) if shared and bracket.stop_price is not None else set()
        going = (*steps.cancel, *sorted(unfit - set(steps.cancel)))
        cancel += going
        place += _signed(tx, entry, fitting, bracket, rules.key)
        waiting += [
            leg.order.client_order_id
            for leg in entry.legs
            if leg.life.state is OrderState.INTENT and leg.order.client_order_id not in going
        ]
        missing = covered - _stops_at_work(entry)
        if entry.wants_stop and missing > 0:
            bare.append(
                Bare(holding, entry.order.client_order_id, missing, _why(entry, steps, fitting, instrument))
            )
    return Cover(holding, tuple(cancel), tuple(place), tuple(waiting), tuple(bare))


def _held_of_entries(tx: Transaction, holding: Holding, currency: str) -> Iterator[tuple[Entry, Decimal]]:
    """Entries that something is held of, or that have live legs, with how much it is (base)."""
    position = portfolio.position(tx, holding.desk, holding.strategy_id, holding.symbol)
    quantity = Decimal(0) if position is None else position.quantity
    opening = Side.BUY if quantity > 0 else Side.SELL
    closing = Side.SELL if quantity > 0 else Side.BUY
    rest = Decimal(0)
    if quantity:
        rest = unspoken_for(tx, holding.desk, holding.strategy_id, holding.symbol, closing)
    for entry in entries_of(tx, holding, rest, opening=opening, currency=currency):
        held = min(max(entry.unclosed, Decimal(0)), rest) if entry.order.side is opening else Decimal(0)
        rest -= held
        if held or entry.has_live_legs:
            yield entry, held


def _is_shared(tx: Transaction, holding: Holding) -> bool:
    """Whether anybody else holds the symbol."""
    own = (holding.desk, holding.strategy_id)
    return any(
        item.symbol == holding.symbol and (item.desk, item.strategy_id) != own
        for item in portfolio.positions(tx)
    )


def _targets(entry: Entry) -> set[str]:
    """Ids of an entry's take-profits that rest."""
    return {
        leg.order.client_order_id
        for leg in entry.legs
        if leg.order.role is OrderRole.TAKE_PROFIT and leg.rests
    }


def _bracket(
    tx: Transaction, entry: Entry, rules: Rules, instrument: Instrument | None, *, shared: bool
) -> Bracket:
    """The decided prices, or those that somebody has put in their place since."""
    if instrument is None:
        return Bracket(None, None)
    decided = bracket_of(entry.order.side, entry.stop_price, entry.take_profit_price, instrument.tick_size)
    stop = _price(tx, entry, OrderRole.STOP, decided.stop_price, rules.key)
    target = _price(tx, entry, OrderRole.TAKE_PROFIT, decided.take_profit_price, rules.key)
    return Bracket(stop, target if stop is None or (rules.both_legs and not shared) else None)


def _price(
    tx: Transaction, entry: Entry, role: OrderRole, decided: Decimal | None, key: bytes
) -> Decimal | None:
    """The newest leg's price where the gate has signed that leg; an altered one counts for nothing."""
    if entry.taken_off(role):
        return None
    priced = [leg.order for leg in entry.legs if leg.order.role is role and leg.order.stop_price is not None]
    if not priced or priced[-1].stop_price == decided:
        return decided
    verdict = decisions.verdict(tx, entry.order.decision_id)
    return decided if objection(orders.signed(tx, priced[-1]), verdict, key) else priced[-1].stop_price


def _fitting(steps: BracketSteps, instrument: Instrument | None) -> tuple[Order, ...]:
    """The new legs that the venue's filters let through, no larger than its largest order."""
    if instrument is None:
        return ()
    largest = instrument.max_quantity
    cut = (replace(leg, quantity=min(leg.quantity, largest)) if largest else leg for leg in steps.place)
    return tuple(leg for leg in cut if not broken_filters(instrument, leg.quantity, leg.reference_price))


def _signed(
    tx: Transaction, entry: Entry, legs: tuple[Order, ...], bracket: Bracket, key: bytes
) -> tuple[Order, ...]:
    verdict = decisions.verdict(tx, entry.order.decision_id) if legs else None
    if verdict is None:
        return ()
    return sign_legs(legs, entry.order, entry.life.filled, bracket, verdict, key)


def _stops_at_work(entry: Entry) -> Decimal:
    return sum(
        (leg.life.remaining for leg in _stops(entry) if leg.rests and leg.life.state in _AT_WORK), Decimal(0)
    )


def _stops(entry: Entry) -> list[Leg]:
    return [leg for leg in entry.legs if leg.order.role is OrderRole.STOP]


def _why(entry: Entry, steps: BracketSteps, fitting: tuple[Order, ...], instrument: Instrument | None) -> str:
    if instrument is None:
        return "the venue's filters of the symbol are unknown"
    unfit = [
        leg
        for leg in steps.place
        if leg.role is OrderRole.STOP
        and leg.client_order_id not in {each.client_order_id for each in fitting}
    ]
    if unfit:
        broken = broken_filters(instrument, unfit[0].quantity, unfit[0].reference_price)
        return f"the venue takes no such stop: {'; '.join(broken)}"
    refused = refusals(entry.legs, OrderRole.STOP)
    newest = next((leg.life for leg in reversed(_stops(entry))), None)
    if refused:
        return f"the venue has refused its stop {refused} time(s) in a row"
    if newest is None or newest.state.terminal:
        return "its stop has not been sent yet"
    if newest.cancel_requested:
        return "its stop is being cancelled, which is not proven yet"
    return f"its stop is {newest.state}: whether it is at the venue is not known"
