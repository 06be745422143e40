"""The risk gate's signature on an intent: what a sender demands to see before it sends.

HMAC-SHA256 over the canonical intent and its verdict. Nothing that shapes the order's effect can be changed
after the gate has spoken, in memory or in the ledger, without the key. The state of the order and the time
of its making are bookkeeping and left out.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import asdict, replace

from trading.errors import BadData
from trading.ledger.accounting import rounded
from trading.model.canonical import canonical_json
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Order
from trading.model.series import Market

_BOOKKEEPING = frozenset({"state", "created_at_ms", "signature", "sending_at_ms"})


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
