"""Reviews of strategies that trade, one a day each, and the fills they judge by."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import date
from typing import Any

from trading.factory.lifecycle.review import Action, Grade, Review
from trading.model.canonical import canonical_json
from trading.model.order import Fill, Side
from warehouse.ledger import audit
from warehouse.ledger.backend import Transaction
from warehouse.ledger.strategies import chunks


@dataclass(frozen=True, slots=True)
class StoredReview:
    """The newest review of a strategy."""

    strategy_id: str
    review_day: date
    grade: Grade
    score: float
    action: Action
    allocation: float


def record(tx: Transaction, strategy_id: str, day: date, review: Review, at_ms: int) -> bool:
    """Store a day's review unless there is one; returns whether it was new."""
    plain = {**asdict(review), "missing": list(review.missing), "reasons": list(review.reasons)}
    evidence = canonical_json(plain)
    inserted = tx.execute(
        "insert into strategy_reviews (strategy_id, review_day, grade, score, action, allocation_before,"
        " allocation_after, evidence, at_ms) values (:id, :day, :grade, :score, :action, :before, :after,"
        " :evidence, :at_ms) on conflict do nothing",
        {
            "id": strategy_id,
            "day": day.isoformat(),
            "grade": review.grade,
            "score": review.score,
            "action": review.action,
            "before": review.allocation_before,
            "after": review.allocation_after,
            "evidence": evidence,
            "at_ms": at_ms,
        },
    )
    if inserted == 1:
        audit.append(tx, "strategy_review", strategy_id, {**plain, "day": day.isoformat()}, at_ms)
    return inserted == 1


def newest(tx: Transaction, before: date | None = None) -> dict[str, StoredReview]:
    """The newest review of every strategy that has one, by id; with ``before``, of the days before it."""
    rows = tx.query(
        "select r.strategy_id, r.review_day, r.grade, r.score, r.action, r.allocation_after from strategy_reviews r"
        " join (select strategy_id, max(review_day) as review_day from strategy_reviews"
        " where review_day < :before group by strategy_id) l"
        " on l.strategy_id = r.strategy_id and l.review_day = r.review_day",
        {"before": before.isoformat() if before else "9999"},
    )
    return {row["strategy_id"]: _stored(row) for row in rows}


def of_strategy(tx: Transaction, strategy_id: str) -> list[StoredReview]:
    """Every review of a strategy, oldest first."""
    rows = tx.query(
        "select strategy_id, review_day, grade, score, action, allocation_after from strategy_reviews"
        " where strategy_id = :id order by review_day",
        {"id": strategy_id},
    )
    return [_stored(row) for row in rows]


def fills_of(tx: Transaction, strategy_ids: Sequence[str], desk: str = "genome") -> dict[str, list[Fill]]:
    """Every fill of each strategy of a desk; strategies without any have an empty list."""
    found: dict[str, list[Fill]] = {name: [] for name in strategy_ids}
    for names, places in chunks(strategy_ids):
        rows = tx.query(
            "select o.strategy_id, f.venue, f.account, f.venue_fill_id, f.client_order_id, f.symbol, f.side,"
            " f.quantity, f.price, f.fee, f.fee_currency, f.filled_at_ms, f.slippage_bps"
            " from fills f join orders o on o.client_order_id = f.client_order_id"
            f" where o.desk = :desk and o.strategy_id in ({places}) order by f.filled_at_ms, f.venue_fill_id",
            {**names, "desk": desk},
        )
        for row in rows:
            found[row.pop("strategy_id")].append(_fill(row))
    return found


def _fill(row: dict[str, Any]) -> Fill:
    slippage = row["slippage_bps"]
    return Fill(
        **{**row, "side": Side(row["side"]), "slippage_bps": math.nan if slippage is None else slippage}
    )


def _stored(row: dict[str, Any]) -> StoredReview:
    score = row["score"]
    return StoredReview(
        strategy_id=row["strategy_id"],
        review_day=date.fromisoformat(row["review_day"]),
        grade=Grade(row["grade"]),
        score=math.nan if score is None else score,
        action=Action(row["action"]),
        allocation=row["allocation_after"],
    )
