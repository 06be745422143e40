"""The daily review of every strategy that trades, recorded in the ledger."""

from __future__ import annotations

from dataclasses import dataclass

from resources.factory.lifecycle import TRADING, backtest_sharpes, records
from trading.factory.lifecycle.review import Action, Grade, Review, review
from trading.factory.lifecycle.settings import ReviewSettings
from trading.factory.lifecycle.states import Change, State
from trading.model.days import day_at
from warehouse.ledger import strategies, strategy_reviews
from warehouse.ledger.backend import Ledger
from warehouse.ledger.strategies import Status


@dataclass(frozen=True, slots=True)
class Reviewed:
    """A strategy, where it stood, and what its review says."""

    status: Status
    review: Review


def review_all(
    ledger: Ledger, settings: ReviewSettings, now_ms: int, *, currency: str = "USDT"
) -> list[Reviewed]:
    """Review every strategy that trades and was not reviewed today, in one transaction.

    A review that says *pause* pauses; the others change the allocation only.
    """
    day = day_at(now_ms)
    done: list[Reviewed] = []
    with ledger.transaction() as tx:
        today = {name for name, stored in strategy_reviews.newest(tx).items() if stored.review_day == day}
        statuses = [s for s in strategies.current(tx, TRADING) if s.strategy_id not in today]
        before = strategy_reviews.newest(tx, before=day)
        found = records(tx, statuses, settings.window_days, now_ms, currency)
        promised = backtest_sharpes(tx, statuses)
        for status in statuses:
            last = before.get(status.strategy_id)
            outcome = review(
                found[status.strategy_id],
                settings,
                backtest_sharpe=promised[status.strategy_id],
                allocation=last.allocation if last else 1.0,
                previous=last.grade if last else Grade.NONE,
            )
            strategy_reviews.record(tx, status.strategy_id, day, outcome, now_ms)
            done.append(Reviewed(status, outcome))
        pauses = [
            Change(
                each.status.strategy_id,
                State.PAUSED,
                each.review.reasons[0],
                {"grade": each.review.grade.value, "score": each.review.score},
            )
            for each in done
            if each.review.action is Action.PAUSE
        ]
        strategies.advance(tx, pauses, "reviewer", now_ms)
    return done
