"""The paper venue: accepts once, fills from later bars only, and survives being killed anywhere."""

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from resources.venues.paper.parse import order_content, read_order
from resources.venues.paper.resource import PaperVenue
from tests.trading_scenario import CLOSE_MS, bars, instrument, order
from trading.costs.model import CostModel
from trading.errors import BadData, FixConfiguration, RetryLater
from trading.model.order import Order, OrderRole, OrderState, OrderType, Side
from trading.ports import Venue
from warehouse.ledger.backend import Ledger, Transaction, open_ledger

MINUTE = 60_000
COSTS = CostModel(participation_fraction=0.1)


class Market:
    """Bars that appear one by one as the clock goes on."""

    def __init__(self, *rows: tuple[int, float, float]) -> None:
        self.frame = bars(*rows)
        self.minutes = 1000.0
        self.asked: list[tuple[str, int]] = []
        self.error: Exception | None = None

    def now_ms(self) -> int:
        return CLOSE_MS + int(self.minutes * MINUTE)

    def bars(self, symbol: str, since_ms: int) -> pl.DataFrame:
        self.asked.append((symbol, since_ms))
        if self.error is not None:
            raise self.error
        return self.frame


def paper(ledger: Ledger, market: Market, **changes: Any) -> PaperVenue:
    return PaperVenue(ledger, market.bars, COSTS, {"AAAUSDT": instrument(**changes)}, market)


def stored(ledger: Ledger) -> tuple[int, int]:
    with ledger.read() as transaction:
        (orders,) = transaction.query("select count(*) as n from paper_orders")
        (fills,) = transaction.query("select count(*) as n from paper_fills")
    return orders["n"], fills["n"]


def test_an_order_fills_and_is_reported_the_same_for_ever(ledger: Ledger) -> None:
    market = Market((0, 100.0, 500.0))
    venue: Venue = paper(ledger, market)
    report = venue.submit(order())
    assert (report.state, len(report.fills), report.reason) == (OrderState.FILLED, 1, "")
    assert report.fills[0].quantity == Decimal(10)
    assert report.fills[0].price > 100
    market.frame = bars((0, 777.0, 500.0))
    assert venue.lookup("tm-0") == report
    assert venue.submit(order()) == report
    assert venue.submit(replace(order(), state=OrderState.SENDING, created_at_ms=1)) == report
    assert venue.cancel("tm-0") == report
    assert paper(ledger, market).lookup("tm-0") == report
    assert stored(ledger) == (1, 1)
    assert market.asked == [("AAAUSDT", CLOSE_MS)]


@pytest.mark.parametrize(
    "change", [{"quantity": Decimal(11)}, {"side": Side.SELL}, {"reference_price": Decimal("100.01")}]
)
def test_the_same_id_for_another_order_is_rejected_and_the_first_stays(ledger: Ledger, change: dict) -> None:
    venue = paper(ledger, Market((0, 100.0, 500.0)))
    first = venue.submit(order())
    second = venue.submit(replace(order(), **change))
    assert (second.state, second.fills) == (OrderState.REJECTED, ())
    assert "already used" in second.reason
    assert venue.lookup("tm-0") == first


def test_an_order_that_never_arrived_is_proven_absent(ledger: Ledger) -> None:
    venue = paper(ledger, Market())
    assert venue.lookup("tm-0") is None
    with pytest.raises(BadData, match="no order tm-0"):
        venue.cancel("tm-0")
    assert stored(ledger) == (0, 0)


def test_an_order_rests_until_its_bars_have_closed(ledger: Ledger) -> None:
    market = Market((0, 100.0, 40.0), (1, 101.0, 500.0))
    market.minutes = 0.99
    venue = paper(ledger, market)
    assert venue.submit(order()).state is OrderState.OPEN
    market.minutes = 1
    partly = venue.lookup("tm-0")
    assert partly is not None
    assert (partly.state, [fill.quantity for fill in partly.fills]) == (OrderState.PARTIALLY_FILLED, [4])
    assert venue.submit(order()) == partly
    market.minutes = 2
    full = venue.lookup("tm-0")
    assert full is not None
    assert full.state is OrderState.FILLED
    assert [fill.venue_fill_id for fill in full.fills] == ["tm-0-1", "tm-0-2"]
    assert full.fills[0] == partly.fills[0]


def test_many_small_fills_are_reported_in_order(ledger: Ledger) -> None:
    venue = paper(ledger, Market(*((minute, 100.0, 8.0) for minute in range(20))))
    report = venue.submit(order())
    assert [fill.venue_fill_id for fill in report.fills] == [f"tm-0-{number}" for number in range(1, 14)]
    assert sum(fill.quantity for fill in report.fills) == 10


def test_cancel_takes_what_is_left_after_matching(ledger: Ledger) -> None:
    market = Market((0, 100.0, 40.0))
    venue = paper(ledger, market)
    report = venue.cancel(venue.submit(order()).client_order_id)
    assert (report.state, [fill.quantity for fill in report.fills]) == (OrderState.CANCELLED, [4])
    market.frame = bars((0, 100.0, 40.0), (1, 100.0, 5000.0))
    assert venue.lookup("tm-0") == report
    assert venue.submit(order()) == report
    market.minutes = 0
    venue.submit(order(client_order_id="tm-1"))
    market.minutes = 1000
    assert venue.cancel("tm-1").state is OrderState.FILLED


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"symbol": "ZZZUSDT"}, "unknown symbol 'ZZZUSDT'"),
        ({"quantity": Decimal("1.0005")}, "lot_step"),
        ({"quantity": Decimal("0.05")}, "min_notional"),
        ({"quantity": Decimal(0)}, "not above 0"),
        ({"venue": "binance"}, "order is for venue 'binance'"),
        ({"order_type": OrderType.LIMIT, "limit_price": Decimal(99)}, "order type 'limit'"),
    ],
)
def test_filters_are_enforced_at_the_venue_too(ledger: Ledger, changes: dict, reason: str) -> None:
    venue = paper(ledger, Market((0, 100.0, 500.0)))
    report = venue.submit(order(**changes))
    assert (report.state, report.fills) == (OrderState.REJECTED, ())
    assert reason in report.reason
    assert venue.submit(order(**changes)) == report
    assert venue.lookup("tm-0") == report


def test_an_instrument_that_does_not_trade_is_rejected(ledger: Ledger) -> None:
    report = paper(ledger, Market(), status="BREAK").submit(order())
    assert (report.state, report.reason) == (OrderState.REJECTED, "AAAUSDT is not trading: status 'BREAK'")


def test_bars_out_of_reach_leave_the_accepted_order_resting(ledger: Ledger) -> None:
    market = Market((0, 100.0, 500.0))
    market.error = RetryLater("bars are busy")
    venue = paper(ledger, market)
    report = venue.submit(order())
    assert (report.state, report.reason) == (OrderState.OPEN, "resting: bars are busy")
    market.error = None
    after = venue.lookup("tm-0")
    assert after is not None
    assert (after.state, after.reason) == (OrderState.FILLED, "")


def test_a_delisted_symbol_keeps_its_resting_order(ledger: Ledger) -> None:
    market = Market()
    paper(ledger, market).submit(order())
    venue = PaperVenue(ledger, market.bars, COSTS, {}, market)
    report = venue.lookup("tm-0")
    assert report is not None
    assert (report.state, report.reason) == (OrderState.OPEN, "resting: filters of AAAUSDT are unknown now")
    assert venue.cancel("tm-0").state is OrderState.CANCELLED


def test_errors_of_the_bars_that_are_not_passing_are_raised_and_change_nothing(ledger: Ledger) -> None:
    market = Market()
    market.error = FixConfiguration("no source")
    with pytest.raises(FixConfiguration):
        paper(ledger, market).submit(order())
    assert stored(ledger) == (1, 0)


class FailingLedger:
    """Breaks before the n-th write statement takes effect, as a crash inside the transaction does."""

    def __init__(self, ledger: Ledger, fail_at: int) -> None:
        self.ledger, self.left = ledger, fail_at

    @contextmanager
    def transaction(self) -> Iterator[Transaction]:
        with self.ledger.transaction() as inner:
            outer, execute = self, inner.execute

            class Failing:
                query = staticmethod(inner.query)

                @staticmethod
                def execute(sql: str, params: Any = None) -> int:
                    if outer.left == 0:
                        raise KeyboardInterrupt
                    outer.left -= 1
                    return execute(sql, params)

            yield Failing()  # type: ignore[misc]


@pytest.mark.parametrize("fail_at", range(4))
def test_a_crash_at_any_write_loses_and_doubles_nothing(ledger: Ledger, fail_at: int) -> None:
    rows = ((0, 100.0, 60.0), (1, 101.0, 500.0))
    failing: Any = FailingLedger(ledger, fail_at)
    with pytest.raises(KeyboardInterrupt):
        paper(failing, Market(*rows)).submit(order())
    assert stored(ledger) == ((0, 0) if fail_at == 0 else (1, 0))
    after = paper(ledger, Market(*rows)).submit(order())
    assert after.state is OrderState.FILLED
    assert [fill.quantity for fill in after.fills] == [6, 4]
    assert stored(ledger) == (1, 2)


KILLED = """
import os, signal, sys
from types import SimpleNamespace
from resources.venues.paper import floor, resource
from tests.trading_scenario import CLOSE_MS, bars, instrument, order
from trading.costs.model import CostModel
from warehouse.ledger.backend import open_ledger

def die(*args, **kwargs):
    os.kill(os.getpid(), signal.SIGKILL)

if sys.argv[2] != "accepted":
    setattr(floor, sys.argv[2], die)
source = die if sys.argv[2] == "accepted" else lambda *_: bars((0, 100.0, 60.0), (1, 101.0, 500.0))
clock = SimpleNamespace(now_ms=lambda: CLOSE_MS + 10**9)
costs = CostModel(participation_fraction=0.1)
venue = resource.PaperVenue(open_ledger(sys.argv[1]), source, costs, {"AAAUSDT": instrument()}, clock)
venue.submit(order())
"""


@pytest.mark.parametrize("point", ["accepted", "set_state"])
def test_killed_for_real_and_run_again(tmp_path: Path, point: str) -> None:
    url = f"duckdb:///{tmp_path}/ledger.duckdb"
    ledger = open_ledger(url, lock_timeout_seconds=20)
    ledger.migrate()
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", KILLED, url, point], cwd=root, capture_output=True, timeout=60
    )
    assert done.returncode == -9, done.stderr.decode()
    assert stored(ledger) == (1, 0)
    report = paper(ledger, Market((0, 100.0, 60.0), (1, 101.0, 500.0))).submit(order())
    assert (report.state, [fill.quantity for fill in report.fills]) == (OrderState.FILLED, [6, 4])
    assert stored(ledger) == (1, 2)


def test_submits_of_one_order_at_once_are_one_order(ledger: Ledger) -> None:
    def submit(_: int) -> object:
        return paper(ledger, Market((0, 100.0, 60.0), (1, 101.0, 500.0))).submit(order())

    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(submit, range(8)))
    assert all(report == reports[0] for report in reports)
    assert stored(ledger) == (1, 2)


def test_a_damaged_book_is_named(ledger: Ledger) -> None:
    venue = paper(ledger, Market())
    venue.submit(order())
    with ledger.transaction() as transaction:
        transaction.execute("update paper_orders set content = '{}' where client_order_id = 'tm-0'")
    with pytest.raises(BadData, match="a stored order cannot be read"):
        venue.lookup("tm-0")


def test_what_an_earlier_release_booked_is_still_the_same_order(ledger: Ledger) -> None:
    """Orders have learnt new fields since: at their defaults they are no part of what was sent."""
    venue = paper(ledger, Market())
    first = venue.submit(order())
    with ledger.read() as transaction:
        (row,) = transaction.query("select content from paper_orders")
    known = ("client_order_id", "decision_id", "tick_id", "venue", "desk", "strategy_id", "symbol", "side")
    amounts = ("quantity", "reference_price", "not_before_ms")
    assert sorted(json.loads(row["content"])) == sorted(known + amounts)
    assert venue.submit(replace(order(), signature="s", sending_at_ms=5)) == first


def test_every_field_of_an_order_survives_the_book(ledger: Ledger) -> None:
    linked = order(
        order_type=OrderType.STOP,
        stop_price=Decimal("90.5"),
        reduce_only=True,
        role=OrderRole.STOP,
        parent_id="tm-9",
        account="second",
    )
    content = order_content(linked)
    assert read_order(content, "open", linked.created_at_ms) == replace(linked, state=OrderState.OPEN)


def test_exact_amounts_survive_the_book(ledger: Ledger) -> None:
    exact: Order = order(reference_price=Decimal("0.123456789012345678901234567890123"))
    tiny = {"tick_size": Decimal("1e-30"), "lot_step": Decimal(0), "min_notional": Decimal(0)}
    venue = paper(ledger, Market((0, 0.1, 1e9)), **tiny)
    report = venue.submit(exact)
    again = paper(ledger, Market(), **tiny).submit(exact)
    assert again == report
    assert report.state is OrderState.FILLED


def test_a_stop_for_the_account_closes_what_the_book_holds_and_no_more(ledger: Ledger) -> None:
    """What the guard may place: it belongs to no entry."""
    market = Market((0, 100.0, 500.0))
    market.minutes = 1.0
    venue = paper(ledger, market)
    venue.submit(order())
    venue.protect("AAAUSDT", Side.SELL, Decimal(10), Decimal(90), "guard-1")
    with pytest.raises(BadData, match="holds 10"):
        venue.protect("AAAUSDT", Side.SELL, Decimal(11), Decimal(90), "guard-2")
    market.frame = bars((0, 100.0, 500.0), (1, 99.0, 500.0), (2, 89.0, 500.0)).with_columns(
        high=pl.col("open"), low=pl.col("open")
    )
    market.minutes = 3.0
    assert venue.open_orders() == []
    report = venue.lookup("guard-1")
    assert report is not None
    assert (report.state, [fill.quantity for fill in report.fills]) == (OrderState.FILLED, [10])
    assert report.fills[0].price < 89
    again = replace(order(client_order_id="tm-2"), side=Side.SELL, reduce_only=True, role=OrderRole.STOP)
    assert venue.submit(again).state is OrderState.EXPIRED


def test_an_order_that_waits_needs_a_price(ledger: Ledger) -> None:
    report = paper(ledger, Market()).submit(order(order_type=OrderType.STOP))
    assert (report.state, report.reason) == (OrderState.REJECTED, "a stop order needs a stop_price")
