"""Re-arming in two steps: see what is open and get a code, then confirm with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from resources.killswitch.aftermath import (
    CancelledOrder,
    GuardAction,
    cancelled_since_halt,
    done_by_guard,
)
from resources.killswitch.evidence import catch_up
from trading.errors import BadData, RetryLater
from trading.model.interval import MINUTE_MS
from trading.model.order import Order, OrderState
from trading.model.snapshot import Controls, Position
from warehouse.flags import kill_flag, rearm
from warehouse.flags.heartbeat import Beat
from warehouse.flags.heartbeat import read as read_beat
from warehouse.flags.kill_flag import KillFlag
from warehouse.ledger import audit, breaks, controls, orders, portfolio
from warehouse.ledger.backend import Ledger
from warehouse.ledger.breaks import StoredBreak

VALID_MINUTES = 10
_SUBJECT = "halted"
_OPEN = tuple(state for state in OrderState if not state.terminal)


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a person should have seen before trading goes on.

    Attributes
    ----------
    flag, control
        The halt as the file and as the ledger have it.
    open_orders
        Every order that is not terminal, by the ledger.
    heartbeats
        The newest beat of each name; None where there never was one.
    breaks
        What ledger and venue still disagree on.
    cancelled
        Orders of ours that ended since the halt, by the ledger.
    by_guard
        What the guard did at the venue in this halt.
    journal_problem
        Why the guard's journal could not be carried into the audit trail; empty when it could.
    """

    flag: KillFlag
    control: Controls
    open_orders: tuple[Order, ...]
    positions: tuple[Position, ...]
    heartbeats: dict[str, Beat | None]
    breaks: tuple[StoredBreak, ...] = ()
    cancelled: tuple[CancelledOrder, ...] = ()
    by_guard: tuple[GuardAction, ...] = ()
    journal_problem: str = ""

    @property
    def halted(self) -> bool:
        """Whether anything is to be re-armed."""
        return self.flag.halted or self.control.halted

    @property
    def unknown(self) -> tuple[Order, ...]:
        """Orders of which it is not known whether they are at the venue."""
        doubtful = (OrderState.SENDING, OrderState.UNKNOWN)
        return tuple(order for order in self.open_orders if order.state in doubtful)


@dataclass(frozen=True, slots=True)
class Offer:
    """The first step: what was seen, and the code (empty when nothing is halted)."""

    outlook: Outlook
    code: str = ""
    expires_at_ms: int = 0


def look(ledger: Ledger, folder: Path, heartbeats: tuple[str, ...], now_ms: int) -> Outlook:
    """Everything open, after the ledger has caught up with the files."""
    caught = catch_up(ledger, folder, now_ms)
    flag = kill_flag.read(folder)
    halted = flag.halted or caught.controls.halted
    with ledger.read() as tx:
        return Outlook(
            flag=flag,
            control=caught.controls,
            open_orders=tuple(orders.in_states(tx, _OPEN)),
            positions=portfolio.positions(tx),
            heartbeats={name: read_beat(folder, name) for name in heartbeats},
            breaks=tuple(breaks.open_breaks(tx)),
            cancelled=cancelled_since_halt(tx) if halted else (),
            by_guard=done_by_guard(folder, flag.kill_id) if halted else (),
            journal_problem=caught.problem,
        )


def offer(ledger: Ledger, folder: Path, heartbeats: tuple[str, ...], by: str, now_ms: int) -> Offer:
    """The first step: look, and make a code that re-arms this very halt. Audited without the code.

    Raises
    ------
    RetryLater
        If the ledger is out of reach: nobody can know what is open, so nothing is re-armed.
    """
    seen = look(ledger, folder, heartbeats, now_ms)
    if not seen.halted:
        return Offer(seen)
    code, request = rearm.issue(
        folder,
        flag_changed_at_ms=seen.flag.changed_at_ms,
        control_changed_at_ms=seen.control.changed_at_ms,
        now_ms=now_ms,
        valid_ms=VALID_MINUTES * MINUTE_MS,
    )
    payload = {
        "by": by,
        "expires_at_ms": request.expires_at_ms,
        "open_orders": len(seen.open_orders),
        "unknown_orders": len(seen.unknown),
        "positions": len(seen.positions),
        "open_breaks": len(seen.breaks),
    }
    with ledger.transaction() as tx:
        audit.append(tx, "rearm_requested", _SUBJECT, payload, now_ms)
    return Offer(seen, code, request.expires_at_ms)


def confirm(ledger: Ledger, folder: Path, code: str, reason: str, by: str, now_ms: int) -> Controls:
    """The second step: lift the halt in the ledger, then in the file; a crash between leaves it halted.

    Returns
    -------
    Controls
        The halt that was lifted.

    Raises
    ------
    BadData
        If the code is wrong, used or run out. That is audited.
    RetryLater
        If something halted anew since the code was made, or the ledger is out of reach.
    """
    with ledger.read():
        pass  # out of reach? Then the code must not be used up
    try:
        request = rearm.redeem(folder, code, now_ms)
    except BadData as error:
        with ledger.transaction() as tx:
            audit.append(tx, "rearm_refused", _SUBJECT, {"by": by, "why": str(error)}, now_ms)
        raise
    flag = kill_flag.read(folder)
    with ledger.transaction() as tx:
        before = controls.current(tx)
        seen = (request.flag_changed_at_ms, request.control_changed_at_ms)
        if (flag.changed_at_ms, before.changed_at_ms) != seen:
            raise RetryLater("trading was halted anew since the code was made; run tidemill resume again")
        controls.resume(tx, reason, by, max(now_ms, before.changed_at_ms + 1))
    if flag.halted:
        kill_flag.lift(folder, flag, reason, by, now_ms)
    return kill_flag.merged(flag, before)
