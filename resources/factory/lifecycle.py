"""Move strategies through their lives in the ledger: in from the search, up and down by what they did."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from trading.errors import BadData
from trading.factory.genes.genome import Genome
from trading.factory.genes.parse import parse
from trading.factory.lifecycle.activation import Plan, Standing, plan
from trading.factory.lifecycle.review import Action
from trading.factory.lifecycle.settings import LifecycleSettings
from trading.factory.lifecycle.states import Change, Event, State, person
from trading.factory.lifecycle.track import TrackRecord, since, track_record
from warehouse.ledger import controls, strategies, strategy_reviews
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.strategies import NewStrategy, Status

#: States in which a strategy trades, on paper or live.
TRADING = tuple(state for state in State if state.trades)
#: The steps that a person may ask for by approving.
_APPROVED = {State.LIVE_CANDIDATE: State.LIVE, State.PAUSED: State.PAPER}


@dataclass(frozen=True, slots=True)
class Tested:
    """A candidate of the search after its back-test and the promotion gate.

    Attributes
    ----------
    figures
        Of the back-test, JSON-safe; ``sharpe`` (annualised) is what a review compares with later.
    promoted
        Whether the gate lets it on paper.
    reason
        The gate's, in words.
    evidence
        The gate's checks, JSON-safe.
    """

    strategy_id: str
    genome: str
    origin: str
    figures: Mapping[str, Any]
    promoted: bool
    reason: str
    evidence: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entered:
    """How many candidates were new, and which went on paper."""

    new: int
    on_paper: tuple[str, ...]


def enter(ledger: Ledger, tested: Sequence[Tested], at_ms: int, *, actor: str = "factory") -> Entered:
    """Enter a night's candidates: new ones as back-tested, promoted ones on paper.

    A strategy that the ledger knows keeps its state, but one that was back-tested before and is promoted now
    goes on paper. The same night entered twice changes nothing.
    """
    with ledger.transaction() as tx:
        new = set(
            strategies.register(
                tx, [NewStrategy(each.strategy_id, each.genome, each.origin) for each in tested], actor, at_ms
            )
        )
        steps = [
            Change(each.strategy_id, State.BACKTESTED, each.reason, each.figures)
            for each in tested
            if each.strategy_id in new
        ]
        strategies.advance(tx, steps, actor, at_ms)
        states = strategies.states(tx, [each.strategy_id for each in tested])
        steps = [
            Change(each.strategy_id, State.PAPER, each.reason, each.evidence)
            for each in tested
            if each.promoted and states[each.strategy_id] is State.BACKTESTED
        ]
        strategies.advance(tx, steps, actor, at_ms)
    return Entered(len(new), tuple(step.strategy_id for step in steps))


def activate(
    ledger: Ledger,
    settings: LifecycleSettings,
    now_ms: int,
    *,
    live: bool,
    market_fit: Mapping[str, float] | None = None,
    gate: Mapping[str, str] | None = None,
    currency: str = "USDT",
) -> Plan:
    """Promote and demote by `trading.factory.lifecycle.activation.plan`, in one transaction.

    Parameters
    ----------
    live
        Whether the platform may make strategies live by itself (``factory.live``).
    market_fit
        How well the present market suits a strategy, 0 to 1 by id; unknown where absent.
    gate
        What the promotion gate says by id (`Standing.gate`); who is absent was not judged and does not pass.
        None leaves the gate out.
    """
    with ledger.transaction() as tx:
        standings = [
            replace(
                each,
                market_fit=(market_fit or {}).get(each.strategy_id, math.nan),
                gate=None if gate is None else gate.get(each.strategy_id, "not judged"),
            )
            for each in _standings(tx, settings, now_ms, currency)
        ]
        decided = plan(standings, settings.activation, now_ms, live=live, halted=controls.current(tx).halted)
        strategies.advance(tx, decided.changes, "activation", now_ms, live=live)
    return decided


def approve(
    ledger: Ledger, beginning: str, settings: LifecycleSettings, name: str, reason: str, at_ms: int
) -> Event:
    """A person's yes: a live candidate goes live, a paused strategy goes back on paper.

    Raises
    ------
    BadData
        If the strategy is in another state, trading is halted, or every live place is taken.
    """
    with ledger.transaction() as tx:
        status = strategies.find(tx, beginning)
        to_state = _APPROVED.get(status.state)
        if to_state is None:
            raise BadData(
                f"strategy {status.strategy_id} is {status.state}; only a live candidate (it goes live) or a paused "
                "one (it goes back on paper) can be approved"
            )
        places = settings.activation.live_places
        taken = len(strategies.current(tx, [State.LIVE]))
        if to_state is State.LIVE and taken >= places:
            raise BadData(
                f"strategy {status.strategy_id}: {taken} of {places} live places are taken; pause a live strategy "
                "or raise live_places"
            )
        return strategies.advance(tx, [Change(status.strategy_id, to_state, reason)], person(name), at_ms)[0]


def move(ledger: Ledger, beginning: str, to_state: State, name: str, reason: str, at_ms: int) -> Event:
    """A person's step of one strategy, such as pausing or retiring it.

    Raises
    ------
    BadData
        If the step is none that it may take.
    """
    with ledger.transaction() as tx:
        status = strategies.find(tx, beginning)
        return strategies.advance(tx, [Change(status.strategy_id, to_state, reason)], person(name), at_ms)[0]


def trading_strategies(tx: Transaction, *, live_only: bool = False) -> list[tuple[Status, float]]:
    """Every strategy that trades, with its allocation: a multiple of the desk's ordinary slot.

    ``live_only`` leaves out those that trade on paper: on an account with real money nothing else may.
    """
    reviews = strategy_reviews.newest(tx)
    return [
        (status, reviews[status.strategy_id].allocation if status.strategy_id in reviews else 1.0)
        for status in strategies.current(tx, [State.LIVE] if live_only else TRADING)
    ]


def seeds(tx: Transaction, before_ms: int, limit: int = 10) -> list[Genome]:
    """Genomes that a search starts from: those that traded before a moment, the best reviewed first.

    One that is to be replaced is left out. Without a review a strategy comes after those that have a grade.
    """
    reviews = strategy_reviews.newest(tx)
    ranked: list[tuple[float, str, str]] = []
    for status in strategies.current(tx, TRADING):
        found = reviews.get(status.strategy_id)
        if status.since_ms >= before_ms:
            continue
        if found is not None and found.action in (Action.REPLACE, Action.PAUSE):
            continue
        score = found.score if found is not None and not math.isnan(found.score) else -1.0
        ranked.append((-score, status.strategy_id, status.genome))
    return [parse(text) for _, _, text in sorted(ranked)[:limit]]


def records(
    tx: Transaction, statuses: Sequence[Status], window_days: int, now_ms: int, currency: str
) -> dict[str, TrackRecord]:
    """What each strategy did in the closed days of the window since it last came on paper, by id."""
    names = [status.strategy_id for status in statuses]
    fills = strategy_reviews.fills_of(tx, names)
    on_paper = strategies.newest_entries(tx, names, State.PAPER)
    return {
        name: track_record(fills[name], *since(on_paper[name].at_ms, now_ms, window_days), currency=currency)
        for name in names
    }


def backtest_sharpes(tx: Transaction, statuses: Sequence[Status]) -> dict[str, float]:
    """The annualised Sharpe ratio that each back-test promised; NaN where it is not on record."""
    names = [status.strategy_id for status in statuses]
    tested = strategies.newest_entries(tx, names, State.BACKTESTED)
    return {name: _number(tested[name].evidence.get("sharpe")) for name in names}


def _standings(tx: Transaction, settings: LifecycleSettings, now_ms: int, currency: str) -> list[Standing]:
    statuses = strategies.current(tx, TRADING)
    done = records(tx, statuses, settings.review.window_days, now_ms, currency)
    promised = backtest_sharpes(tx, statuses)
    reviews = strategy_reviews.newest(tx)
    return [
        Standing(
            strategy_id=status.strategy_id,
            state=status.state,
            since_ms=status.since_ms,
            record=done[status.strategy_id],
            backtest_sharpe=promised[status.strategy_id],
            being_replaced=status.strategy_id in reviews
            and reviews[status.strategy_id].action is Action.REPLACE,
        )
        for status in statuses
    ]


def _number(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else math.nan
