"""What a daily run did, as a trader would ask for it: collected from the lake, the ledger and the run."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from apps.cli.audit import verified
from apps.cli.summary_market import (
    Gap,
    RatingLine,
    StrategyLine,
    gaps_of,
    rows_of,
    strategies_of,
    top_ratings,
)
from trading.model.days import end_ms
from trading.model.decision import Action, Decision, Outcome, Verdict
from trading.model.order import Fill, Order
from warehouse.lake import snapshots as snapshot_files
from warehouse.ledger import decisions, fills, orders, snapshots

if TYPE_CHECKING:
    from pipelines.outcome import CheckLine, DailyOutcome, RunLine
    from resources.platform import Platform
    from trading.ledger.chain import ChainReport
    from warehouse.lake.store import ObjectStore
    from warehouse.ledger.backend import Transaction

_CANDIDATES = 8


@dataclass(frozen=True, slots=True)
class Candidate:
    """An entry that the fork desk considered; ``reason`` is its trigger or the first failing rule."""

    decision_id: str
    symbol: str
    fork_score: float | None
    adjusted: float | None
    confidence: float | None
    fired: bool
    reason: str


@dataclass(frozen=True, slots=True)
class ReasonCount:
    """How many decisions of a desk went the same way for the same reason."""

    desk: str
    action: str
    result: str
    reason_code: str
    count: int


@dataclass(frozen=True, slots=True)
class Fired:
    """A decision to act and what the risk gate said; amounts in quote currency (exits: None)."""

    decision_id: str
    desk: str
    symbol: str
    action: str
    reason: str
    wanted: Decimal | None
    verdict: str
    verdict_reason: str
    allowed: Decimal | None


@dataclass(frozen=True, slots=True)
class Account:
    """Equity after the tick, and its change since the day began (or before the first tick)."""

    equity: Decimal
    cash: Decimal
    positions_value: Decimal
    change: Decimal | None
    unpriced_symbols: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class DailySummary:
    """The closing summary of `tidemill run daily`, in the order in which it is shown.

    ``bar_close_ms`` is the decision bar's close, or the end of a day that is history and not traded.
    """

    day: date
    traded: bool
    bar_close_ms: int
    succeeded: bool
    problems: tuple[str, ...]
    source: str
    rows: dict[str, int]
    symbols: int
    gaps: tuple[Gap, ...]
    checks_passed: int
    checks_failed: tuple[CheckLine, ...]
    ratings: tuple[RatingLine, ...]
    candidates: tuple[Candidate, ...]
    reasons: tuple[ReasonCount, ...]
    fired: tuple[Fired, ...]
    orders: tuple[Order, ...]
    fills: tuple[Fill, ...]
    account: Account | None
    strategies: tuple[StrategyLine, ...]
    audit: ChainReport
    runs: tuple[RunLine, ...]
    seconds: float
    explain: str | None


def summarise(platform: Platform, outcome: DailyOutcome) -> DailySummary:
    """Collect the summary of a run that has ended, well or not."""
    lake, day = platform.lake, outcome.day
    rows, symbols = rows_of(lake, day)
    known_until_ms = outcome.bar_close_ms if outcome.traded else end_ms(day)
    with platform.ledger.read() as tx:
        tick = outcome.tick_id
        decided = [] if tick is None else decisions.for_tick(tx, tick)
        verdicts = {} if tick is None else decisions.verdicts_for_tick(tx, tick)
        placed = [] if tick is None else orders.for_tick(tx, tick)
        done = [fill for order in placed for fill in fills.for_order(tx, order.client_order_id)]
        account = None if tick is None else _account(tx, lake.store, tick)
    fired = [_fired(decision, verdicts.get(decision.decision_id)) for decision in decided if _acts(decision)]
    return DailySummary(
        day=day,
        traded=outcome.traded,
        bar_close_ms=known_until_ms,
        succeeded=outcome.succeeded,
        problems=_problems(outcome),
        source=platform.settings.market_data.source,
        rows=rows,
        symbols=symbols,
        gaps=gaps_of(lake, day),
        checks_passed=sum(check.passed for check in outcome.checks),
        checks_failed=tuple(check for check in outcome.checks if not check.passed),
        ratings=top_ratings(lake, known_until_ms),
        candidates=_candidates(decided),
        reasons=_reasons(decided, verdicts),
        fired=tuple(fired),
        orders=tuple(placed),
        fills=tuple(done),
        account=account,
        strategies=strategies_of(lake, day),
        audit=verified(platform),
        runs=outcome.runs,
        seconds=outcome.seconds,
        explain=_worth_explaining(placed, fired, decided),
    )


def _acts(decision: Decision) -> bool:
    return decision.outcome is Outcome.FIRED


def _problems(outcome: DailyOutcome) -> tuple[str, ...]:
    failed = [
        f"{run.job}: {run.error or 'failed'} (run {run.run_id[:8]})"
        for run in outcome.runs
        if not run.succeeded
    ]
    if outcome.traded and outcome.tick_id is None:
        failed.append("no decision was made: a blocking check or a failed run stopped the day before it")
    return tuple(failed)


def _candidates(decided: list[Decision]) -> tuple[Candidate, ...]:
    entries = [item for item in decided if item.action is Action.ENTER and "fork_score" in item.inputs]
    found = [
        Candidate(
            decision_id=item.decision_id,
            symbol=item.symbol,
            fork_score=_number(item.inputs["fork_score"]),
            adjusted=_number(item.inputs.get("fork_adjusted")),
            confidence=_number(item.inputs.get("confidence")),
            fired=_acts(item),
            reason=item.reason_code,
        )
        for item in entries
    ]
    best = sorted(found, key=lambda item: (not item.fired, -(item.fork_score or 0.0), item.symbol))
    return tuple(best[:_CANDIDATES])


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _reasons(decided: list[Decision], verdicts: dict[str, Verdict]) -> tuple[ReasonCount, ...]:
    counts: Counter[tuple[str, str, str, str]] = Counter()
    for item in decided:
        verdict = verdicts.get(item.decision_id)
        result = item.outcome.value if verdict is None else verdict.kind.value
        refused = verdict is not None and verdict.kind.value == "refused"
        reason = verdict.reason_code if verdict is not None and refused else item.reason_code
        counts[item.desk, item.action.value, result, reason] += 1
    ordered = sorted(
        counts.items(), key=lambda entry: (entry[0][2] == "skipped", entry[0][0], -entry[1], entry[0])
    )
    return tuple(ReasonCount(*key, count) for key, count in ordered)


def _fired(decision: Decision, verdict: Verdict | None) -> Fired:
    exits = decision.action is Action.EXIT
    return Fired(
        decision_id=decision.decision_id,
        desk=decision.desk,
        symbol=decision.symbol,
        action=decision.action.value,
        reason=decision.reason_code,
        wanted=None if exits else decision.quote_amount,
        verdict="not judged" if verdict is None else verdict.kind.value,
        verdict_reason="" if verdict is None else verdict.reason_code,
        allowed=None if exits or verdict is None else verdict.quote_amount,
    )


def _account(tx: Transaction, store: ObjectStore, tick_id: str) -> Account | None:
    rows = tx.query("select * from equity where tick_id = :tick_id", {"tick_id": tick_id})
    if not rows:
        return None
    record = snapshots.load(tx, tick_id)
    before = None if record is None else snapshot_files.read(store, record).portfolio
    start = None if before is None else (before.equity_day_start or before.equity)
    return Account(
        equity=rows[0]["equity"],
        cash=rows[0]["cash"],
        positions_value=rows[0]["positions_value"],
        change=None if start is None else rows[0]["equity"] - start,
        unpriced_symbols=tuple(json.loads(rows[0]["unpriced_symbols"])),
    )


def _worth_explaining(placed: list[Order], fired: list[Fired], decided: list[Decision]) -> str | None:
    """The id of an order, else of a fired decision, else of any."""
    if placed:
        return placed[0].client_order_id
    if fired:
        return fired[0].decision_id
    return decided[0].decision_id if decided else None
