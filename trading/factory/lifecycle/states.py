"""The states of a strategy's life, and which may follow which."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import Any

from trading.errors import BadData


class State(StrEnum):
    """Where a strategy stands."""

    GENERATED = "generated"  # written down, not tested yet
    BACKTESTED = "backtested"
    PAPER = "paper"  # decides on the paper account
    LIVE_CANDIDATE = "live_candidate"  # passed paper; waits for a place or for a person
    LIVE = "live"
    PAUSED = "paused"  # opens nothing; a person may put it back on paper
    RETIRED = "retired"  # for good

    @property
    def trades(self) -> bool:
        """Whether a strategy in this state opens positions, on paper or live."""
        return self in (State.PAPER, State.LIVE_CANDIDATE, State.LIVE)


_FOLLOWERS: Mapping[State | None, frozenset[State]] = MappingProxyType(
    {
        None: frozenset({State.GENERATED}),
        State.GENERATED: frozenset({State.BACKTESTED, State.RETIRED}),
        State.BACKTESTED: frozenset({State.PAPER, State.RETIRED}),
        State.PAPER: frozenset({State.LIVE_CANDIDATE, State.PAUSED, State.RETIRED}),
        State.LIVE_CANDIDATE: frozenset({State.LIVE, State.PAPER, State.PAUSED, State.RETIRED}),
        State.LIVE: frozenset({State.LIVE_CANDIDATE, State.PAUSED, State.RETIRED}),
        State.PAUSED: frozenset({State.PAPER, State.RETIRED}),
        State.RETIRED: frozenset(),
    }
)
_PERSON = "person:"


@dataclass(frozen=True, slots=True)
class Change:
    """A step that somebody wants a strategy to take.

    Attributes
    ----------
    reason
        Why, in words.
    evidence
        The figures behind it, JSON-safe.
    """

    strategy_id: str
    to_state: State
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Event:
    """A step that was taken; ``sequence`` counts a strategy's steps from 1."""

    strategy_id: str
    sequence: int
    from_state: State | None
    to_state: State
    actor: str
    reason: str
    evidence: Mapping[str, Any]
    at_ms: int


def person(name: str) -> str:
    """The actor that a person is."""
    return f"{_PERSON}{name}"


def require_step(strategy_id: str, from_state: State | None, to_state: State) -> None:
    """Refuse a step that no strategy may take.

    Raises
    ------
    BadData
        Naming the strategy, both states and what may follow.
    """
    if to_state not in _FOLLOWERS[from_state]:
        may = ", ".join(sorted(_FOLLOWERS[from_state])) or "nothing"
        raise BadData(
            f"strategy {strategy_id}: {from_state or 'unknown'} → {to_state} is no step; after "
            f"{from_state or 'unknown'} may come: {may}"
        )


def require_live_right(strategy_id: str, to_state: State, actor: str, *, live: bool, halted: bool) -> None:
    """Refuse a step into `State.LIVE` that nobody allowed.

    Parameters
    ----------
    live
        Whether the settings let the platform itself make strategies live; a person always may.
    halted
        Whether the kill flag is set: then nobody may.

    Raises
    ------
    BadData
        If the step is not allowed.
    """
    if to_state is not State.LIVE:
        return
    if halted:
        raise BadData(
            f"strategy {strategy_id}: trading is halted, nothing goes live; `tidemill resume` first"
        )
    if not live and not actor.startswith(_PERSON):
        raise BadData(
            f"strategy {strategy_id}: {actor} may not make it live while factory.live is false; a person may: "
            f"`tidemill strategies approve {strategy_id}`"
        )
