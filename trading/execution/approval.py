"""The risk gate's signature on an intent: what a sender demands to see before it sends.

HMAC-SHA256 over the canonical intent and its verdict. Nothing that shapes the order's effect can be changed
after the gate has spoken, in memory or in the ledger, without the key. The state of the order and the time
of its making are bookkeeping and left out.

What protects an entry needs no verdict of its own: the entry's verdict approves legs that close what the
entry opened, at the prices of its decision, and nothing else.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import asdict, replace
from decimal import Decimal

from trading.errors import BadData
from trading.execution.links import PROTECTIVE, Bracket
from trading.ledger.accounting import rounded
from trading.model.canonical import canonical_json
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Order, OrderRole, OrderType
from trading.model.series import Market

_BOOKKEEPING = frozenset({"state", "created_at_ms", "signature", "sending_at_ms"})

#: How a leg may go out: a stop that cannot rest at the venue any more closes at the market.
_LEG_TYPES = {
    OrderRole.STOP: (OrderType.STOP, OrderType.MARKET),
    OrderRole.TAKE_PROFIT: (OrderType.TAKE_PROFIT,),
}


def sign_intents(orders: Iterable[Order], verdicts: Iterable[Verdict], key: bytes) -> tuple[Order, ...]:
    """The orders with the gate's signature.

    Raises
    ------
    BadData
        If an order has no verdict that lets it through.
    """
    by_decision = {verdict.decision_id: verdict for verdict in verdicts}
    signed = []
    for order in orders:
        verdict = by_decision.get(order.decision_id)
        if verdict is None or verdict.kind is VerdictKind.REFUSED:
            raise BadData(f"order {order.client_order_id}: the risk gate did not approve {order.decision_id}")
        signed.append(replace(order, signature=signature_of(order, verdict, key)))
    return tuple(signed)


def sign_legs(
    legs: Iterable[Order], parent: Order, filled: Decimal, bracket: Bracket, verdict: Verdict, key: bytes
) -> tuple[Order, ...]:
    """The legs of an entry with the gate's signature.

    Parameters
    ----------
    filled
        What the entry has filled (base).
    bracket
        The prices of the entry's decision, or those that a person has put in their place.

    Raises
    ------
    BadData
        If a leg does more than protect what the entry filled, at these prices.
    """
    legs = tuple(legs)
    for leg in legs:
        wrong = leg_objection(leg, parent, filled)
        price = bracket.price(leg.role)
        if not wrong and (price is None or leg.stop_price not in (price, None)):
            wrong = f"its price is {leg.stop_price}, approved is {price}"
        if wrong:
            raise BadData(f"order {leg.client_order_id}: {wrong}; it is not signed")
    return sign_intents(legs, [verdict], key)


def leg_objection(leg: Order, parent: Order, filled: Decimal) -> str:
    """Why an order is no leg that an entry's verdict covers; empty when it is one.

    Parameters
    ----------
    filled
        What the entry has filled (base): a leg is never larger.
    """
    expected = "take-profit" if leg.role is OrderRole.TAKE_PROFIT else "stop"
    for name in ("decision_id", "venue", "account", "desk", "strategy_id", "symbol", "market"):
        if getattr(leg, name) != getattr(parent, name):
            return f"{name} is {getattr(leg, name)}, its entry's is {getattr(parent, name)}"
    if leg.role not in PROTECTIVE or leg.parent_id != parent.client_order_id:
        return f"it does not protect {parent.client_order_id}"
    if parent.reduce_only or not leg.reduce_only or leg.side is parent.side:
        return f"a {expected} closes what its entry opened, on the other side"
    if leg.order_type not in _LEG_TYPES[leg.role]:
        return f"a {expected} cannot be a {leg.order_type.value} order"
    if not 0 < leg.quantity <= filled:
        return f"quantity {leg.quantity} is not within the {filled} that its entry filled"
    return ""


def signature_of(order: Order, verdict: Verdict, key: bytes) -> str:
    """HMAC-SHA256 (64 hex digits) of an intent and its verdict."""
    intent = {name: value for name, value in asdict(order).items() if name not in _BOOKKEEPING}
    if order.market is Market.SPOT:
        del intent["market"]  # signatures from before there were others stay good
    answer = {**asdict(verdict), "quote_amount": rounded(verdict.quote_amount)}
    message = canonical_json(["approval", intent, answer])
    return hmac.new(key, message.encode(), hashlib.sha256).hexdigest()


def objection(order: Order, verdict: Verdict | None, key: bytes) -> str:
    """Why an order must not be sent; empty when the gate approved exactly this one."""
    if verdict is None:
        return "the ledger has no risk verdict on it"
    if verdict.kind is VerdictKind.REFUSED:
        return f"the risk gate refused it: {verdict.reason_code}"
    if not order.signature:
        return "the risk gate has not signed it"
    if not hmac.compare_digest(order.signature, signature_of(order, verdict, key)):
        return "it is not what the risk gate signed: the order or its verdict was changed, or the key was"
    return ""
