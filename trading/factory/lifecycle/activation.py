"""Who leaves paper, who is live, and who makes room: decided every few hours from what strategies did."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trading.factory.lifecycle.settings import ActivationSettings
from trading.factory.lifecycle.states import Change, State
from trading.factory.lifecycle.track import TrackRecord
from trading.factory.lifecycle.weights import Weighted, clamped, weighted
from trading.model.check import at_least, at_most, must_be
from trading.model.decision import Check
from trading.model.interval import DAY_MS

#: What `Standing.gate` says of a strategy that passed.
GATE_PASSED = "passed"


@dataclass(frozen=True, slots=True)
class Standing:
    """A strategy that trades, and all that speaks for or against it. NaN is unknown.

    Attributes
    ----------
    since_ms
        When it came into its state.
    market_fit, sentiment
        How well the present market suits it and what is said of its pairs, 0 to 1.
    gate
        What the promotion gate says: ``"passed"``, or what failed. None: it is not asked. Who is live already
        is not asked again.
    being_replaced
        The last review wants another in its place: it gets no place, and keeps none on a tie.
    """

    strategy_id: str
    state: State
    since_ms: int
    record: TrackRecord
    backtest_sharpe: float = math.nan
    market_fit: float = math.nan
    sentiment: float = math.nan
    gate: str | None = None
    being_replaced: bool = False


@dataclass(frozen=True, slots=True)
class Place:
    """Where a strategy came in the contest for live places, with the filters that it must pass."""

    standing: Standing
    score: Weighted
    checks: tuple[Check, ...]

    @property
    def strategy_id(self) -> str:
        """Whose place it is."""
        return self.standing.strategy_id

    @property
    def is_live(self) -> bool:
        """Whether it is live already."""
        return self.standing.state is State.LIVE

    @property
    def failed(self) -> tuple[str, ...]:
        """Filters that it does not pass."""
        return tuple(check.name for check in self.checks if not check.passed)

    @property
    def evidence(self) -> dict[str, Any]:
        """The figures behind a decision about it, JSON-safe."""
        return {
            "score": self.score.score,
            "parts": self.score.parts,
            "missing": list(self.score.missing),
            "checks": [
                {
                    "name": check.name,
                    "passed": check.passed,
                    "value": check.value,
                    "limit": check.limit,
                }
                for check in self.checks
            ],
        }


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to change, in an order in which every step is legal.

    Attributes
    ----------
    places
        Everyone who may have a live place, best first.
    waiting
        Ids of live candidates that have a place but wait for a person, best first.
    """

    changes: tuple[Change, ...]
    places: tuple[Place, ...]
    waiting: tuple[str, ...]


def plan(
    standings: Iterable[Standing],
    settings: ActivationSettings,
    now_ms: int,
    *,
    live: bool,
    halted: bool,
) -> Plan:
    """Decide who moves. Who is live already comes first among equals.

    Parameters
    ----------
    live
        Whether the platform may make strategies live by itself; else candidates wait for a person, and who
        is live gives way only where it fails the filters or there are fewer places.
    halted
        Whether the kill flag is set: then nobody goes live.
    """
    everyone = [_judge(standing, settings) for standing in standings if standing.state.trades]
    steps = {place.standing.strategy_id: _own_step(place, settings, now_ms) for place in everyone}
    contest = sorted((place for place in everyone if _takes_part(place, steps)), key=_rank)
    automatic = live and not halted
    winners = _winners(contest, settings.live_places, automatic=automatic)
    changes = [step for step in steps.values() if step is not None]
    changes += [
        Change(place.strategy_id, State.LIVE_CANDIDATE, _outscored(place, contest), place.evidence)
        for place in contest
        if place.is_live and place.strategy_id not in winners
    ]
    next_in = [place for place in contest if place.strategy_id in winners and not place.is_live]
    if not automatic:
        return Plan(tuple(changes), tuple(contest), tuple(place.strategy_id for place in next_in))
    among = f"is among the best {settings.live_places}"
    changes += [
        Change(place.strategy_id, State.LIVE, f"score {place.score.score:.3f} {among}", place.evidence)
        for place in next_in
    ]
    return Plan(tuple(changes), tuple(contest), ())


def _judge(standing: Standing, settings: ActivationSettings) -> Place:
    record = standing.record
    checks = [
        at_least("sharpe", record.sharpe, settings.minimum_sharpe, "own trades, annualised"),
        at_most("drawdown_fraction", record.max_drawdown_fraction, settings.maximum_drawdown_fraction),
        at_least("trades", record.trades, settings.minimum_trades, "closed"),
    ]
    if standing.gate is not None and standing.state is not State.LIVE:
        checks.append(must_be("gate", standing.gate, GATE_PASSED))
    parts = {
        "performance": clamped(record.sharpe / settings.full_sharpe),
        "backtest": clamped(standing.backtest_sharpe / settings.full_sharpe),
        "market": clamped(standing.market_fit),
        "risk": clamped(1 - record.max_drawdown_fraction / settings.maximum_drawdown_fraction),
        "sentiment": clamped(standing.sentiment),
    }
    weights = {name: getattr(settings, f"{name}_weight") for name in parts}
    return Place(standing, weighted(parts, weights), tuple(checks))


def _own_step(place: Place, settings: ActivationSettings, now_ms: int) -> Change | None:
    """The step that a strategy takes whatever the others do; None where it stays."""
    standing, failed = place.standing, place.failed
    fails = f"fails {', '.join(failed)}"
    if standing.state is not State.PAPER:
        to_state = State.PAUSED if place.is_live else State.PAPER
        return Change(place.strategy_id, to_state, fails, place.evidence) if failed else None
    days = (now_ms - standing.since_ms) / DAY_MS
    if days < settings.paper_days_minimum:
        return None
    if not failed:
        passed = f"passed {days:.1f} days on paper"
        return Change(place.strategy_id, State.LIVE_CANDIDATE, passed, place.evidence)
    if days >= settings.paper_days_maximum:
        over = f"{fails} after {days:.1f} days on paper"
        return Change(place.strategy_id, State.RETIRED, over, place.evidence)
    return None


def _takes_part(place: Place, steps: Mapping[str, Change | None]) -> bool:
    step = steps[place.strategy_id]
    state = place.standing.state if step is None else step.to_state
    return state in (State.LIVE_CANDIDATE, State.LIVE)


def _rank(place: Place) -> tuple[bool, float, bool, str]:
    # Compared to nine digits: what differs only by rounding is a tie.
    score = round(place.score.score, 9)
    return place.standing.being_replaced, -score, not place.is_live, place.strategy_id


def _winners(contest: Sequence[Place], places: int, *, automatic: bool) -> set[str]:
    """Who is to be live or, where a person decides, who is next to be asked for."""
    able = [place for place in contest if place.is_live or not place.standing.being_replaced]
    if not automatic:
        able.sort(key=lambda place: not place.is_live)
    return {place.strategy_id for place in able[:places]}


def _outscored(place: Place, contest: Sequence[Place]) -> str:
    return f"outscored: {place.score.score:.3f}, the best has {contest[0].score.score:.3f}"
