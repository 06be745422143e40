"""From verdicts to orders: sizes, legs, dust and ids that repeat."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from tests.trading_scenario import (
    CLOSE_MS,
    NAN,
    NOW_MS,
    decision,
    exit_decision,
    instrument,
    position,
    snapshot,
    view,
)
from trading.errors import BadData
from trading.execution.planner import plan
from trading.model.canonical import client_order_id
from trading.model.decision import Decision, Direction, Verdict, VerdictKind
from trading.model.order import Order, OrderState, Side
from trading.model.series import Market
from trading.model.snapshot import Snapshot, SymbolView
from trading.risk.gate import judge
from trading.risk.limits import RiskLimits


def planned(taken: Snapshot, *decisions: Decision, limits: RiskLimits | None = None) -> tuple[Order, ...]:
    verdicts = judge(decisions, taken, limits or RiskLimits(), NOW_MS)
    return plan(decisions, verdicts, taken, "paper", NOW_MS)


def verdict(own: Decision, amount: str, kind: VerdictKind = VerdictKind.APPROVED) -> Verdict:
    return Verdict(own.decision_id, kind, "", Decimal(amount), ())


def test_an_entry_buys_what_its_amount_pays_on_the_lot_grid() -> None:
    own = decision(quote_amount=Decimal("333.33"), reference_price=7.0)
    (order,) = planned(snapshot(view(close=7.0)), own)
    assert order == Order(
        client_order_id=client_order_id(own.decision_id),
        decision_id=own.decision_id,
        tick_id="tick",
        venue="paper",
        desk="fork",
        strategy_id="",
        symbol="AAAUSDT",
        side=Side.BUY,
        quantity=Decimal("47.618"),
        reference_price=Decimal(7),
        state=OrderState.INTENT,
        created_at_ms=NOW_MS,
        not_before_ms=CLOSE_MS,
    )
    assert len(order.client_order_id) <= 36


def test_the_shrunk_amount_is_what_is_bought_and_refusals_buy_nothing() -> None:
    shrunk = decision(quote_amount=Decimal(50_000))
    refused = decision("BBBUSDT")
    taken = snapshot(view(), view("BBBUSDT", spread_bps=NAN))
    (order,) = planned(taken, shrunk, refused)
    assert (order.symbol, order.quantity) == ("AAAUSDT", Decimal(200))


def test_planning_again_gives_the_same_ids_and_other_decisions_other_ids() -> None:
    taken = snapshot(portfolio={"positions": (position(desk="genome", strategy_id="s"),)})
    both = (decision(), exit_decision(desk="genome", strategy_id="s"))
    first, second = planned(taken, *both), planned(taken, *both)
    assert first == second
    assert len({order.client_order_id for order in first}) == 2
    assert [order.side for order in first] == [Side.SELL, Side.BUY]


def test_an_exit_sells_all_that_the_desk_and_strategy_hold_and_nothing_of_others() -> None:
    held = (
        position(quantity=Decimal("7.5")),
        position(desk="genome", strategy_id="s", quantity=Decimal(3)),
        position("BBBUSDT", quantity=Decimal(2)),
    )
    (order,) = planned(snapshot(portfolio={"positions": held}), exit_decision())
    assert (order.side, order.quantity, order.strategy_id) == (Side.SELL, Decimal("7.5"), "")


def test_dust_below_the_lot_stays_behind() -> None:
    held = (position(quantity=Decimal("7.50049")),)
    (order,) = planned(snapshot(portfolio={"positions": held}), exit_decision())
    assert order.quantity == Decimal("7.5")


def test_an_exit_larger_than_the_largest_order_goes_in_legs() -> None:
    held = (position(quantity=Decimal("10.0005")),)
    capped = {"AAAUSDT": instrument(max_quantity=Decimal("4.0005"))}
    orders = planned(snapshot(portfolio={"positions": held}, instruments=capped), exit_decision())
    assert [order.quantity for order in orders] == [Decimal(4), Decimal(4), Decimal(2)]
    assert len({order.client_order_id for order in orders}) == 3
    tail = {"AAAUSDT": instrument(max_quantity=Decimal(4))}
    rest = (position(quantity=Decimal("8.05")),)
    orders = planned(snapshot(portfolio={"positions": rest}, instruments=tail), exit_decision())
    assert [order.quantity for order in orders] == [Decimal(4), Decimal(4)]


def test_an_exit_without_price_or_filters_still_goes_out() -> None:
    held = (position(quantity=Decimal("7.50049"), average_cost=Decimal("93.5")),)
    blind = snapshot(view(close=NAN), portfolio={"positions": held}, instruments={})
    (order,) = planned(blind, exit_decision(reference_price=NAN))
    assert (order.quantity, order.reference_price) == (Decimal("7.50049"), Decimal("93.5"))


def futures(*views: SymbolView, **changes: Any) -> Snapshot:
    listed = {item.symbol: instrument(item.symbol, market=Market.USDM) for item in views}
    return snapshot(*views, **({"market": Market.USDM, "instruments": listed} | changes))


def test_a_short_entry_sells_and_its_exit_buys_back() -> None:
    enter = decision(direction=Direction.SHORT, quote_amount=Decimal(333))
    (sold,) = planned(futures(view(spot_close=100.0)), enter)
    assert (sold.side, sold.quantity, sold.market) == (Side.SELL, Decimal("3.33"), Market.USDM)
    assert (sold.reduce_only, sold.adds_exposure) == (False, True)
    held = {"positions": (position(quantity=Decimal("-3.3305")),)}
    (bought,) = planned(futures(view(), portfolio=held), exit_decision())
    assert (bought.side, bought.quantity, bought.market) == (Side.BUY, Decimal("3.33"), Market.USDM)
    assert (bought.reduce_only, bought.adds_exposure) == (True, False)


def test_an_exit_without_filters_goes_to_the_market_of_the_account() -> None:
    held = {"positions": (position(quantity=Decimal(-3)),)}
    (order,) = planned(futures(view(), portfolio=held, instruments={}), exit_decision())
    assert (order.side, order.quantity, order.market) == (Side.BUY, Decimal(3), Market.USDM)


def test_a_short_on_a_spot_pair_is_never_sent() -> None:
    own = decision(direction=Direction.SHORT)
    assert planned(snapshot(), own) == ()
    with pytest.raises(BadData, match="short was approved on a spot pair"):
        plan([own], [verdict(own, "100")], snapshot(), "paper", NOW_MS)


def test_disagreement_with_the_gate_sends_nothing() -> None:
    own, taken = decision(), snapshot()
    with pytest.raises(BadData, match="no such decision"):
        plan([], [verdict(own, "100")], taken, "paper", NOW_MS)
    with pytest.raises(BadData, match="min_notional"):
        plan([own], [verdict(own, "9")], taken, "paper", NOW_MS)
    with pytest.raises(BadData, match="without a price"):
        plan([own], [verdict(own, "100")], replace(taken, symbols={}), "paper", NOW_MS)
    leave = exit_decision()
    with pytest.raises(BadData, match="without a holding"):
        plan([leave], [verdict(leave, "0")], taken, "paper", NOW_MS)
