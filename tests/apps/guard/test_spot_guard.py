"""The guard on a spot account: coins are left alone, or get stops and are sold, and never lose a stop for nothing."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from guard_venue import an_order
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.guard.countdowns import Countdowns
from apps.guard.evidence import Evidence
from apps.guard.grid import OnGrid
from apps.guard.hands import Hands
from apps.guard.response import Response
from apps.guard.rules import Rules
from apps.guard.spot import SpotHoldings
from resources.clock import FixedClock
from trading.errors import HaltTrading, RetryLater, TradingError, UnknownOutcome
from trading.guard.settings import GuardSettings
from trading.guard.spot import SpotPlan, holdings
from trading.model.account import VenueBalance, VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.order import OrderType, Side
from warehouse.flags.journal import Journal
from warehouse.flags.kill_flag import KillFlag

D = Decimal
BTC = Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.001"), D("0.001"), D(0), D(5))
PRICES = {"BTCUSDT": D(100)}


@dataclass
class SpotVenue:
    """A spot account as Binance keeps it: an order to sell locks coins, and what is locked cannot be sold."""

    total: Decimal
    orders: dict[str, VenueOrder] = field(default_factory=dict)
    fail: dict[str, Exception] = field(default_factory=dict)
    sold: list[Decimal] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    name: str = "spot"
    derivatives: bool = False

    @property
    def locked(self) -> Decimal:
        return sum(
            (order.quantity - order.executed for order in self.orders.values() if order.side is Side.SELL),
            D(0),
        )

    def balances(self) -> list[VenueBalance]:
        return [VenueBalance("BTC", self.total - self.locked, self.locked), VenueBalance("USDT", D(9), D(0))]

    def open_orders(self) -> list[VenueOrder]:
        return list(self.orders.values())

    def positions(self) -> list[VenuePosition]:
        return []

    def cancel_order(self, order: VenueOrder) -> None:
        self.cancelled.append(order.client_order_id)
        self.orders.pop(order.client_order_id, None)

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        self._require(side, quantity)
        refused = self.fail.get("reduce")
        if refused is not None and not isinstance(refused, UnknownOutcome):
            raise refused
        self.total -= quantity
        self.sold.append(quantity)
        if refused is not None:
            raise refused

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        self._require(side, quantity)
        if "protect" in self.fail:
            raise self.fail["protect"]
        assert client_order_id not in self.orders
        self.orders[client_order_id] = stop(client_order_id, str(quantity), str(stop_price))

    def count_down(self, symbols: Any, milliseconds: int) -> bool:
        return False

    def _require(self, side: Side, quantity: Decimal) -> None:
        assert side is Side.SELL
        assert quantity > 0
        assert quantity % BTC.lot_step == 0
        if quantity > self.total - self.locked:
            raise HaltTrading("Account has insufficient balance for requested action.")

    @property
    def stops(self) -> dict[Decimal, Decimal]:
        """Stopped quantity by price."""
        found: dict[Decimal, Decimal] = {}
        for order in self.orders.values():
            if order.order_type is OrderType.STOP and order.stop_price is not None:
                found[order.stop_price] = found.get(order.stop_price, D(0)) + order.quantity
        return found


def stop(name: str, quantity: str, price: str) -> VenueOrder:
    return an_order(name, Side.SELL, OrderType.STOP, quantity, stop_price=price)


class Halted:
    """A guard's rounds at a spot venue."""

    def __init__(self, folder: Path, venue: SpotVenue, keep: dict[str, Decimal] | None = None, **given: Any):
        self.venue = venue
        self.clock = FixedClock(1_000)
        rules = Rules(lambda: {"BTCUSDT": BTC})
        spot = SpotHoldings(venue, rules, lambda: PRICES, SpotPlan("USDT", keep or {}))
        hands = Hands(OnGrid(spot, rules), 4)
        self.response = Response(
            KillFlag(True, "test", "tester", 1_000),
            hands,
            Countdowns(spot, 0, lambda: 0.0),
            Evidence(Journal(folder / "guard.journal", 1), self.clock),
            GuardSettings(**given),
            self.clock,
        )

    def rounds(self, count: int = 6, step_ms: int = 0) -> None:
        for _ in range(count):
            self.response.round()
            self.response._clock = FixedClock(self.response._clock.now_ms() + step_ms)

    @property
    def contained(self) -> bool:
        return self.response._contained


def test_coins_without_a_stop_get_one_and_buys_go(tmp_path: Path) -> None:
    venue = SpotVenue(D("1.0005"), {"buy": an_order("buy", quantity="3")})
    halted = Halted(tmp_path, venue)
    halted.rounds()
    assert venue.cancelled == ["buy"]
    assert venue.stops == {D("95.00"): D("1.000")}, "in whole lots, five percent below the market"
    assert venue.sold == []
    assert halted.contained


def test_what_has_a_stop_is_left_alone(tmp_path: Path) -> None:
    venue = SpotVenue(D(1), {"own": stop("own", "1", "90")})
    halted = Halted(tmp_path, venue)
    halted.rounds()
    assert (venue.cancelled, venue.stops, halted.contained) == ([], {D(90): D(1)}, True)


def test_a_plain_sale_makes_way_for_a_stop(tmp_path: Path) -> None:
    target = an_order("target", Side.SELL, OrderType.LIMIT, "1")
    venue = SpotVenue(D(1), {"target": target})
    Halted(tmp_path, venue).rounds()
    assert (venue.cancelled, venue.stops) == (["target"], {D("95.00"): D(1)})


def test_savings_are_neither_stopped_nor_sold(tmp_path: Path) -> None:
    venue = SpotVenue(D("1.5"))
    halted = Halted(tmp_path, venue, {"BTC": D(1)}, policy="flatten", stages=())
    halted.rounds()
    assert venue.sold == [D("0.500")]
    assert venue.total == D("1.0")
    assert halted.contained


def test_flatten_sells_in_stages_and_what_is_left_keeps_its_stop(tmp_path: Path) -> None:
    venue = SpotVenue(D(1), {"own": stop("own", "1", "90")})
    halted = Halted(tmp_path, venue, policy="flatten", stages=(D("0.5"), D(1)), stage_seconds=10)
    halted.rounds(3)
    assert venue.sold == [D("0.500")]
    assert venue.stops == {D(90): D("0.500")}, "at its old price"
    assert not halted.contained
    halted.rounds(4, step_ms=5_000)
    assert venue.sold == [D("0.500"), D("0.500")]
    assert (venue.stops, venue.total) == ({}, D(0))
    assert halted.contained


@pytest.mark.parametrize("error", [HaltTrading("market is closed"), RetryLater("busy")])
def test_a_refused_sale_gives_the_stop_back(tmp_path: Path, error: TradingError) -> None:
    venue = SpotVenue(D(1), {"own": stop("own", "0.6", "90"), "near": stop("near", "0.4", "97")})
    venue.fail["reduce"] = error
    halted = Halted(tmp_path, venue, policy="flatten", stages=())
    halted.rounds(3)
    assert venue.sold == []
    assert venue.stops == {D(97): D("0.4"), D(90): D("0.6")}
    venue.fail.clear()
    halted.rounds(3)
    assert (venue.sold, venue.total, venue.stops) == ([D(1)], D(0), {})


def test_a_sale_of_unknown_outcome_leaves_a_stop_on_what_is_left(tmp_path: Path) -> None:
    venue = SpotVenue(D(1), {"own": stop("own", "1", "90")})
    venue.fail["reduce"] = UnknownOutcome("no answer")
    halted = Halted(tmp_path, venue, policy="flatten", stages=(D("0.5"), D(1)), stage_seconds=60)
    halted.rounds(1)
    assert venue.sold == [D("0.500")]
    assert venue.stops == {D(90): D("0.500")}
    halted.rounds(3)
    assert venue.sold == [D("0.500")], "it was sold, and is not sold again"


def test_a_stop_that_cannot_be_given_back_is_placed_by_the_next_round(tmp_path: Path) -> None:
    venue = SpotVenue(D(1), {"own": stop("own", "1", "90")})
    venue.fail |= {"reduce": HaltTrading("closed"), "protect": RetryLater("busy")}
    halted = Halted(tmp_path, venue, policy="flatten", stages=())
    halted.rounds(1)
    assert venue.stops == {}
    assert not halted.contained
    del venue.fail["protect"]
    halted.rounds(2)
    assert sum(venue.stops.values()) == D(1)


def test_where_coins_are_left_alone_nothing_of_them_is_asked(tmp_path: Path) -> None:
    venue = SpotVenue(D(1), {"buy": an_order("buy"), "sale": an_order("sale", Side.SELL)})
    rules = Rules(lambda: {"BTCUSDT": BTC})
    hands = Hands(OnGrid(venue, rules), 2)
    account, problem = hands.account()
    assert (account.positions, account.derivatives, problem) == ((), False, None)


amounts = st.decimals("0", "3", places=4)


@given(
    total=amounts,
    orders=st.lists(st.tuples(st.booleans(), st.integers(1, 900), st.integers(80, 99)), max_size=4),
    policy=st.sampled_from(("keep_stops", "flatten")),
    failures=st.lists(st.sampled_from(("reduce", "protect", "")), max_size=4),
)
@settings(max_examples=60, deadline=None)
def test_whatever_fails_in_the_end_nothing_is_bare(
    tmp_path_factory: pytest.TempPathFactory,
    total: Decimal,
    orders: list[tuple[bool, int, int]],
    policy: str,
    failures: list[str],
) -> None:
    venue = SpotVenue(total)
    for number, (is_stop, thousandths, price) in enumerate(orders):
        size = D(thousandths) / 1_000
        if venue.locked + size <= total:
            name = f"o{number}"
            made = stop(name, str(size), str(price))
            venue.orders[name] = (
                made if is_stop else replace(made, order_type=OrderType.LIMIT, stop_price=None)
            )
    halted = Halted(tmp_path_factory.mktemp("spot"), venue, policy=policy, stages=(), protect_attempts=9)
    for failing in itertools.chain(failures, [""] * 4):
        venue.fail = {failing: HaltTrading("refused")} if failing else {}
        halted.rounds(1)
    held = holdings(venue.balances(), {"BTCUSDT": BTC}, PRICES, SpotPlan("USDT", {}))
    assert halted.contained
    if policy == "flatten":
        assert held == []
    else:
        assert venue.sold == []
        assert sum(venue.stops.values()) == sum((item.quantity for item in held), D(0))


@pytest.mark.parametrize(
    ("balance", "keep", "expected"),
    [
        (VenueBalance("BTC", D("0.7"), D("0.3004")), {}, D("1.000")),
        (VenueBalance("BTC", D("0.7"), D(0)), {"BTC": D("0.2")}, D("0.500")),
        (VenueBalance("BTC", D("0.0499"), D(0)), {}, None),
        (VenueBalance("BTC", D(1), D(0)), {"BTC": D(2)}, None),
        (VenueBalance("USDT", D(500), D(0)), {}, None),
        (VenueBalance("DOGE", D(500), D(0)), {}, None),
    ],
)
def test_what_counts_as_a_holding(
    balance: VenueBalance, keep: dict[str, Decimal], expected: Decimal | None
) -> None:
    pairs = {"BTCUSDT": BTC, "BTCEUR": replace(BTC, symbol="BTCEUR", quote="EUR")}
    found = holdings([balance], pairs, PRICES, SpotPlan("USDT", keep))
    assert found == ([] if expected is None else [VenuePosition("BTCUSDT", expected, D(100), D(100))])


@pytest.mark.parametrize(
    "change", [lambda pairs: pairs.clear(), lambda pairs: pairs.update(BTCUSDT=replace(BTC, status="BREAK"))]
)
def test_a_coin_that_cannot_be_sold_is_no_holding(change: Callable[[dict[str, Instrument]], None]) -> None:
    pairs = {"BTCUSDT": BTC}
    change(pairs)
    coin = VenueBalance("BTC", D(1), D(0))
    assert holdings([coin], pairs, PRICES, SpotPlan("USDT", {})) == []
    assert holdings([coin], {"BTCUSDT": BTC}, {}, SpotPlan("USDT", {})) == []
