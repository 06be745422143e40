"""The sender: signed, fenced, held back in doubt, and never blind."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from open_duckdb import OpenDuckDB

from resources.clock import FixedClock
from resources.execution import sender
from resources.execution.leasing import LEASE_MS, account_hold, holder_is_dead, this_holder
from tests.trading_scenario import CLOSE_MS, NOW_MS, decision, order
from trading.errors import HaltTrading, RetryLater, UnknownOutcome
from trading.execution.approval import sign_intents
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Fill, Order, OrderState, Side
from trading.ports import OrderReport
from warehouse.ledger import cash, controls, leases, orders, portfolio
from warehouse.ledger.backend import Ledger

KEY = b"k" * 32
S = OrderState
D = Decimal


class Book:
    """A venue that answers as it is told, and remembers what reached it."""

    name = "paper"
    absence_proven_after_ms = 5_000

    def __init__(self) -> None:
        self.taken: list[str] = []
        self.answers: list[OrderState | Exception] = []
        self.known: dict[str, OrderReport | Exception] = {}
        self.cancelled: list[str] = []

    def submit(self, sent: Order) -> OrderReport:
        assert sent.sending_at_ms is not None
        self.taken.append(sent.client_order_id)
        answer = self.answers.pop(0) if self.answers else S.OPEN
        if isinstance(answer, Exception):
            raise answer
        return OrderReport(sent.client_order_id, answer, ())

    def lookup(self, client_order_id: str) -> OrderReport | None:
        found = self.known.get(client_order_id)
        if isinstance(found, Exception):
            raise found
        return found

    def cancel(self, client_order_id: str) -> OrderReport:
        self.cancelled.append(client_order_id)
        return OrderReport(client_order_id, S.CANCELLED, ())


@pytest.fixture
def ledger() -> Iterator[Ledger]:
    opened = OpenDuckDB()
    opened.migrate()
    with opened.transaction() as tx:
        portfolio.deposit(tx, "start", D(100_000), "USDT", CLOSE_MS)
    yield opened
    opened.forget()


def commit(ledger: Ledger, *given: Order, sign: bool = True) -> list[str]:
    made = decision(decision_id="decision")
    verdict = Verdict("decision", VerdictKind.APPROVED, "within_limits", D(1000), ())
    with ledger.transaction() as tx:
        signed = sign_intents(given, [verdict], KEY) if sign else given
        orders.commit_intents(tx, [made], [verdict], signed, NOW_MS)
    return [each.client_order_id for each in given]


def states(ledger: Ledger) -> dict[str, str]:
    with ledger.read() as tx:
        return {r["client_order_id"]: r["state"] for r in tx.query("select * from orders order by 1")}


def send(ledger: Ledger, venue: Book, now_ms: int = NOW_MS, **options: bool) -> sender.Settled:
    return sender.send(ledger, venue, "tick", now_ms, key=KEY, **options)


def test_a_signed_intent_goes_out_once(ledger: Ledger) -> None:
    venue = Book()
    commit(ledger, order())
    assert send(ledger, venue) == sender.Settled(sent=1)
    assert send(ledger, venue) == sender.Settled()
    assert (venue.taken, states(ledger)) == (["tm-0"], {"tm-0": "open"})


def test_an_unsigned_or_altered_intent_never_goes_out_and_the_others_do(ledger: Ledger) -> None:
    venue = Book()
    commit(ledger, order(client_order_id="tm-unsigned"), sign=False)
    commit(ledger, order(client_order_id="tm-altered"), order(client_order_id="tm-good", symbol="BBBUSDT"))
    with ledger.transaction() as tx:
        tx.execute("update orders set quantity = 11 where client_order_id = 'tm-altered'")
    with pytest.raises(
        HaltTrading, match=r"2 order\(s\) were not sent.*tm-altered: it is not what.*has not signed"
    ):
        send(ledger, venue)
    assert venue.taken == ["tm-good"]
    assert states(ledger) == {"tm-altered": "rejected", "tm-good": "open", "tm-unsigned": "rejected"}
    with ledger.read() as tx:
        assert cash.reserved(tx, "USDT") == D(1005), "only the good one's cash stays aside"


def test_the_kill_flag_is_read_in_the_commit_that_sends(ledger: Ledger) -> None:
    venue = Book()
    with ledger.transaction() as tx:
        portfolio.store_position(tx, _held("10"), CLOSE_MS, CLOSE_MS)
        controls.halt(tx, "stop", "me", NOW_MS)
    commit(
        ledger,
        order(client_order_id="tm-buy"),
        order(client_order_id="tm-exit", side=Side.SELL, reduce_only=True),
    )
    assert send(ledger, venue) == sender.Settled(sent=1, cancelled=1)
    assert venue.taken == ["tm-exit"], "reductions stay allowed"


def _held(quantity: str) -> object:
    from tests.trading_scenario import position

    return position(quantity=D(quantity))


def test_a_reduction_of_more_than_is_held_is_not_sent(ledger: Ledger) -> None:
    venue = Book()
    with ledger.transaction() as tx:
        portfolio.store_position(tx, _held("10"), CLOSE_MS, CLOSE_MS)
    legs = [order(client_order_id=f"tm-{n}", side=Side.SELL, reduce_only=True, quantity=D(6)) for n in (1, 2)]
    commit(ledger, *legs)
    assert send(ledger, venue) == sender.Settled(sent=1, cancelled=1)
    assert states(ledger) == {"tm-1": "open", "tm-2": "cancelled"}


@pytest.mark.parametrize("error", [UnknownOutcome("-1007"), UnknownOutcome("503"), UnknownOutcome("timeout")])
def test_an_unknown_outcome_freezes_the_symbol_until_absence_is_proven(
    ledger: Ledger, error: Exception
) -> None:
    venue = Book()
    venue.answers = [error]
    commit(
        ledger,
        order(client_order_id="tm-1"),
        order(client_order_id="tm-2"),
        order(client_order_id="tm-3", symbol="BBBUSDT"),
    )
    assert send(ledger, venue) == sender.Settled(sent=2, unknown=1, held=1)
    assert states(ledger) == {"tm-1": "unknown", "tm-2": "intent", "tm-3": "open"}
    with ledger.read() as tx:
        assert portfolio.load(tx, {}, 0).unknown_symbols == ("AAAUSDT",)
    venue.known["tm-3"] = OrderReport("tm-3", S.OPEN, ())
    assert sender.settle(ledger, venue, NOW_MS + 4_999).unknown == 1
    assert send(ledger, venue).held == 1, "not shown yet proves nothing"
    assert sender.settle(ledger, venue, NOW_MS + 5_000).unknown == 0
    assert states(ledger)["tm-1"] == "intent"
    assert send(ledger, venue, NOW_MS + 5_000) == sender.Settled(sent=2)
    assert venue.taken == ["tm-1", "tm-3", "tm-1", "tm-2"]


def test_effect_proven_later_is_booked_and_never_sent_again(ledger: Ledger) -> None:
    venue = Book()
    venue.answers = [UnknownOutcome("timeout")]
    commit(ledger, order())
    send(ledger, venue)
    filled = Fill("paper", "1", "tm-0", "AAAUSDT", Side.BUY, D(10), D(100), D(1), "USDT", NOW_MS, 0.0)
    venue.known["tm-0"] = OrderReport("tm-0", S.FILLED, (filled, filled))
    assert sender.settle(ledger, venue, NOW_MS + 60_000) == sender.Settled(new_fills=1)
    assert send(ledger, venue) == sender.Settled()
    assert (venue.taken, states(ledger)) == (["tm-0"], {"tm-0": "filled"})


def test_an_accepted_order_that_the_venue_forgets_stays_unknown(ledger: Ledger) -> None:
    venue = Book()
    commit(ledger, order())
    send(ledger, venue)
    for late in (1, 10**9):
        assert sender.settle(ledger, venue, NOW_MS + late).unknown == 1
    assert states(ledger) == {"tm-0": "unknown"}
    venue.known["tm-0"] = OrderReport("tm-0", S.OPEN, ())
    sender.settle(ledger, venue, NOW_MS)
    assert states(ledger) == {"tm-0": "open"}


def test_a_venue_that_took_nothing_leaves_an_intent(ledger: Ledger) -> None:
    venue = Book()
    venue.answers = [RetryLater("429")]
    commit(ledger, order(client_order_id="tm-1"), order(client_order_id="tm-2", symbol="BBBUSDT"))
    with pytest.raises(RetryLater, match="429"):
        send(ledger, venue)
    assert states(ledger) == {"tm-1": "intent", "tm-2": "intent"}
    assert send(ledger, venue).sent == 2


def test_a_lookup_that_fails_resolves_nothing(ledger: Ledger) -> None:
    venue = Book()
    venue.answers = [UnknownOutcome("timeout"), S.OPEN]
    commit(ledger, order(client_order_id="tm-1"), order(client_order_id="tm-2", symbol="BBBUSDT"))
    send(ledger, venue)
    venue.known = {"tm-1": RetryLater("network"), "tm-2": RetryLater("network")}
    assert sender.settle(ledger, venue, NOW_MS + 10**9).unknown == 1
    assert states(ledger) == {"tm-1": "unknown", "tm-2": "open"}


def test_a_halt_cancels_what_is_there_and_what_turns_up_later(ledger: Ledger) -> None:
    venue = Book()
    venue.answers = [S.OPEN, UnknownOutcome("timeout"), UnknownOutcome("timeout")]
    names = [f"tm-{n}" for n in range(4)]
    commit(ledger, *(order(client_order_id=name, symbol=f"{name[-1]}USDT") for name in names[:3]))
    send(ledger, venue)
    commit(ledger, order(client_order_id="tm-3", symbol="3USDT"))
    assert sender.cancel_open(ledger, venue, NOW_MS) == sender.Settled(cancelled=2, unknown=2)
    assert states(ledger) == {"tm-0": "cancelled", "tm-1": "unknown", "tm-2": "unknown", "tm-3": "cancelled"}
    venue.known["tm-1"] = OrderReport("tm-1", S.OPEN, ())
    assert sender.settle(ledger, venue, NOW_MS + 5_000) == sender.Settled(cancelled=1)
    assert set(states(ledger).values()) == {"cancelled"}
    assert venue.cancelled == ["tm-0", "tm-1"]
    assert send(ledger, venue) == sender.Settled()


def test_a_second_sender_waits_and_a_fenced_one_commits_nothing(ledger: Ledger) -> None:
    venue = Book()
    commit(ledger, order())
    clock = FixedClock(1_000)
    with account_hold(ledger, "paper/main", clock=clock) as hold:
        with pytest.raises(RetryLater, match="only one sender at a time"):
            sender.send(ledger, venue, "tick", NOW_MS, key=KEY, lease_clock=clock)
        later = FixedClock(1_000 + LEASE_MS)
        with account_hold(ledger, "paper/main", clock=later) as other:
            with pytest.raises(RetryLater, match="another sender has taken over"), hold.transaction() as tx:
                orders.transition(tx, "tm-0", S.SENDING, "sleeper", NOW_MS)
            assert other.lease.token == hold.lease.token + 1
            with other.transaction():
                pass
        with ledger.read() as tx:
            assert leases.current(tx, "paper/main").expires_at_ms == 0
    assert (venue.taken, states(ledger)) == ([], {"tm-0": "intent"})


def test_a_killed_process_is_proven_dead_and_a_living_one_is_not() -> None:
    living = this_holder()
    assert not holder_is_dead(living)
    assert this_holder() != living
    code = "from resources.execution.leasing import this_holder; print(this_holder())"
    root = Path(__file__).resolve().parents[3]
    gone = subprocess.run([sys.executable, "-c", code], cwd=root, capture_output=True, text=True, check=True)
    assert holder_is_dead(gone.stdout.strip())
    machine, pid, started, nonce = living.split(":")
    assert holder_is_dead(f"{machine}:{pid}:{int(started) + 1}:{nonce}"), "the same id, another process"
    for foreign in (f"elsewhere:{pid}:1:{nonce}", "nonsense", "", ":::", f":{pid}:1:x"):
        assert not holder_is_dead(foreign), "nothing is proven of another machine"


def test_orders_of_other_venues_and_accounts_are_left_alone(ledger: Ledger) -> None:
    venue = Book()
    commit(ledger, replace(order(client_order_id="tm-1"), venue="paper", account="second"))
    assert send(ledger, venue) == sender.Settled()
    assert sender.settle(ledger, venue, NOW_MS) == sender.Settled()
    assert venue.taken == []
