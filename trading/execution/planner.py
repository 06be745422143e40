"""From verdicts to orders: quantities on the lot grid and ids that a rerun repeats."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal

from trading.errors import BadData
from trading.execution.filters import broken_filters, floor_to, quantity_for
from trading.model.canonical import client_order_id
from trading.model.decision import Action, Decision, Direction, Verdict, VerdictKind
from trading.model.order import Order, OrderState, Side
from trading.model.series import Market
from trading.model.snapshot import Position, Snapshot
from trading.risk.exposure import price_of


def plan(
    decisions: Iterable[Decision],
    verdicts: Iterable[Verdict],
    snapshot: Snapshot,
    venue_name: str,
    created_at_ms: int,
) -> tuple[Order, ...]:
    """Orders for the approved and shrunk verdicts, in their order; the same inputs give the same ids.

    An entry buys, or sells short, what its amount pays at the close of the decision bar. An exit sells
    everything that the desk and strategy hold (buys back what they are short of), down to the lot step (in
    several legs above the venue's largest order); a rest too small to be an order stays behind as dust.

    Raises
    ------
    BadData
        If a verdict belongs to no decision, or an approved one cannot be made into an order: the
        gate and the planner then disagree, and nothing may be sent.
    """
    by_id = {decision.decision_id: decision for decision in decisions}
    orders: list[Order] = []
    for verdict in verdicts:
        if verdict.kind is VerdictKind.REFUSED:
            continue
        decision = by_id.get(verdict.decision_id)
        if decision is None:
            raise BadData(f"verdict {verdict.decision_id}: there is no such decision among those planned")
        side = _side(decision, snapshot)
        quantities, price = _legs(decision, verdict, snapshot)
        instrument = snapshot.instruments.get(decision.symbol)
        orders.extend(
            Order(
                client_order_id=client_order_id(decision.decision_id, leg),
                decision_id=decision.decision_id,
                tick_id=decision.tick_id,
                venue=venue_name,
                desk=decision.desk,
                strategy_id=decision.strategy_id,
                symbol=decision.symbol,
                side=side,
                quantity=quantity,
                reference_price=price,
                state=OrderState.INTENT,
                created_at_ms=created_at_ms,
                not_before_ms=decision.bar_close_ms,
                reduce_only=decision.action is Action.EXIT,
                market=snapshot.market if instrument is None else instrument.market,
            )
            for leg, quantity in enumerate(quantities)
        )
    return tuple(orders)


def _side(decision: Decision, snapshot: Snapshot) -> Side:
    if decision.action is Action.ENTER:
        return Side.BUY if decision.direction is Direction.LONG else Side.SELL
    return Side.SELL if _position(decision, snapshot).quantity > 0 else Side.BUY


def _legs(decision: Decision, verdict: Verdict, snapshot: Snapshot) -> tuple[list[Decimal], Decimal]:
    """Quantities of the legs and the reference price."""
    if decision.action is Action.EXIT:
        return _exit_legs(decision, snapshot)
    price = price_of(snapshot, decision.symbol)
    instrument = snapshot.instruments.get(decision.symbol)
    if price is None or instrument is None:
        raise BadData(f"{decision.symbol}: an entry was approved without a price or filters; it is not sent")
    if decision.direction is Direction.SHORT and instrument.market is Market.SPOT:
        raise BadData(f"{decision.symbol}: a short was approved on a spot pair; it is not sent")
    quantity = quantity_for(verdict.quote_amount, price, instrument)
    broken = broken_filters(instrument, quantity, price)
    if broken:
        raise BadData(f"{decision.symbol}: an entry was approved that breaks filters: {'; '.join(broken)}")
    return [quantity], price


def _exit_legs(decision: Decision, snapshot: Snapshot) -> tuple[list[Decimal], Decimal]:
    position = _position(decision, snapshot)
    price = price_of(snapshot, decision.symbol)
    instrument = snapshot.instruments.get(decision.symbol)
    # Without a close the last price known to the ledger stands in: it only measures slippage.
    reference = position.average_cost if price is None else price
    if instrument is None:
        return [abs(position.quantity)], reference
    rest = floor_to(abs(position.quantity), instrument.lot_step)
    largest = instrument.max_quantity or rest
    legs: list[Decimal] = []
    while rest > 0:
        leg = floor_to(min(rest, largest), instrument.lot_step)
        if leg == 0 or broken_filters(instrument, leg, price):
            break
        legs.append(leg)
        rest -= leg
    return legs, reference


def _position(decision: Decision, snapshot: Snapshot) -> Position:
    for position in snapshot.portfolio.positions:
        own = (position.desk, position.strategy_id) == (decision.desk, decision.strategy_id)
        if own and position.symbol == decision.symbol and position.quantity != 0:
            return position
    raise BadData(
        f"{decision.symbol}: an exit of {decision.desk} {decision.strategy_id} was approved without a holding"
    )
