"""A halt that only the flag's file knows stops the sender, order by order; reductions go on."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from resources.execution import sender
from tests.trading_scenario import CLOSE_MS, NOW_MS, decision, order
from trading.execution.approval import sign_intents
from trading.model.decision import Verdict, VerdictKind
from trading.model.order import Order, OrderState
from trading.ports import OrderReport
from warehouse.flags import kill_flag
from warehouse.ledger import orders, portfolio
from warehouse.ledger.backend import open_ledger

KEY = b"k" * 32


class HaltingVenue:
    """Takes orders, and raises the flag once the first has arrived."""

    name = "paper"
    absence_proven_after_ms = 0

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.taken: list[str] = []

    def submit(self, sent: Order) -> OrderReport:
        self.taken.append(sent.client_order_id)
        kill_flag.halt(self.folder, "seen something", "tester", 1)
        return OrderReport(sent.client_order_id, OrderState.OPEN, ())

    def lookup(self, client_order_id: str) -> OrderReport | None:
        return None

    def cancel(self, client_order_id: str) -> OrderReport:
        return OrderReport(client_order_id, OrderState.CANCELLED, ())


def test_a_flag_raised_while_orders_go_out_stops_the_rest(tmp_path: Path) -> None:
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    ledger.migrate()
    verdict = Verdict("decision", VerdictKind.APPROVED, "within_limits", Decimal(1000), ())
    buys = [order(client_order_id=f"tm-{n}", symbol=f"{n}USDT") for n in "ABC"]
    with ledger.transaction() as tx:
        portfolio.deposit(tx, "start", Decimal(100_000), "USDT", CLOSE_MS)
        orders.commit_intents(
            tx, [decision(decision_id="decision")], [verdict], sign_intents(buys, [verdict], KEY), NOW_MS
        )
    venue = HaltingVenue(tmp_path)
    done = sender.send(ledger, venue, "tick", NOW_MS, key=KEY, halted=lambda: kill_flag.read(tmp_path).halted)
    assert (done.sent, done.cancelled, len(venue.taken)) == (1, 2, 1)
    ledger.close()
