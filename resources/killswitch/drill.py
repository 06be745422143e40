"""The drill: real entries at a local exchange, a real guard, and a halt; what came of it is evidence."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

from resources.killswitch.drill_range import DrillRange, now_ms
from trading.errors import TradingError
from trading.model.canonical import digest
from warehouse.flags import kill_flag
from warehouse.flags.files import JOURNAL_FILE
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.journal import read_journal
from warehouse.ledger import audit
from warehouse.ledger.backend import Ledger

#: Kind of a drill's audit record.
DRILL = "kill_drill"
_ENTRIES = 6
_HEARTBEAT_TIMEOUT_SECONDS = 1.0
_LONGEST_SECONDS = 30.0
#: Longest time from halt to no open entry that passes.
GOAL_SECONDS = 2.0


class Trigger(StrEnum):
    """What halts trading in a drill: the flag, or a heartbeat that stops."""

    FLAG = "flag"
    HEARTBEAT = "heartbeat"


@dataclass(frozen=True, slots=True)
class DrillResult:
    """What a drill showed.

    Attributes
    ----------
    seconds_to_no_entries
        From the halt (for a heartbeat: from the end of its timeout) until the exchange showed none; None
        when that did not come.
    stops_kept, all_protected
        Whether every stop was still there, and every position had one.
    journal_hash
        Hash of the guard's last record, which seals what it did.
    problem
        Why the drill did not pass; empty when it did.
    """

    drill_id: str
    trigger: Trigger
    started_at_ms: int
    entries: int
    seconds_to_no_entries: float | None
    stops_kept: bool
    all_protected: bool
    journal_records: int
    journal_hash: str
    problem: str = ""

    @property
    def passed(self) -> bool:
        """Whether the chain did what it must, in time."""
        return not self.problem


def run_drill(trigger: Trigger = Trigger.HEARTBEAT) -> DrillResult:
    """Drill the kill chain once. A failure is a result, not an error: it must become evidence too."""
    started_at_ms = now_ms()
    drill_id = digest(DRILL, started_at_ms, trigger)[:32]
    guard = {
        "heartbeat_timeout_seconds": _HEARTBEAT_TIMEOUT_SECONDS,
        "poll_seconds": 0.05,
        "recheck_seconds": 0.5,
    }
    try:
        with DrillRange(guard) as at:
            return _drill(at, drill_id, trigger, started_at_ms)
    except TradingError as error:
        return DrillResult(drill_id, trigger, started_at_ms, _ENTRIES, None, False, False, 0, "", str(error))


def record(ledger: Ledger, result: DrillResult, at_ms: int) -> None:
    """Put a drill into the audit trail."""
    with ledger.transaction() as tx:
        audit.append(tx, DRILL, result.drill_id, evidence(result), at_ms)


def evidence(result: DrillResult) -> dict[str, Any]:
    """A result as plain content, with whether it passed."""
    return {**asdict(result), "passed": result.passed}


def _drill(at: DrillRange, drill_id: str, trigger: Trigger, started_at_ms: int) -> DrillResult:
    at.open_positions()
    at.place_entries(_ENTRIES)
    stops = at.stops()
    at.start_guard()
    begun = _halt(at, trigger)
    problem, seconds = "", None
    try:
        seconds = at.wait("no entry is left", lambda: at.entries() == 0, _LONGEST_SECONDS) - begun
        at.wait("every position is protected", lambda: not at.unprotected(), _LONGEST_SECONDS)
        at.wait("the guard has written that down", lambda: _contained(at), _LONGEST_SECONDS)
    except TradingError as error:
        problem = str(error)
    kept, bare = stops <= at.stops(), at.unprotected()
    at.stop_guard()
    records = read_journal(at.folder / JOURNAL_FILE)
    if not problem and not kept:
        problem = "a protective stop is gone"
    if not problem and seconds is not None and seconds > GOAL_SECONDS:
        problem = f"no entry was left only after {seconds:.2f} s; {GOAL_SECONDS:g} s are allowed"
    return DrillResult(
        drill_id,
        trigger,
        started_at_ms,
        _ENTRIES,
        seconds,
        kept,
        not bare,
        len(records),
        records[-1].hash if records else "",
        problem,
    )


def _contained(at: DrillRange) -> bool:
    return any(record.kind == "contained" for record in read_journal(at.folder / JOURNAL_FILE))


def _halt(at: DrillRange, trigger: Trigger) -> float:
    """Halt; returns the moment (Unix seconds) from which the guard's time counts."""
    if trigger is Trigger.FLAG:
        begun = time.time()
        kill_flag.halt(at.folder, "drill", "kill_drill", now_ms())
        return begun
    heart = Heartbeat(at.folder, "live")
    for _ in range(3):
        heart.beat(now_ms())
        begun = time.time()
        time.sleep(0.1)
    return begun + _HEARTBEAT_TIMEOUT_SECONDS
