"""The life of an order: which state may follow which."""

from __future__ import annotations

from trading.errors import HaltTrading
from trading.model.order import OrderState

_S = OrderState
_ENDS = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED})

#: States that may follow each state. A terminal state has no successor; a resend after UNKNOWN is
#: legal only because reconciliation proved that the venue never saw the order.
LEGAL: dict[OrderState, frozenset[OrderState]] = {
    _S.INTENT: frozenset({_S.SENDING, _S.CANCELLED, _S.REJECTED, _S.EXPIRED}),
    _S.SENDING: frozenset({_S.OPEN, _S.PARTIALLY_FILLED, _S.UNKNOWN}) | _ENDS,
    _S.OPEN: frozenset({_S.PARTIALLY_FILLED, _S.UNKNOWN}) | _ENDS,
    _S.PARTIALLY_FILLED: frozenset({_S.FILLED, _S.CANCELLED, _S.EXPIRED, _S.UNKNOWN}),
    _S.UNKNOWN: frozenset({_S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED}) | _ENDS,
    _S.FILLED: frozenset(),
    _S.CANCELLED: frozenset(),
    _S.REJECTED: frozenset(),
    _S.EXPIRED: frozenset(),
}


def require_legal(client_order_id: str, from_state: OrderState, to_state: OrderState) -> None:
    """Refuse a transition that an order cannot make.

    Raises
    ------
    HaltTrading
        If ``to_state`` may not follow ``from_state``: the venue and the ledger contradict each other.
    """
    if to_state not in LEGAL[from_state]:
        allowed = ", ".join(sorted(LEGAL[from_state])) or "nothing: it is terminal"
        raise HaltTrading(
            f"order {client_order_id} cannot go from {from_state} to {to_state}; allowed next: {allowed}. "
            "Compare the order with the venue before trading on"
        )
