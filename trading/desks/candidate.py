"""Building blocks of decisions: entry and exit candidates with their rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.desks.desk import Desk
from trading.model.canonical import decision_id
from trading.model.check import known
from trading.model.decision import Action, Check, Decision, Outcome
from trading.model.snapshot import Position, Snapshot

#: Reason code of a held position that no exit trigger hit.
HOLD = "hold"

Inputs = dict[str, float | str | bool | None]


@dataclass(frozen=True, slots=True)
class Rule:
    """A check and the reason code that the journal shows when it is the first to fail."""

    check: Check
    reason_code: str


def entry(
    desk: Desk,
    snapshot: Snapshot,
    symbol: str,
    rules: Sequence[Rule],
    *,
    trigger: str,
    quote_amount: Decimal,
    inputs: Inputs | None = None,
    strategy_id: str = "",
) -> Decision:
    """An entry candidate: fired when every rule passes, else skipped for the first that fails.

    Parameters
    ----------
    trigger
        Reason code when fired: what made the desk want the position.
    quote_amount
        Wanted size in quote currency; recorded as 0 when skipped.
    """
    failed = next((rule.reason_code for rule in rules if not rule.check.passed), None)
    return _decision(
        desk,
        snapshot,
        symbol,
        strategy_id,
        action=Action.ENTER,
        outcome=Outcome.FIRED if failed is None else Outcome.SKIPPED,
        reason_code=trigger if failed is None else failed,
        quote_amount=quote_amount if failed is None else Decimal(0),
        checks=tuple(rule.check for rule in rules),
        inputs=inputs or {},
    )


def exit_(
    desk: Desk,
    snapshot: Snapshot,
    position: Position,
    triggers: Sequence[Rule],
    *,
    inputs: Inputs | None = None,
) -> Decision:
    """An exit candidate of a held position: fired for the first trigger that is hit, else `HOLD`.

    Here ``Check.passed`` means that the trigger is hit; one is enough. An unknown value hits nothing.
    """
    hit = next((rule.reason_code for rule in triggers if rule.check.passed), None)
    held: Inputs = {
        "quantity": str(position.quantity),
        "average_cost": str(position.average_cost),
        "opened_at_ms": position.opened_at_ms,
    }
    return _decision(
        desk,
        snapshot,
        position.symbol,
        position.strategy_id,
        action=Action.EXIT,
        outcome=Outcome.SKIPPED if hit is None else Outcome.FIRED,
        reason_code=HOLD if hit is None else hit,
        quote_amount=Decimal(0),
        checks=tuple(rule.check for rule in triggers),
        inputs=held | (inputs or {}),
    )


def _decision(
    desk: Desk,
    snapshot: Snapshot,
    symbol: str,
    strategy_id: str,
    *,
    action: Action,
    outcome: Outcome,
    reason_code: str,
    quote_amount: Decimal,
    checks: tuple[Check, ...],
    inputs: Inputs,
) -> Decision:
    # Two strategies of one desk on one symbol are two candidates: the id must tell them apart.
    who = f"{desk.name}:{strategy_id}" if strategy_id else desk.name
    return Decision(
        decision_id=decision_id(
            desk=who,
            symbol=symbol,
            bar_close_ms=snapshot.bar_close_ms,
            action=action.value,
            configuration_hash=desk.configuration_hash,
        ),
        tick_id=snapshot.tick_id,
        snapshot_id=snapshot.snapshot_id,
        desk=desk.name,
        strategy_id=strategy_id,
        symbol=symbol,
        action=action,
        outcome=outcome,
        reason_code=reason_code,
        bar_close_ms=snapshot.bar_close_ms,
        quote_amount=quote_amount,
        reference_price=close_of(snapshot, symbol),
        checks=checks,
        inputs={name: _plain(value) for name, value in inputs.items()},
    )


def _plain(value: float | str | bool | None) -> float | str | bool | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def close_of(snapshot: Snapshot, symbol: str) -> float:
    """Close of the decision bar; NaN when the snapshot has no usable price of the symbol."""
    view = snapshot.symbols.get(symbol)
    if view is None or known(view.close) is None or view.close <= 0:
        return math.nan
    return view.close


def held_by(desk_name: str, snapshot: Snapshot) -> list[Position]:
    """Open positions of one desk, ordered by symbol and strategy."""
    own = (item for item in snapshot.portfolio.positions if item.desk == desk_name and item.quantity > 0)
    return sorted(own, key=lambda item: (item.symbol, item.strategy_id))


def symbols_under_way(snapshot: Snapshot) -> int:
    """Symbols with an open or unknown order and no holding: each may be a position any moment.

    The snapshot does not say whose they are, so every desk counts them against its free slots.
    """
    portfolio = snapshot.portfolio
    held = {item.symbol for item in portfolio.positions if item.quantity > 0}
    return len({*portfolio.pending_symbols, *portfolio.unknown_symbols} - held)


def return_fraction(position: Position, close: float) -> float:
    """Unrealised return against the average cost (fees included); NaN when either is unknown."""
    cost = float(position.average_cost)
    return close / cost - 1.0 if cost > 0 and math.isfinite(close) else math.nan


def slot_amount(equity: Decimal, slot_fraction: float) -> Decimal:
    """Share of the equity that one entry asks for, never below 0."""
    return max(Decimal(0), equity * Decimal(repr(slot_fraction)))
