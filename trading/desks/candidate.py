"""Building blocks of decisions: entry and exit candidates with their rules."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from trading.desks.desk import Desk
from trading.model.canonical import decision_id
from trading.model.check import known, must_be
from trading.model.decision import Action, Check, Decision, Direction, Outcome
from trading.model.series import Market
from trading.model.snapshot import Position, Snapshot

#: Reason code of a held position that no exit trigger hit.
HOLD = "hold"
#: Reason codes of entries that the account's market does not allow.
NO_SHORTS_ON_SPOT = "no_shorts_on_spot"
NO_CONTRACT = "no_contract"

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
    direction: Direction = Direction.LONG,
    stop_price: float = math.nan,
    take_profit_price: float = math.nan,
) -> Decision:
    """An entry candidate: fired when every rule passes, else skipped for the first that fails.

    What `market_rules` says of the account's market comes before the desk's own rules.

    Parameters
    ----------
    trigger
        Reason code when fired: what made the desk want the position.
    quote_amount
        Wanted size in quote currency; recorded as 0 when skipped.
    stop_price, take_profit_price
        Where orders at the venue protect the position (quote); NaN for none, and when skipped.
    """
    rules = (*market_rules(snapshot, symbol, direction), *rules)
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
        direction=direction,
        stop_price=_price(stop_price) if failed is None else math.nan,
        take_profit_price=_price(take_profit_price) if failed is None else math.nan,
    )


def market_rules(snapshot: Snapshot, symbol: str, direction: Direction = Direction.LONG) -> tuple[Rule, ...]:
    """What the account's market must allow before an entry: nothing for a long on spot.

    A short needs a derivatives market, and a derivatives market a contract on the coin.
    """
    rules = []
    if direction is Direction.SHORT:
        market = must_be("market", snapshot.market.value, Market.USDM.value, "for a short")
        rules.append(Rule(market, NO_SHORTS_ON_SPOT))
    if snapshot.market is not Market.SPOT:
        listed = "listed" if symbol in snapshot.instruments else "none"
        rules.append(Rule(must_be("contract", listed, "listed"), NO_CONTRACT))
    return tuple(rules)


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
        direction=direction_of(position),
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
    direction: Direction,
    stop_price: float = math.nan,
    take_profit_price: float = math.nan,
) -> Decision:
    # Two strategies of one desk on one symbol are two candidates: the id must tell them apart. So are a long
    # and a short; a long has the id that it had when there were no others.
    who = f"{desk.name}:{strategy_id}" if strategy_id else desk.name
    short_entry = action is Action.ENTER and direction is Direction.SHORT
    return Decision(
        decision_id=decision_id(
            desk=who,
            symbol=symbol,
            bar_close_ms=snapshot.bar_close_ms,
            action=f"{action.value}:{direction.value}" if short_entry else action.value,
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
        direction=direction,
        stop_price=stop_price,
        take_profit_price=take_profit_price,
    )


def _plain(value: float | str | bool | None) -> float | str | bool | None:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _price(value: float) -> float:
    return value if known(value) is not None and value > 0 else math.nan


def close_of(snapshot: Snapshot, symbol: str) -> float:
    """Close of the decision bar; NaN when the snapshot has no usable price of the symbol."""
    view = snapshot.symbols.get(symbol)
    if view is None or known(view.close) is None or view.close <= 0:
        return math.nan
    return view.close


def held_by(desk_name: str, snapshot: Snapshot) -> list[Position]:
    """Open positions of one desk, ordered by symbol and strategy."""
    own = (item for item in snapshot.portfolio.positions if item.desk == desk_name and item.quantity != 0)
    return sorted(own, key=lambda item: (item.symbol, item.strategy_id))


def symbols_under_way(snapshot: Snapshot) -> int:
    """Symbols with an open or unknown order and no holding: each may be a position any moment.

    The snapshot does not say whose they are, so every desk counts them against its free slots.
    """
    portfolio = snapshot.portfolio
    held = {item.symbol for item in portfolio.positions if item.quantity != 0}
    return len({*portfolio.pending_symbols, *portfolio.unknown_symbols} - held)


def direction_of(position: Position) -> Direction:
    """Which way a holding goes."""
    return Direction.SHORT if position.quantity < 0 else Direction.LONG


def return_fraction(position: Position, close: float) -> float:
    """Unrealised return against the average cost (fees included); NaN when either is unknown.

    A short gains what the price falls.
    """
    cost = float(position.average_cost)
    if not (cost > 0 and math.isfinite(close)):
        return math.nan
    return 1.0 - close / cost if position.quantity < 0 else close / cost - 1.0


def protective_price(close: float, direction: Direction, gain_fraction: float) -> float:
    """Price (quote) of an order that ends a position at a gain, negative for a loss, of a share of the close.

    NaN for a gain of 0, which asks for none; also when a number is unknown or the price would not be above 0.
    """
    rise = gain_fraction if direction is Direction.LONG else -gain_fraction
    return _price(close * (1.0 + rise)) if rise else math.nan


def slot_amount(equity: Decimal, slot_fraction: float) -> Decimal:
    """Share of the equity that one entry asks for, never below 0."""
    return max(Decimal(0), equity * Decimal(repr(slot_fraction)))
