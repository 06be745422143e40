"""The guard's evidence: what it saw and did, in a journal that must never keep it from acting."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from apps.guard.hands import Outcome
from resources.redaction import redacted
from trading.guard.policy import Action, Cancel, Kill, Protect, Reduce
from trading.model.canonical import canonical_json
from trading.ports import Clock
from warehouse.flags.journal import Journal

#: Kind of the records that a restart reads.
BASELINE = "baseline"


class Evidence:
    """Writes records, and says on stderr what it could not write.

    Parameters
    ----------
    journal
        None while it cannot be opened (a full disk, say).
    """

    def __init__(self, journal: Journal | None, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._last_problem = ""

    def record(self, kind: str, subject: str, payload: Any) -> None:
        """Make a record durable, if the disk lets us; what it says goes to stderr as well."""
        say(f"{kind} {subject} {canonical_json(payload)}")
        if self._journal is None:
            return
        try:
            self._journal.append(kind, subject, payload, self._clock.now_ms())
        except OSError as error:
            say(f"the journal does not take a record: {error}")

    def problem(self, text: str) -> None:
        """Record a problem, once until it changes; empty text: there is none any more."""
        if text and text != self._last_problem:
            self.record("problem", "guard", {"message": redacted(text)})
        self._last_problem = text

    def remembered(self, kill_id: str) -> Kill:
        """A halt as an earlier process recorded it, or a new one."""
        for record in reversed(self._journal.records if self._journal else []):
            if record.kind == BASELINE and record.subject == kill_id:
                return kill_of(kill_id, record.payload)
        return Kill(kill_id)


def kill_of(kill_id: str, payload: str) -> Kill:
    """The halt that a baseline record holds."""
    fields = json.loads(payload)
    sizes = {name: Decimal(size) for name, size in fields["sizes"].items()}
    return Kill(kill_id, sizes, fields["seen_at_ms"])


def baseline(kill: Kill) -> dict[str, Any]:
    """What a restart must know of a halt."""
    return {"sizes": dict(kill.baseline), "seen_at_ms": dict(kill.seen_at_ms)}


def words(action: Action) -> dict[str, Any]:
    """An action as evidence."""
    match action:
        case Cancel(order):
            return {
                "do": "cancel",
                "symbol": order.symbol,
                "client_order_id": order.client_order_id,
                "venue_order_id": order.venue_order_id,
                "side": order.side,
                "type": order.order_type,
                "remaining": order.quantity - order.executed,
            }
        case Protect(holding, side, quantity, price, key):
            return {
                "do": "protect",
                "holding": holding.text,
                "side": side,
                "quantity": quantity,
                "stop_price": price,
                "client_order_id": key,
            }
        case Reduce(holding, side, quantity, key):
            return {
                "do": "reduce",
                "holding": holding.text,
                "side": side,
                "quantity": quantity,
                "client_order_id": key,
            }


def results(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """What came of each action, as evidence."""
    return [
        {
            **words(item.action),
            "error": "" if item.error is None else redacted(f"{type(item.error).__name__}: {item.error}"),
        }
        for item in outcomes
    ]


def say(text: str) -> None:
    """A line for the service's log."""
    sys.stderr.write(f"guard: {redacted(text)}\n")
    sys.stderr.flush()
