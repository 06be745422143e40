"""Everything behind one decision, from the partitions it read to what its order cost."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING

from apps.cli.evidence import Evidence, gather
from trading.errors import BadData
from trading.execution.explain import counterfactual
from trading.model.decision import Action, Decision, Outcome, Verdict, VerdictKind
from trading.model.order import Fill, Order, Side
from warehouse.lake import snapshots as snapshot_files
from warehouse.ledger import audit, decisions, fills, orders, snapshots
from warehouse.ledger.backend import Transaction

if TYPE_CHECKING:
    from resources.platform import Platform
    from trading.costs.model import CostModel
    from warehouse.ledger.orders import OrderEvent

_SHOWN = 12
_BPS = 10_000


@dataclass(frozen=True, slots=True)
class Cost:
    """What an order cost against the price that it was decided at; bps of the traded value at that price.

    Attributes
    ----------
    total_bps
        Slippage and fees together; negative when the price moved in our favour by more than the fees.
    expected_bps
        Half the spread, fixed slippage and the taker fee; the impact of size comes on top.
    """

    average_price: Decimal
    slippage_bps: float
    fee_bps: float | None
    total_bps: float | None
    expected_bps: float


@dataclass(frozen=True, slots=True)
class OrderStory:
    """An order with its changes of state and its fills; ``cost`` is None while nothing is filled."""

    order: Order
    events: tuple[OrderEvent, ...]
    fills: tuple[Fill, ...]
    cost: Cost | None


@dataclass(frozen=True, slots=True)
class Story:
    """A decision with all that led to it and followed from it.

    Attributes
    ----------
    would_have_traded
        What would have had to change, for a decision that was skipped or refused; else empty.
    sources
        Content hash of each lake partition behind the snapshot.
    evidence
        Bars, certificates, ratings and model behind the decision; None when it has no snapshot.
    audit_records
        Sequence numbers of the audit records about the decision and its orders.
    """

    decision: Decision
    verdict: Verdict | None
    would_have_traded: str
    orders: tuple[OrderStory, ...]
    taken_at_ms: int | None
    sources: dict[str, str]
    evidence: Evidence | None
    audit_records: tuple[int, ...]


def tell(platform: Platform, id_prefix: str) -> Story:
    """The story of the decision or order whose id starts so.

    Raises
    ------
    BadData
        If no id starts so, or several do: the message lists them.
    HaltTrading
        If the decision's snapshot is missing or was changed.
    """
    settings, lake = platform.settings, platform.lake
    with platform.ledger.read() as tx:
        decision_id = resolve(tx, id_prefix)
        decision = decisions.load(tx, decision_id)
        if decision is None:
            raise BadData(
                f"order {id_prefix}: its decision {decision_id} is not in the ledger; run tidemill audit verify"
            )
        verdict = decisions.verdict(tx, decision_id)
        placed = tuple(
            _order_story(tx, order, settings.paper.costs, settings.universe.quote)
            for order in orders.for_decision(tx, decision_id)
        )
        record = snapshots.load(tx, decision.tick_id)
        subjects = [decision_id, *(item.order.client_order_id for item in placed)]
        sealed = tuple(entry.sequence for subject in subjects for entry in audit.for_subject(tx, subject))
    # Read once the ledger is free again: another process may be waiting to trade.
    snapshot = None if record is None else snapshot_files.read(lake.store, record)
    return Story(
        decision=decision,
        verdict=verdict,
        would_have_traded=_counterfactual(decision, verdict),
        orders=placed,
        taken_at_ms=None if record is None else record.taken_at_ms,
        sources={} if snapshot is None else dict(snapshot.sources),
        evidence=None
        if snapshot is None
        else gather(lake, platform.models.promoted_folder, snapshot, decision.symbol),
        audit_records=sealed,
    )


def resolve(tx: Transaction, id_prefix: str) -> str:
    """The decision id behind a prefix of a decision id or of a client order id."""
    found = _matches(tx, id_prefix)
    owners = {owner for _, owner, _ in found}
    if len(owners) == 1:
        return owners.pop()
    if owners:
        listed = "\n".join(f"  {name}  {what}" for name, _, what in found[:_SHOWN])
        more = f"\n  … and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise BadData(f"{id_prefix!r} starts {len(found)} ids; give more characters:\n{listed}{more}")
    for length in range(len(id_prefix) - 1, 5, -1):
        if near := _matches(tx, id_prefix[:length]):
            raise BadData(
                f"no decision or order starts with {id_prefix!r}; the nearest is {near[0][0]} ({near[0][2]})"
            )
    raise BadData(f"no decision or order starts with {id_prefix!r}; `tidemill status` lists the newest")


def _matches(tx: Transaction, prefix: str) -> list[tuple[str, str, str]]:
    """Ids that start so: the id, the decision it belongs to, and what it is."""
    if not prefix:
        return []
    made = tx.query(
        "select decision_id, desk, action, symbol, reason_code from decisions"
        " where starts_with(decision_id, :prefix) order by bar_close_ms desc, decision_id",
        {"prefix": prefix},
    )
    placed = tx.query(
        "select client_order_id, decision_id, side, quantity, symbol, state from orders"
        " where starts_with(client_order_id, :prefix) order by created_at_ms desc, client_order_id",
        {"prefix": prefix},
    )
    return [
        (row["decision_id"], row["decision_id"], "{desk} {action} {symbol} {reason_code}".format(**row))
        for row in made
    ] + [
        (row["client_order_id"], row["decision_id"], "{side} {symbol} {state}".format(**row))
        for row in placed
    ]


def _counterfactual(decision: Decision, verdict: Verdict | None) -> str:
    if decision.outcome is Outcome.SKIPPED:
        return counterfactual(decision.checks, any_of=decision.action is Action.EXIT)
    if verdict is not None and verdict.kind is VerdictKind.REFUSED:
        return counterfactual(verdict.checks)
    return ""


def _order_story(tx: Transaction, order: Order, costs: CostModel, quote: str) -> OrderStory:
    done = fills.for_order(tx, order.client_order_id)
    return OrderStory(
        order,
        tuple(orders.events(tx, order.client_order_id)),
        tuple(done),
        cost_of(order, done, costs, quote),
    )


def cost_of(order: Order, done: list[Fill], costs: CostModel, quote: str) -> Cost | None:
    """Cost of what is filled; fees in another currency than the quote are not converted but left unknown."""
    quantity = sum((fill.quantity for fill in done), Decimal(0))
    if not quantity or not order.reference_price:
        return None
    paid = sum((fill.quantity * fill.price for fill in done), Decimal(0))
    fair = quantity * order.reference_price
    against_us = paid - fair if order.side is Side.BUY else fair - paid
    slippage = float(against_us / fair) * _BPS
    convertible = all(fill.fee_currency == quote for fill in done)
    fee = float(sum((fill.fee for fill in done), Decimal(0)) / fair) * _BPS if convertible else None
    return Cost(
        average_price=paid / quantity,
        slippage_bps=slippage,
        fee_bps=fee,
        total_bps=None if fee is None else slippage + fee,
        expected_bps=costs.spread_bps / 2 + costs.slippage_bps + float(costs.taker_fee_bps),
    )


def known(value: float) -> float | None:
    """A number, or None where it is NaN."""
    return value if math.isfinite(value) else None
