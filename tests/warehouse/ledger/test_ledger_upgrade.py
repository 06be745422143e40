"""A ledger that the first release wrote is carried over: no cent, fill or order is lost or changed."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from ledger_samples import T0, fill, order

from trading.ledger import transfers
from trading.ledger.accounting import apply_fill, cost_basis
from trading.ledger.transfers import CAPITAL, CASH, FEES, REALISED, position_account
from trading.model.order import Fill, Order, OrderState, Side
from trading.model.snapshot import Position
from warehouse.ledger import cash, fills, orders, portfolio
from warehouse.ledger.backend import Ledger, Transaction
from warehouse.ledger.migrate import migrate, shipped_migrations

D = Decimal

BOUGHT = order(1, symbol="BTCUSDT")
SOLD = order(2, "4", Side.SELL, "BTCUSDT")
OTHER = replace(order(3, "7", symbol="ETHUSDT"), desk="genome", strategy_id="g-1")
CLOSED = replace(order(4, "7", Side.SELL, "ETHUSDT"), desk="genome", strategy_id="g-1")
RESTING = order(5, "3", symbol="XRPUSDT")
FILLS = [
    (BOUGHT, fill(BOUGHT, 1, "3.3", "101.37", "0.33")),
    (BOUGHT, fill(BOUGHT, 2, "6.7", "99.91", "-0.05")),
    (SOLD, fill(SOLD, 3, "4", "110.03", "0.44")),
    (OTHER, replace(fill(OTHER, 4, "7", "20.1", "0.003"), fee_currency="BNB")),
    (CLOSED, replace(fill(CLOSED, 5, "7", "18.7", "0.1"))),
    (RESTING, fill(RESTING, 6, "1", "0.5", "0")),
]
PAID_IN = [("initial-deposit", D(10_000)), ("taken-out", D("-250.5"))]


def old_postings() -> list[tuple[str, int, str, Decimal, str, str | None, str | None]]:
    """Cash as the first release kept it: signed movements of one account."""
    rows: list[tuple[str, int, str, Decimal, str, str | None, str | None]] = [
        (name, T0, "deposit", amount, "USDT", None, None) for name, amount in PAID_IN
    ]
    for _, each in FILLS:
        key = f"{each.venue}:{each.venue_fill_id}"
        notional = each.quantity * each.price
        trade = (-notional if each.side is Side.BUY else notional, "USDT")
        rows.append(
            (
                f"{key}:{each.side}",
                each.filled_at_ms,
                each.side.value,
                *trade,
                each.client_order_id,
                each.venue_fill_id,
            )
        )
        if each.fee:
            rows.append(
                (
                    f"{key}:fee",
                    each.filled_at_ms,
                    "fee",
                    -each.fee,
                    each.fee_currency,
                    each.client_order_id,
                    each.venue_fill_id,
                )
            )
    return rows


def write_as_first_release(tx: Transaction) -> dict[str, Position]:
    states = dict.fromkeys((BOUGHT, SOLD, OTHER, CLOSED), OrderState.FILLED) | {
        RESTING: OrderState.PARTIALLY_FILLED
    }
    for each, state in states.items():
        _insert_order(tx, each, state)
    held: dict[str, Position] = {}
    for of, each in FILLS:
        _insert_fill(tx, each)
        held[of.symbol], _ = apply_fill(held.get(of.symbol), each, desk=of.desk, strategy_id=of.strategy_id)
    for position in held.values():
        tx.execute(
            "insert into positions values (:desk, :strategy, :symbol, :quantity, :cost, :opened, :realised, :at)",
            {
                "desk": position.desk,
                "strategy": position.strategy_id,
                "symbol": position.symbol,
                "quantity": position.quantity,
                "cost": position.average_cost,
                "opened": position.opened_at_ms,
                "realised": position.realised_pnl,
                "at": T0,
            },
        )
    names = ("id", "at", "kind", "amount", "currency", "order", "fill")
    for row in old_postings():
        tx.execute(
            "insert into cash_postings values (:id, :at, :kind, :amount, :currency, :order, :fill)",
            dict(zip(names, row, strict=True)),
        )
    return held


def _insert_order(tx: Transaction, each: Order, state: OrderState) -> None:
    tx.execute(
        "insert into orders values (:id, :decision, 'tick-1', 'paper', :desk, :strategy, :symbol, :side, :quantity,"
        " :price, :state, :at, :at, :at)",
        {
            "id": each.client_order_id,
            "decision": each.decision_id,
            "desk": each.desk,
            "strategy": each.strategy_id,
            "symbol": each.symbol,
            "side": each.side,
            "quantity": each.quantity,
            "price": each.reference_price,
            "state": state,
            "at": T0,
        },
    )
    for sequence, to_state in enumerate(("intent", "sending", state.value), start=1):
        tx.execute(
            "insert into order_events values (:id, :sequence, null, :state, 'x', :at)",
            {"id": each.client_order_id, "sequence": sequence, "state": to_state, "at": T0},
        )


def _insert_fill(tx: Transaction, each: Fill) -> None:
    tx.execute(
        "insert into fills values ('paper', :fill, :order, :symbol, :side, :quantity, :price, :fee, :currency, :at, 2.5, :at)",
        {
            "fill": each.venue_fill_id,
            "order": each.client_order_id,
            "symbol": each.symbol,
            "side": each.side,
            "quantity": each.quantity,
            "price": each.price,
            "fee": each.fee,
            "currency": each.fee_currency,
            "at": each.filled_at_ms,
        },
    )


@pytest.fixture
def upgraded(empty_ledger: Ledger) -> tuple[Ledger, dict[str, Position]]:
    assert migrate(empty_ledger, shipped_migrations()[:1]) == [1]
    with empty_ledger.transaction() as tx:
        held = write_as_first_release(tx)
    assert 2 in empty_ledger.migrate()
    return empty_ledger, held


def test_money_is_the_same_and_in_double_entry(upgraded: tuple[Ledger, dict[str, Position]]) -> None:
    ledger, held = upgraded
    with ledger.read() as tx:
        for currency in ("USDT", "BNB"):
            before = sum(row[3] for row in old_postings() if row[4] == currency)
            assert portfolio.cash(tx, currency) == before
        balances = cash.balances(tx)
        assert transfers.imbalance(balances) == {}
        for position in held.values():
            name = position_account(position.desk, position.strategy_id, position.symbol)
            assert balances.get((name, "USDT"), D(0)) == cost_basis(position), position.symbol
        assert balances[(REALISED, "USDT")] == -portfolio.realised_pnl(tx) != 0
        assert balances[(CAPITAL, "USDT")] == -sum(amount for _, amount in PAID_IN)
        assert balances[(FEES, "BNB")] == D("0.003")
        log = list(cash.log(tx))
        assert len(log) == len(old_postings()) + len([p for p in held.values() if p.realised_pnl])
        assert all(
            name.startswith((CASH, "position:")) or name in {CAPITAL, FEES, REALISED} for name, _ in balances
        )
    with ledger.transaction() as tx:
        for name, amount in PAID_IN:
            assert not portfolio.deposit(tx, name, amount, "USDT", T0), "paid in already"


def test_orders_fills_and_positions_are_the_same(upgraded: tuple[Ledger, dict[str, Position]]) -> None:
    ledger, held = upgraded
    with ledger.read() as tx:
        assert {p.symbol: p for p in portfolio.positions(tx)} == {s: p for s, p in held.items() if p.quantity}
        assert portfolio.position(tx, "genome", "g-1", "ETHUSDT") == held["ETHUSDT"]
        for each in (BOUGHT, SOLD, OTHER, CLOSED, RESTING):
            stored = orders.by_id(tx, each.client_order_id)
            reduces = each.side is Side.SELL
            assert stored == replace(each, state=stored.state, reduce_only=reduces)
            assert fills.for_order(tx, each.client_order_id) == [f for of, f in FILLS if of is each]


def test_trading_goes_on(upgraded: tuple[Ledger, dict[str, Position]]) -> None:
    """The resting order fills up, a fill reported again is known, and the books stay balanced."""
    ledger, _ = upgraded
    with ledger.transaction() as tx:
        assert not fills.record(tx, FILLS[0][1], BOUGHT, T0)
        assert fills.record(tx, replace(fill(RESTING, 7, "2", "0.75", "0.01"), filled_at_ms=T0), RESTING, T0)
        assert orders.by_id(tx, RESTING.client_order_id).state is OrderState.FILLED
        position = portfolio.position(tx, RESTING.desk, RESTING.strategy_id, RESTING.symbol)
        name = position_account(RESTING.desk, RESTING.strategy_id, RESTING.symbol)
        assert cash.balances(tx)[(name, "USDT")] == cost_basis(position) == D("2.01")
        assert transfers.imbalance(cash.balances(tx)) == {}
        assert cash.reserved(tx, "USDT") == 0
