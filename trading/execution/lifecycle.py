"""The life of an order: which event may follow in which state, and what comes of it.

The machine is strict: what a table row does not allow is refused. What a venue's report *means* for an
order, old news included, is `trading.execution.reports`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal
from enum import StrEnum

from trading.errors import HaltTrading
from trading.ledger.accounting import EXACT
from trading.model.order import OrderState

_S = OrderState
_ENDS = frozenset({_S.FILLED, _S.CANCELLED, _S.REJECTED, _S.EXPIRED})


class EventKind(StrEnum):
    """What can happen to an order."""

    SEND = "send"
    ACCEPT = "accept"
    FILL = "fill"
    REQUEST_CANCEL = "request_cancel"
    CANCEL = "cancel"
    REJECT = "reject"
    EXPIRE = "expire"
    LOSE = "lose"
    PROVE_ABSENT = "prove_absent"


_K = EventKind

#: The state that each event leads to, by the state before. A fill leads to FILLED once nothing is left;
#: a request to cancel changes no state of an order that was sent.
TABLE: dict[EventKind, dict[OrderState, OrderState]] = {
    _K.SEND: {_S.INTENT: _S.SENDING},
    _K.ACCEPT: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.OPEN),
    _K.FILL: dict.fromkeys((_S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.UNKNOWN), _S.PARTIALLY_FILLED)
    | {state: state for state in _ENDS},
    _K.REQUEST_CANCEL: {_S.INTENT: _S.CANCELLED}
    | {state: state for state in (_S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.UNKNOWN)},
    _K.CANCEL: dict.fromkeys((_S.INTENT, _S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.UNKNOWN), _S.CANCELLED),
    _K.REJECT: dict.fromkeys((_S.INTENT, _S.SENDING, _S.OPEN, _S.UNKNOWN), _S.REJECTED),
    _K.EXPIRE: dict.fromkeys((_S.INTENT, _S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED, _S.UNKNOWN), _S.EXPIRED),
    _K.LOSE: dict.fromkeys((_S.SENDING, _S.OPEN, _S.PARTIALLY_FILLED), _S.UNKNOWN),
    _K.PROVE_ABSENT: dict.fromkeys((_S.SENDING, _S.UNKNOWN), _S.INTENT),
}

#: The event that brings about each state.
EVENT_OF: dict[OrderState, EventKind] = {
    _S.INTENT: _K.PROVE_ABSENT,
    _S.SENDING: _K.SEND,
    _S.OPEN: _K.ACCEPT,
    _S.PARTIALLY_FILLED: _K.FILL,
    _S.FILLED: _K.FILL,
    _S.CANCELLED: _K.CANCEL,
    _S.REJECTED: _K.REJECT,
    _S.EXPIRED: _K.EXPIRE,
    _S.UNKNOWN: _K.LOSE,
}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened, with its cause in words; ``quantity`` is a fill's (base)."""

    kind: EventKind
    cause: str
    quantity: Decimal = Decimal(0)


@dataclass(frozen=True, slots=True)
class Life:
    """Where an order is, and what of its past still matters.

    Attributes
    ----------
    sent
        It was sent at some time, if only to be proven absent: a fill is then possible, however late.
    accepted
        The venue has had it at some time. That it never arrived can then no longer be proven.
    cancel_requested
        Somebody asked to cancel it.
    """

    client_order_id: str
    quantity: Decimal
    state: OrderState = OrderState.INTENT
    filled: Decimal = Decimal(0)
    sent: bool = False
    accepted: bool = False
    cancel_requested: bool = False

    @property
    def remaining(self) -> Decimal:
        """Quantity that may still be filled; 0 once the order has ended."""
        return Decimal(0) if self.state.terminal else self.quantity - self.filled


def apply(life: Life, event: Event) -> Life:
    """The life after an event.

    Raises
    ------
    HaltTrading
        If the event cannot happen in this state, fills more than was ordered or what was never sent, or
        denies the arrival of an order that the venue once had: ledger and venue contradict each other.
    """
    after = TABLE[event.kind].get(life.state)
    if after is None:
        raise _illegal(life, event)
    if event.kind is _K.FILL:
        return _filled(life, event, after)
    if event.kind is _K.REQUEST_CANCEL:
        return replace(life, state=after, cancel_requested=True)
    if event.kind is _K.PROVE_ABSENT:
        if life.accepted:
            raise _illegal(life, event, " (the venue has had it)")
        # Whoever asked to cancel it gets what they wanted: it is not sent again.
        return replace(life, state=_S.CANCELLED if life.cancel_requested else after)
    return replace(
        life, state=after, sent=life.sent or after is _S.SENDING, accepted=life.accepted or after is _S.OPEN
    )


def _filled(life: Life, event: Event, after: OrderState) -> Life:
    if life.state.terminal and not life.sent:
        raise _illegal(life, event, " (it was never sent)")
    total = EXACT.add(life.filled, event.quantity)
    if event.quantity <= 0 or total > life.quantity:
        raise HaltTrading(
            f"order {life.client_order_id}: {total} filled of {life.quantity} ordered: "
            "reconcile it with the venue"
        )
    if not life.state.terminal and total == life.quantity:
        after = _S.FILLED
    return replace(life, state=after, filled=total, accepted=True)


def _illegal(life: Life, event: Event, why: str = "") -> HaltTrading:
    wanted = TABLE[event.kind].values()
    target = next((state for state in EVENT_OF if EVENT_OF[state] is event.kind), next(iter(wanted)))
    allowed = ", ".join(kind for kind in EventKind if life.state in TABLE[kind])
    return HaltTrading(
        f"order {life.client_order_id} cannot go from {life.state} to {target} by {event.kind}{why}; "
        f"possible now: {allowed}. Compare the order with the venue before trading on"
    )
