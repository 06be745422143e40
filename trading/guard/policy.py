"""From what the venue shows to what the guard does: pure, and it can only ever make risk smaller."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_UP, Decimal

from trading.guard.exposure import (
    Holding,
    Meaning,
    closing_side,
    holding_of,
    meaning,
    stop_price,
    unprotected,
)
from trading.guard.settings import GuardSettings
from trading.model.account import VenueOrder, VenuePosition
from trading.model.canonical import digest
from trading.model.order import Side

#: Longest client order id that the venues take, and what ours begin with.
_ID_LENGTH = 32
_ID_PREFIX = "tg"


@dataclass(frozen=True, slots=True)
class Account:
    """What the venue shows: its orders at work, and its positions (None while they cannot be read)."""

    orders: tuple[VenueOrder, ...]
    positions: tuple[VenuePosition, ...] | None
    derivatives: bool


@dataclass(frozen=True, slots=True)
class Kill:
    """One halt as the guard remembers it.

    Attributes
    ----------
    kill_id
        Names the halt, so that the ids of its orders are the same after a restart.
    baseline
        Size of each position when it was first seen in this halt (base, unsigned): what stages are
        shares of.
    seen_at_ms
        When that was, by `Holding.text` as above.
    refused_stops, refused_closes
        How often a stop for the position, and an order that closes it, was refused.
    """

    kill_id: str
    baseline: Mapping[str, Decimal] = field(default_factory=dict)
    seen_at_ms: Mapping[str, int] = field(default_factory=dict)
    refused_stops: Mapping[str, int] = field(default_factory=dict)
    refused_closes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Cancel:
    """Cancel an order at work."""

    order: VenueOrder


@dataclass(frozen=True, slots=True)
class Protect:
    """Place a stop that can only reduce."""

    holding: Holding
    side: Side
    quantity: Decimal
    stop_price: Decimal
    client_order_id: str


@dataclass(frozen=True, slots=True)
class Reduce:
    """Close a part of a position at the market."""

    holding: Holding
    side: Side
    quantity: Decimal
    client_order_id: str


Action = Cancel | Protect | Reduce


@dataclass(frozen=True, slots=True)
class Plan:
    """What to do now, and how far the halt has come.

    Attributes
    ----------
    open_entries
        Orders at work that may add exposure, those that the plan cancels included.
    contained
        Nothing is left to do: no entries, every position protected or, under ``flatten``, closed.
    """

    actions: tuple[Action, ...]
    open_entries: int
    contained: bool


def plan(account: Account, kill: Kill, settings: GuardSettings, now_ms: int) -> Plan:
    """Decide what a halt asks for.

    Entries go first, at once, also while the positions cannot be read. A stop is only ever cancelled when it
    might also open a position, and then after one that cannot has taken its place.
    """
    positions = account.positions
    meant = [(order, meaning(order, positions, derivatives=account.derivatives)) for order in account.orders]
    entries = [order for order, means in meant if means is not Meaning.REDUCES]
    actions: list[Action] = [Cancel(order) for order, means in meant if means is Meaning.ENTRY]
    if positions is None:
        return Plan(tuple(actions), len(entries), contained=False)
    bare = set()
    held = [position for position in positions if position.quantity]
    for position in held:
        missing = unprotected(position, account.orders)
        if missing:
            bare.add(position.symbol)
        actions += _for_position(position, missing, kill, settings, now_ms)
    actions += [
        Cancel(order) for order, means in meant if means is Meaning.LOOSE_STOP and order.symbol not in bare
    ]
    closed = settings.policy == "keep_stops" or not held
    return Plan(tuple(actions), len(entries), contained=not entries and not bare and closed)


def remembered(kill: Kill, positions: Sequence[VenuePosition], now_ms: int) -> Kill:
    """The halt with the sizes of positions that were not seen in it before."""
    new = {
        holding_of(position).text: abs(position.quantity)
        for position in positions
        if position.quantity and holding_of(position).text not in kill.baseline
    }
    if not new:
        return kill
    return replace(
        kill,
        baseline={**kill.baseline, **new},
        seen_at_ms={**kill.seen_at_ms, **dict.fromkeys(new, now_ms)},
    )


def refused(kill: Kill, action: Protect | Reduce) -> Kill:
    """The halt after a stop for a position, or its closing, was refused once more."""
    key = action.holding.text
    if isinstance(action, Protect):
        return replace(kill, refused_stops=_counted(kill.refused_stops, key))
    return replace(kill, refused_closes=_counted(kill.refused_closes, key))


def _counted(counts: Mapping[str, int], key: str) -> dict[str, int]:
    return {**counts, key: counts.get(key, 0) + 1}


def _for_position(
    position: VenuePosition, missing: Decimal, kill: Kill, settings: GuardSettings, now_ms: int
) -> list[Action]:
    """A stop for what has none, and the part that is due to be closed."""
    holding, side, size = holding_of(position), closing_side(position), abs(position.quantity)
    due = _due(position, kill, settings, now_ms) if settings.policy == "flatten" else Decimal(0)
    found: list[Action] = []
    if missing and kill.refused_stops.get(holding.text, 0) >= settings.protect_attempts:
        # No stop can be had (the market is beyond it, say): what has no protection must not stay.
        due = max(due, missing)
    elif missing > due or (missing and holding.text in kill.refused_closes):
        # Also what is due, once it was refused: nobody knows how long it stays.
        price = stop_price(position, settings.stop_fraction)
        key = _order_id(kill, holding, "stop", missing)
        found.append(Protect(holding, side, missing, price, key))
    if due:
        found.append(Reduce(holding, side, min(due, size), _order_id(kill, holding, "close", size)))
    return found


def _due(position: VenuePosition, kill: Kill, settings: GuardSettings, now_ms: int) -> Decimal:
    """What the stages that have begun would have closed by now and is still held.

    Rounded up to the digits in which the venue gives the position, so that no stage stalls on a rest
    smaller than a lot.
    """
    key = holding_of(position).text
    size = abs(position.quantity)
    baseline = kill.baseline.get(key)
    if baseline is None or not settings.stages:
        return size
    waited = max(now_ms - kill.seen_at_ms[key], 0)
    stage_ms = int(settings.stage_seconds * 1000)
    begun = len(settings.stages) if stage_ms == 0 else min(waited // stage_ms + 1, len(settings.stages))
    if begun == len(settings.stages):
        return size
    due = size - baseline * (1 - max(settings.stages[:begun]))
    return min(due.quantize(position.quantity, rounding=ROUND_UP), size) if due > 0 else Decimal(0)


def _order_id(kill: Kill, holding: Holding, kind: str, quantity: Decimal) -> str:
    """The same for the same step of the same halt: repeated after a crash, a venue knows the order."""
    name = digest("guard", kill.kill_id, holding.text, kind, str(quantity))
    return f"{_ID_PREFIX}{name}"[:_ID_LENGTH]
