"""What a venue's report means for an order: the events that it adds to the order's life."""

from __future__ import annotations

from decimal import Decimal

from trading.execution.lifecycle import EVENT_OF, Event, EventKind, Life
from trading.model.order import OrderState
from trading.ports import OrderReport

_IN_DOUBT = frozenset({OrderState.SENDING, OrderState.UNKNOWN})
_NO_NEWS = frozenset({OrderState.INTENT, OrderState.SENDING, OrderState.UNKNOWN})


def events_of(life: Life, report: OrderReport) -> tuple[Event, ...]:
    """Events that bring an order up to a report whose fills are booked already.

    Reports come late, twice and in any order, so that an earlier state after a later one is old news and
    adds nothing. An end is believed only when every fill that the venue counts is booked: an order that
    has ended is no longer asked about, and a fill that was missing then would be lost.

    Parameters
    ----------
    life
        The order with the fills of the report booked.
    """
    if life.state.terminal or life.state is OrderState.INTENT or report.state in _NO_NEWS:
        return ()
    cause = report.reason or "venue report"
    executed = life.quantity if report.state is OrderState.FILLED else report.executed or Decimal(0)
    ended = report.state.terminal and report.state is not OrderState.FILLED
    if ended and life.filled >= executed:
        return (Event(EVENT_OF[report.state], cause),)
    if life.state in _IN_DOUBT:
        return (Event(EventKind.ACCEPT, cause),)
    return ()
