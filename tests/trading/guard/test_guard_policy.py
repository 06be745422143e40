"""The guard's policy against every account that Hypothesis can think of: it reduces, it protects, it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from trading.guard.exposure import Meaning, closing_side, meaning, stop_price, unprotected
from trading.guard.policy import (
    Account,
    Cancel,
    Kill,
    Plan,
    Protect,
    Reduce,
    plan,
    refused,
    remembered,
)
from trading.guard.settings import GuardSettings
from trading.guard.silence import observe, silent_seconds
from trading.guard.timers import timers
from trading.model.account import VenueOrder, VenuePosition
from trading.model.order import OrderState, OrderType, Side

SYMBOLS = ("AAA", "BBB")
KEEP = GuardSettings()
FLATTEN = GuardSettings(policy="flatten", stages=(Decimal("0.3"), Decimal(1)), stage_seconds=10)

quantities = st.integers(1, 50).map(lambda n: Decimal(n) / 10)


def an_order(name: str = "o", **fields: object) -> VenueOrder:
    base = VenueOrder(
        client_order_id=name,
        venue_order_id=name,
        symbol="AAA",
        side=Side.BUY,
        order_type=OrderType.LIMIT,
        quantity=Decimal(1),
        executed=Decimal(0),
        state=OrderState.OPEN,
        updated_at_ms=0,
    )
    return replace(base, **fields)  # type: ignore[arg-type] # any field by name


def a_position(quantity: str, symbol: str = "AAA", **fields: object) -> VenuePosition:
    base = VenuePosition(symbol, Decimal(quantity), Decimal(100), Decimal(100))
    return replace(base, **fields)  # type: ignore[arg-type] # any field by name


@st.composite
def orders_at_work(draw: st.DrawFn) -> tuple[VenueOrder, ...]:
    count = draw(st.integers(0, 8))
    found = []
    for number in range(count):
        order_type = draw(st.sampled_from((OrderType.LIMIT, OrderType.STOP, OrderType.TAKE_PROFIT)))
        quantity = draw(quantities)
        found.append(
            an_order(
                f"o{number}",
                symbol=draw(st.sampled_from(SYMBOLS)),
                side=draw(st.sampled_from(Side)),
                order_type=order_type,
                quantity=quantity,
                executed=draw(st.sampled_from((Decimal(0), quantity / 2))),
                reduce_only=draw(st.booleans()),
                stop_price=None if order_type is OrderType.LIMIT else Decimal(draw(st.integers(1, 200))),
            )
        )
    return tuple(found)


@st.composite
def positions_held(draw: st.DrawFn) -> tuple[VenuePosition, ...]:
    hedged = draw(st.booleans())
    found = []
    for symbol in draw(st.sets(st.sampled_from(SYMBOLS))):
        liquidation = draw(st.one_of(st.none(), st.integers(1, 200).map(Decimal)))
        sides = ("long", "short") if hedged else ("both",)
        for side in sides:
            sign = {"long": 1, "short": -1}.get(side) or draw(st.sampled_from((1, -1)))
            size = draw(st.one_of(quantities, st.just(Decimal(0)))) * sign
            found.append(
                VenuePosition(symbol, size, Decimal(100), Decimal(100), side, liquidation_price=liquidation)
            )
    return tuple(found)


settings_drawn = st.builds(
    GuardSettings,
    policy=st.sampled_from(("keep_stops", "flatten")),
    stages=st.sampled_from(((), (Decimal(1),), (Decimal("0.25"), Decimal("0.6"), Decimal(1)))),
    stage_seconds=st.sampled_from((0.0, 5.0)),
    protect_attempts=st.integers(1, 3),
)


def check(wanted: Plan, account: Account) -> None:
    """What must hold of every plan."""
    held = {(p.symbol, p.hedge_side): p for p in account.positions or () if p.quantity}
    reduced: dict[tuple[str, str], Decimal] = {}
    for action in wanted.actions:
        match action:
            case Cancel(order):
                assert not order.reduce_only
                if account.positions is not None and order.order_type is OrderType.STOP:
                    guarded = [p for p in held.values() if p.symbol == order.symbol]
                    means = meaning(order, account.positions, derivatives=account.derivatives)
                    if means is Meaning.LOOSE_STOP:
                        assert all(not unprotected(p, account.orders) for p in guarded)
            case Protect(holding, side, quantity, price, key):
                position = held[holding.symbol, holding.hedge_side]
                assert side is closing_side(position)
                assert 0 < quantity <= abs(position.quantity)
                assert (price < position.mark_price) is (position.quantity > 0)
                assert price > 0
                assert len(key) <= 36
            case Reduce(holding, side, quantity, key):
                position = held[holding.symbol, holding.hedge_side]
                assert side is closing_side(position)
                assert quantity > 0
                name = (holding.symbol, holding.hedge_side)
                reduced[name] = reduced.get(name, Decimal(0)) + quantity
                assert reduced[name] <= abs(position.quantity)
                assert len(key) <= 36
    if wanted.contained:
        assert not wanted.actions
        assert wanted.open_entries == 0


class World:
    """A venue that does what it is asked, except for what it refuses."""

    def __init__(self, account: Account, refusals: Sequence[bool]) -> None:
        self.orders = {order.client_order_id: order for order in account.orders}
        self.positions = {(p.symbol, p.hedge_side): p for p in account.positions or ()}
        self.derivatives = account.derivatives
        self._refusals = list(refusals)

    @property
    def account(self) -> Account:
        return Account(tuple(self.orders.values()), tuple(self.positions.values()), self.derivatives)

    def do(self, action: Cancel | Protect | Reduce) -> bool:
        if self._refusals and self._refusals.pop():
            return False
        match action:
            case Cancel(order):
                del self.orders[order.client_order_id]
            case Protect(holding, side, quantity, price, key):
                self.orders.setdefault(
                    key,
                    an_order(
                        key,
                        symbol=holding.symbol,
                        side=side,
                        order_type=OrderType.STOP,
                        quantity=quantity,
                        reduce_only=True,
                        stop_price=price,
                    ),
                )
            case Reduce(holding, _, quantity, _):
                name = (holding.symbol, holding.hedge_side)
                held = self.positions[name]
                left = max(abs(held.quantity) - quantity, Decimal(0))
                self.positions[name] = replace(held, quantity=left if held.quantity > 0 else -left)
        return True


@examples(deadline=None)
@given(orders_at_work(), st.one_of(st.none(), positions_held()), st.booleans(), settings_drawn)
def test_no_plan_adds_exposure_or_takes_a_stop(
    orders: tuple[VenueOrder, ...],
    positions: tuple[VenuePosition, ...] | None,
    derivatives: bool,
    settings: GuardSettings,
) -> None:
    account = Account(orders, positions, derivatives)
    kill = remembered(Kill("k"), positions or (), 0)
    for now_ms in (0, 6_000, 60_000):
        check(plan(account, kill, settings, now_ms), account)


@examples(deadline=None)
@given(orders_at_work(), positions_held(), settings_drawn, st.lists(st.booleans(), max_size=12))
def test_it_ends_with_no_entry_and_nothing_unprotected(
    orders: tuple[VenueOrder, ...],
    positions: tuple[VenuePosition, ...],
    settings: GuardSettings,
    refusals: list[bool],
) -> None:
    world = World(Account(orders, positions, derivatives=True), refusals)
    kill = Kill("k")
    for round_number in range(60):
        account = world.account
        now_ms = round_number * 1_000
        kill = remembered(kill, account.positions or (), now_ms)
        wanted = plan(account, kill, settings, now_ms)
        check(wanted, account)
        if wanted.contained:
            break
        for action in wanted.actions:
            if not world.do(action) and not isinstance(action, Cancel):
                kill = refused(kill, action)
    else:
        raise AssertionError("it does not end")
    left = [position for position in world.positions.values() if position.quantity]
    assert all(order.reduce_only for order in world.orders.values())
    assert all(not unprotected(position, world.orders.values()) for position in left)
    if settings.policy == "flatten":
        assert left == []
    for order in orders:
        assert not order.reduce_only or order.client_order_id in world.orders, (
            "what reduces is never cancelled"
        )


@examples(deadline=None)
@given(positions_held(), st.integers(0, 30_000), settings_drawn)
def test_the_same_halt_gives_the_same_order_ids(
    positions: tuple[VenuePosition, ...], now_ms: int, settings: GuardSettings
) -> None:
    account = Account((), positions, derivatives=True)
    kill = remembered(Kill("k"), positions, 0)
    again = Kill("k", dict(kill.baseline), dict(kill.seen_at_ms))
    assert plan(account, kill, settings, now_ms) == plan(account, again, settings, now_ms)
    keys = [
        a.client_order_id for a in plan(account, kill, settings, now_ms).actions if not isinstance(a, Cancel)
    ]
    other = [
        a.client_order_id
        for a in plan(account, replace(kill, kill_id="l"), settings, now_ms).actions
        if not isinstance(a, Cancel)
    ]
    assert not set(keys) & set(other)
    assert len(set(keys)) == len(keys)


def test_entries_go_while_the_positions_cannot_be_read() -> None:
    stop = an_order("maybe-a-stop", order_type=OrderType.STOP, side=Side.SELL, stop_price=Decimal(90))
    wanted = plan(Account((an_order("in"), stop), None, derivatives=True), Kill("k"), KEEP, 0)
    assert [action.order.client_order_id for action in wanted.actions if isinstance(action, Cancel)] == ["in"]
    assert (wanted.open_entries, wanted.contained) == (2, False)


def test_on_a_spot_account_sales_stay() -> None:
    orders = (
        an_order("buy"),
        an_order("sell", side=Side.SELL),
        an_order("buy-stop", order_type=OrderType.STOP),
    )
    wanted = plan(Account(orders, (), derivatives=False), Kill("k"), KEEP, 0)
    assert [action.order.client_order_id for action in wanted.actions if isinstance(action, Cancel)] == [
        "buy",
        "buy-stop",
    ]


def test_a_loose_stop_is_replaced_before_it_goes() -> None:
    loose = an_order("loose", side=Side.SELL, order_type=OrderType.STOP, stop_price=Decimal(90))
    held = (a_position("1"),)
    first = plan(Account((loose,), held, derivatives=True), Kill("k"), KEEP, 0)
    (action,) = first.actions
    assert isinstance(action, Protect)
    strict = replace(loose, client_order_id="strict", reduce_only=True)
    second = plan(Account((loose, strict), held, derivatives=True), Kill("k"), KEEP, 0)
    assert second.actions == (Cancel(loose),)


def test_stages_close_shares_of_what_was_held_at_first() -> None:
    held = a_position("1.000")
    kill = remembered(Kill("k"), (held,), 1_000)

    def due(quantity: str, now_ms: int) -> Decimal:
        wanted = plan(
            Account((), (replace(held, quantity=Decimal(quantity)),), derivatives=True), kill, FLATTEN, now_ms
        )
        return sum((a.quantity for a in wanted.actions if isinstance(a, Reduce)), Decimal(0))

    assert due("1.000", 1_000) == Decimal("0.300")
    assert due("0.700", 5_000) == 0
    assert due("0.800", 5_000) == Decimal("0.100"), "only what is missing to the stage"
    assert due("0.700", 11_000) == Decimal("0.700")


def test_what_no_stop_can_be_had_for_is_closed() -> None:
    held = a_position("-2")
    kill = Kill("k")
    for _ in range(KEEP.protect_attempts):
        (action,) = plan(Account((), (held,), derivatives=True), kill, KEEP, 0).actions
        assert isinstance(action, Protect)
        kill = refused(kill, action)
    (action,) = plan(Account((), (held,), derivatives=True), kill, KEEP, 0).actions
    assert isinstance(action, Reduce)
    assert (action.side, action.quantity) == (Side.BUY, Decimal(2))


def test_what_cannot_be_closed_gets_a_stop_meanwhile() -> None:
    held = a_position("2")
    at_once = replace(FLATTEN, stages=())
    kill = Kill("k")
    (close,) = plan(Account((), (held,), derivatives=True), kill, at_once, 0).actions
    assert isinstance(close, Reduce)
    stop, again = plan(Account((), (held,), derivatives=True), refused(kill, close), at_once, 0).actions
    assert isinstance(stop, Protect)
    assert (stop.quantity, again) == (Decimal(2), close)
    stopped = an_order(
        side=Side.SELL,
        order_type=OrderType.STOP,
        quantity=Decimal(2),
        reduce_only=True,
        stop_price=Decimal(95),
    )
    kept = plan(Account((stopped,), (held,), derivatives=True), refused(kill, close), at_once, 0)
    assert kept.actions == (close,)


@pytest.mark.parametrize(
    ("quantity", "liquidation", "expected"),
    [
        ("1", None, "95.00"),
        ("-1", None, "105.00"),
        ("1", "96", "98"),
        ("-1", "104", "102"),
        ("1", "50", "95.00"),
        ("1", "0", "95.00"),
    ],
)
def test_a_stop_works_before_the_liquidation_does(
    quantity: str, liquidation: str | None, expected: str
) -> None:
    held = a_position(quantity, liquidation_price=None if liquidation is None else Decimal(liquidation))
    assert stop_price(held, Decimal("0.05")) == Decimal(expected)


def test_a_stop_behind_the_liquidation_protects_nothing() -> None:
    held = a_position("1", liquidation_price=Decimal(80))
    stop = an_order("s", side=Side.SELL, order_type=OrderType.STOP, reduce_only=True, stop_price=Decimal(79))
    assert unprotected(held, (stop,)) == 1
    assert unprotected(held, (replace(stop, stop_price=Decimal(81)),)) == 0


@examples(deadline=None)
@given(orders_at_work(), positions_held())
def test_a_countdown_never_runs_where_it_could_take_a_stop(
    orders: tuple[VenueOrder, ...], positions: tuple[VenuePosition, ...]
) -> None:
    first = timers(orders, positions, None, derivatives=True)
    dangerous = {p.symbol for p in positions if p.quantity} | {o.symbol for o in orders if o.reduce_only}
    assert not set(first.run) & dangerous
    assert {o.symbol for o in orders} & dangerous <= set(first.stop)
    later = timers((), (), set(first.run), derivatives=True)
    assert (later.run, set(later.stop)) == ((), set(first.run))


def test_silence_is_counted_on_a_clock_that_nobody_sets() -> None:
    first = observe(None, 5, ended=False, age_seconds=7.0, monotonic_seconds=100.0)
    assert silent_seconds(first, 100.0, None) == 7.0
    same = observe(first, 5, ended=False, age_seconds=-3_600.0, monotonic_seconds=104.0)
    assert silent_seconds(same, 104.0, None) == 11.0
    assert silent_seconds(same, 104.0, 103.0) == 1.0, "re-armed a second ago"
    beat = observe(same, 6, ended=False, age_seconds=9_999.0, monotonic_seconds=110.0)
    assert silent_seconds(beat, 110.5, None) == 0.5
    restarted = observe(None, 1, ended=False, age_seconds=-50.0, monotonic_seconds=10.0)
    assert silent_seconds(restarted, 10.0, None) == 0.0
    assert (
        silent_seconds(observe(beat, 7, ended=True, age_seconds=0, monotonic_seconds=111), 999.0, None) == 0.0
    )
