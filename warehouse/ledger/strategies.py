"""Strategies and the steps of their lives: appended, never changed, each with an audit record."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trading.errors import BadData
from trading.factory.lifecycle.states import Change, Event, State, require_live_right, require_step
from trading.model.canonical import canonical_json
from warehouse.ledger import audit, controls
from warehouse.ledger.backend import Transaction

_EVENT = "strategy_id, sequence, from_state, to_state, actor, reason, evidence, at_ms"
#: Ids in one statement.
_CHUNK = 500
_LAST = (
    "not exists (select 1 from strategy_events n"
    " where n.strategy_id = e.strategy_id and n.sequence = e.sequence + 1)"
)


@dataclass(frozen=True, slots=True)
class NewStrategy:
    """A strategy that enters the ledger: its genome as canonical JSON, and where it came from."""

    strategy_id: str
    genome: str
    origin: str


@dataclass(frozen=True, slots=True)
class Status:
    """Where a strategy stands: its newest step."""

    strategy_id: str
    genome: str
    origin: str
    born_at_ms: int
    state: State
    since_ms: int
    actor: str
    reason: str


def register(tx: Transaction, new: Sequence[NewStrategy], actor: str, at_ms: int) -> list[str]:
    """Enter strategies as *generated*, and return the ids of those that were not known yet.

    Raises
    ------
    BadData
        If a known id has another genome.
    """
    given = {each.strategy_id: each for each in new}
    known: dict[str, str] = {}
    for names, places in chunks(list(given)):
        rows = tx.query(f"select strategy_id, genome from strategies where strategy_id in ({places})", names)
        known |= {row["strategy_id"]: row["genome"] for row in rows}
    for name, genome in known.items():
        if given[name].genome != genome:
            raise BadData(
                f"strategy {name}: the ledger holds another genome under this id; ids are content hashes"
            )
    fresh = [each for name, each in given.items() if name not in known]
    tx.execute_many(
        "insert into strategies (strategy_id, genome, origin, born_at_ms) values (:id, :genome, :origin, :at_ms)",
        [
            {"id": each.strategy_id, "genome": each.genome, "origin": each.origin, "at_ms": at_ms}
            for each in fresh
        ],
    )
    changes = [
        Change(each.strategy_id, State.GENERATED, "generated", {"origin": each.origin}) for each in fresh
    ]
    advance(tx, changes, actor, at_ms)
    return [each.strategy_id for each in fresh]


def advance(
    tx: Transaction, changes: Sequence[Change], actor: str, at_ms: int, *, live: bool = False
) -> list[Event]:
    """Take steps in the given order, all or none; each appends an event and an audit record.

    Parameters
    ----------
    actor
        Who wants it: "factory", "reviewer", "activation", or a person (`states.person`).
    live
        Whether the settings let the platform itself make strategies live.

    Raises
    ------
    BadData
        If a strategy is unknown or a step is none that it may take.
    """
    last = _last_steps(tx, [change.strategy_id for change in changes])
    halted = controls.current(tx).halted
    events = []
    for change in changes:
        name = change.strategy_id
        sequence, state = last.get(name, (0, None))
        require_step(name, state, change.to_state)
        require_live_right(name, change.to_state, actor, live=live, halted=halted)
        if not change.reason:
            raise BadData(f"strategy {name}: a step to {change.to_state} needs a reason")
        evidence = json.loads(canonical_json(dict(change.evidence)))
        events.append(
            Event(name, sequence + 1, state, change.to_state, actor, change.reason, evidence, at_ms)
        )
        last[name] = (sequence + 1, change.to_state)
    rows = [_row(event) for event in events]
    tx.execute_many(
        f"insert into strategy_events ({_EVENT}) values (:strategy_id, :sequence, :from_state, :to_state,"
        " :actor, :reason, :evidence, :at_ms)",
        [{**row, "evidence": canonical_json(row["evidence"])} for row in rows],
    )
    audit.append_all(tx, [audit.Entry("strategy", row["strategy_id"], row) for row in rows], at_ms)
    return events


def current(tx: Transaction, states: Sequence[State]) -> list[Status]:
    """Every strategy that is in one of the states, the longest there first."""
    if not states:
        return []
    names = {f"s{i}": state.value for i, state in enumerate(states)}
    return _statuses(tx, f"e.to_state in ({', '.join(f':{name}' for name in names)})", names)


def states(tx: Transaction, strategy_ids: Sequence[str]) -> dict[str, State]:
    """The state of each strategy that the ledger knows; the others are absent."""
    found: dict[str, State] = {}
    for names, places in chunks(strategy_ids):
        rows = tx.query(
            f"select strategy_id, to_state from strategy_events e where strategy_id in ({places}) and {_LAST}",
            names,
        )
        found |= {row["strategy_id"]: State(row["to_state"]) for row in rows}
    return found


def counts(tx: Transaction) -> dict[State, int]:
    """How many strategies are in each state; states without any are absent."""
    rows = tx.query(
        f"select to_state, count(*) as strategies from strategy_events e where {_LAST} group by to_state"
    )
    return {State(row["to_state"]): int(row["strategies"]) for row in rows}


def find(tx: Transaction, beginning: str) -> Status:
    """The one strategy whose id begins so.

    Raises
    ------
    BadData
        If none or several do.
    """
    if not beginning or not set(beginning) <= set("0123456789abcdef"):
        raise BadData(f"strategy id {beginning!r}: write the beginning of an id, hex digits")
    rows = _statuses(tx, "e.strategy_id like :beginning", {"beginning": f"{beginning}%"})
    if not rows:
        raise BadData(
            f"strategy {beginning}: the ledger knows none whose id begins so; `tidemill strategies list`"
        )
    if len(rows) > 1:
        raise BadData(f"strategy {beginning}: {len(rows)} ids begin so; write more of it")
    return rows[0]


def history(tx: Transaction, strategy_id: str) -> list[Event]:
    """Every step of a strategy, oldest first."""
    rows = tx.query(
        f"select {_EVENT} from strategy_events where strategy_id = :id order by sequence", {"id": strategy_id}
    )
    return [_event(row) for row in rows]


def newest_entries(tx: Transaction, strategy_ids: Sequence[str], to_state: State) -> dict[str, Event]:
    """The step with which each strategy last came into a state; absent where it never did."""
    found: dict[str, Event] = {}
    for names, places in chunks(strategy_ids):
        rows = tx.query(
            f"select {_EVENT} from strategy_events where to_state = :state"
            f" and strategy_id in ({places}) order by sequence",
            {**names, "state": to_state.value},
        )
        found |= {row["strategy_id"]: _event(row) for row in rows}
    return found


def contradiction(tx: Transaction) -> str:
    """Where steps and their audit records disagree, in words; empty if they agree.

    The audit chain proves its own records (`audit.verify`); this proves the table against them.
    """
    sealed = tx.query("select payload from audit where kind = 'strategy' order by sequence")
    steps = {
        (row["strategy_id"], row["sequence"]): canonical_json(_row(_event(row)))
        for row in tx.query(f"select {_EVENT} from strategy_events")
    }
    for record in sealed:
        told = json.loads(record["payload"])
        name, sequence = told["strategy_id"], told["sequence"]
        found = steps.pop((name, sequence), None)
        if found is None:
            return f"strategy {name}: step {sequence} is in the audit trail and not in the ledger"
        if found != record["payload"]:
            return f"strategy {name}: step {sequence} differs from its audit record"
    if steps:
        name, sequence = min(steps)
        return f"strategy {name}: step {sequence} has no audit record"
    return ""


def _statuses(tx: Transaction, condition: str, params: Mapping[str, Any]) -> list[Status]:
    rows = tx.query(
        "select s.strategy_id, s.genome, s.origin, s.born_at_ms, e.to_state as state, e.at_ms as since_ms,"
        " e.actor, e.reason from strategy_events e join strategies s on s.strategy_id = e.strategy_id"
        f" where {condition} and {_LAST} order by e.at_ms, s.strategy_id",
        params,
    )
    return [Status(**{**row, "state": State(row["state"])}) for row in rows]


def _last_steps(tx: Transaction, strategy_ids: Sequence[str]) -> dict[str, tuple[int, State | None]]:
    found: dict[str, tuple[int, State | None]] = {}
    known: set[str] = set()
    for names, places in chunks(list(dict.fromkeys(strategy_ids))):
        rows = tx.query(
            f"select strategy_id, sequence, to_state from strategy_events e"
            f" where strategy_id in ({places}) and {_LAST}",
            names,
        )
        found |= {row["strategy_id"]: (row["sequence"], State(row["to_state"])) for row in rows}
        rows = tx.query(f"select strategy_id from strategies where strategy_id in ({places})", names)
        known |= {row["strategy_id"] for row in rows}
    if unknown := sorted(set(strategy_ids) - known):
        raise BadData(f"strategy {unknown[0]}: the ledger does not know it; register it first")
    return found


def chunks(names: Sequence[str]) -> Iterator[tuple[dict[str, str], str]]:
    """Parameters and their places in an SQL list, some hundred names at a time."""
    for first in range(0, len(names), _CHUNK):
        part = {f"n{i}": name for i, name in enumerate(names[first : first + _CHUNK])}
        yield part, ", ".join(f":{place}" for place in part)


def _row(event: Event) -> dict[str, Any]:
    return {
        "strategy_id": event.strategy_id,
        "sequence": event.sequence,
        "from_state": event.from_state.value if event.from_state else None,
        "to_state": event.to_state.value,
        "actor": event.actor,
        "reason": event.reason,
        "evidence": event.evidence,
        "at_ms": event.at_ms,
    }


def _event(row: dict[str, Any]) -> Event:
    before = row["from_state"]
    return Event(
        **{
            **row,
            "from_state": State(before) if before else None,
            "to_state": State(row["to_state"]),
            "evidence": json.loads(row["evidence"]),
        }
    )
