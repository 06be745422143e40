"""The adapters against the sandbox exchange, which was written apart from them to the same documents."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import SecretStr

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.keys import paper_keys
from apps.sandbox.trading.settings import TradingFaults, TradingSettings
from resources.execution.sender import send, settle
from resources.instruments.signed import Credentials
from resources.venues.binance.opening import BinanceConnection, open_binance
from resources.venues.binance.settings import BinanceVenueSettings, VenueSettings
from resources.venues.binance.signing import Signer, signer_from_environment
from resources.venues.binance.stream.events import OrderUpdate, Resync, StreamEvent
from resources.venues.binance.transport import Security
from tests.trading_scenario import decision
from trading.errors import FixConfiguration, RetryLater, UnknownOutcome
from trading.execution.approval import sign_intents
from trading.model.account import CashKind, FillCause
from trading.model.decision import Verdict, VerdictKind
from trading.model.interval import DAY_MS
from trading.model.order import Order, OrderState, OrderType, Side
from trading.model.series import Market
from trading.ports import OrderReport
from trading.simulation.settings import MarketSettings
from warehouse.ledger import fills, orders, portfolio
from warehouse.ledger.backend import Ledger, open_ledger

_GATE_KEY = b"k" * 32
_START = "2025-01-02T00:00:30"
_MARKET = MarketSettings(
    seed=7,
    symbols=("BTCUSDT", "ETHUSDT"),
    origin="2024-12-25",
    horizon_days=40,
    late_listing_days=0,
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
_PRICES = {
    Market.SPOT: ("/api/v3/ticker/price", "price"),
    Market.USDM: ("/fapi/v1/premiumIndex", "markPrice"),
}
_KINDS = {Market.SPOT: "binance_spot", Market.USDM: "binance_usdm"}


@dataclass
class Desk:
    """An account at the sandbox, and the orders that a ledger would hold."""

    sandbox: EmbeddedSandbox
    connection: BinanceConnection
    market: Market
    orders: dict[str, Order] = field(default_factory=dict)
    numbers: Iterator[int] = field(default_factory=lambda: count(1))

    def order(self, side: Side, quantity: str, **more: Any) -> Order:
        """A new order, committed as sending now."""
        order = Order(
            client_order_id=f"tm-{next(self.numbers):032d}",
            decision_id="d",
            tick_id="t",
            venue=_KINDS[self.market],
            desk="fork",
            strategy_id="",
            symbol="BTCUSDT",
            side=side,
            quantity=Decimal(quantity),
            reference_price=self.price(),
            state=OrderState.SENDING,
            created_at_ms=1,
            not_before_ms=1,
            market=self.market,
            sending_at_ms=self.connection.account.now_ms(),
            **more,
        )
        self.orders[order.client_order_id] = order
        return order

    def price(self) -> Decimal:
        """The last price, or a future's mark price, which is close to it."""
        path, name = _PRICES[self.market]
        content = self.connection.api.read(path, {"symbol": "BTCUSDT"}, weight=1, security=Security.NONE)
        return Decimal(orjson.loads(content)[name])

    def pass_by(self, duration_ms: int) -> None:
        """Let the market move on."""
        self.sandbox.clock.set(self.sandbox.clock.now_ms() + duration_ms)
        self.connection.api.clock.refresh()

    def report(self, order: Order) -> OrderReport:
        """What a lookup says, which must say something."""
        found = self.connection.venue.lookup(order.client_order_id)
        assert found is not None
        return found


def _signer() -> Signer:
    keys = paper_keys(_MARKET.seed, "paper")
    return Credentials(SecretStr(keys.api_key), SecretStr(keys.secret))


@contextmanager
def _opened(
    market: Market,
    *,
    faults: TradingFaults | None = None,
    signer: Signer | None = None,
    binance: BinanceVenueSettings | None = None,
    **trading: Any,
) -> Iterator[Desk]:
    settings = SandboxSettings(
        market=_MARKET,
        clock=ClockSettings(start=_START),
        trading=TradingSettings(faults=faults or TradingFaults(), **trading),
    )
    with EmbeddedSandbox(settings) as sandbox:
        stream = sandbox.base_url.replace("http", "ws")
        given = replace(
            binance or BinanceVenueSettings(),
            base_url=sandbox.base_url,
            futures_base_url=sandbox.base_url,
            websocket_url=f"{stream}/ws-api/v3",
            futures_websocket_url=f"{stream}/ws",
            backoff_seconds=0.01,
            attempts=10,
            leverage=5,
        )
        known: dict[str, Order] = {}
        venue = VenueSettings(kind=_KINDS[market], binance=given)  # type: ignore[arg-type]  # one of the two
        connection = open_binance(venue, known.get, signer=signer or _signer())
        try:
            yield Desk(sandbox, connection, market, known)
        finally:
            connection.close()


@pytest.fixture
def spot() -> Iterator[Desk]:
    with _opened(Market.SPOT) as desk:
        yield desk


@pytest.fixture
def usdm() -> Iterator[Desk]:
    with _opened(Market.USDM) as desk:
        yield desk


def test_a_spot_order_from_submit_to_the_books(spot: Desk) -> None:
    venue, account = spot.connection.venue, spot.connection.account
    order = spot.order(Side.BUY, "0.01")
    report = venue.submit(order)
    assert (report.state, report.executed) == (OrderState.FILLED, Decimal("0.01"))
    assert sum(fill.quantity for fill in report.fills) == Decimal("0.01")
    again = spot.report(order)
    ids = {fill.venue_fill_id: (fill.price, fill.quantity, fill.fee) for fill in report.fills}
    assert {fill.venue_fill_id: (fill.price, fill.quantity, fill.fee) for fill in again.fills} == ids
    listed = account.fills(["BTCUSDT"], account.now_ms() - 3 * DAY_MS)
    assert {fill.venue_fill_id for fill in listed} == set(ids)
    assert {(fill.client_order_id, fill.cause) for fill in listed} == {
        (order.client_order_id, FillCause.OURS)
    }
    spent = sum(fill.quantity * fill.price for fill in report.fills)
    fees = sum(fill.fee for fill in report.fills)
    by_currency = {fill.fee_currency for fill in report.fills}
    held = {balance.currency: balance.free for balance in account.balances()}
    assert by_currency == {"BTC"}
    assert held["USDT"] == Decimal(10_000) - spent
    assert held["BTC"] == Decimal("0.01") - fees
    assert account.fees("BTCUSDT").taker_bps == 10


def test_spot_orders_rest_are_listed_and_cancelled(spot: Desk) -> None:
    venue, account = spot.connection.venue, spot.connection.account
    low = (spot.price() * Decimal("0.8")).quantize(Decimal(1))
    order = spot.order(Side.BUY, "0.01", order_type=OrderType.LIMIT, limit_price=low)
    assert venue.submit(order).state is OrderState.OPEN
    (listed,) = account.open_orders()
    assert (listed.client_order_id, listed.limit_price) == (order.client_order_id, low)
    assert venue.cancel(order.client_order_id).state is OrderState.CANCELLED
    assert venue.cancel(order.client_order_id).state is OrderState.CANCELLED
    account.cancel_order(listed)
    assert account.open_orders() == []
    never = spot.order(Side.BUY, "0.01")
    assert venue.lookup(never.client_order_id) is None


def test_what_the_venue_refuses_is_rejected(spot: Desk) -> None:
    report = spot.connection.venue.submit(spot.order(Side.BUY, "100000"))
    assert report.state is OrderState.REJECTED
    assert report.reason
    assert spot.connection.venue.submit(spot.order(Side.BUY, "0.0000001")).state is OrderState.REJECTED


def test_a_spot_stop_goes_out_when_the_market_gets_there(spot: Desk) -> None:
    venue = spot.connection.venue
    venue.submit(spot.order(Side.BUY, "0.02"))
    near = (spot.price() * Decimal("0.9995")).quantize(Decimal(1))
    stop = spot.order(Side.SELL, "0.01", order_type=OrderType.STOP, stop_price=near, reduce_only=True)
    assert venue.submit(stop).state is OrderState.OPEN
    spot.pass_by(2 * DAY_MS)
    report = spot.report(stop)
    assert report.state is OrderState.FILLED
    assert sum(fill.quantity for fill in report.fills) == Decimal("0.01")


def test_a_key_that_may_withdraw_is_refused_at_the_start() -> None:
    with (
        pytest.raises(FixConfiguration, match="may withdraw"),
        _opened(Market.SPOT, withdrawals_allowed=True),
    ):
        pass


@pytest.mark.parametrize("market", list(Market))
def test_ed25519_keys_open_the_same_account(market: Market, tmp_path: Path) -> None:
    keys = paper_keys(_MARKET.seed, "paper")
    file = tmp_path / "key.pem"
    file.write_text(keys.ed25519_private_key)
    file.chmod(0o600)
    signer = signer_from_environment(
        {"TIDEMILL_BINANCE_KEY": keys.ed25519_api_key, "TIDEMILL_BINANCE_PRIVATE_KEY_FILE": str(file)}
    )
    with _opened(market, signer=signer) as desk:
        assert desk.connection.venue.submit(desk.order(Side.BUY, "0.01")).state is OrderState.FILLED
        if market is Market.SPOT:
            begun = _hear(desk, lambda: None, lambda told: len(told) >= 1)
            assert isinstance(begun[0], Resync)


def test_a_futures_position_from_entry_to_the_triggered_stop(usdm: Desk) -> None:
    venue, account = usdm.connection.venue, usdm.connection.account
    entry = usdm.order(Side.BUY, "0.02")
    report = venue.submit(entry)
    assert report.state is OrderState.FILLED
    assert sum(fill.quantity for fill in report.fills) == Decimal("0.02")
    (position,) = account.positions()
    assert (position.quantity, position.leverage, position.isolated) == (Decimal("0.02"), 5, True)
    assert position.liquidation_price is not None
    near = (usdm.price() * Decimal("0.9995")).quantize(Decimal(1))
    stop = usdm.order(Side.SELL, "0.02", order_type=OrderType.STOP, stop_price=near, reduce_only=True)
    assert venue.submit(stop).state is OrderState.OPEN
    (listed,) = account.open_orders()
    assert (listed.client_order_id, listed.reduce_only) == (stop.client_order_id, True)
    usdm.pass_by(2 * DAY_MS)
    closed = usdm.report(stop)
    assert closed.state is OrderState.FILLED
    assert sum(fill.quantity for fill in closed.fills) == Decimal("0.02")
    assert account.positions() == []
    assert account.open_orders() == []
    ours = {stop.client_order_id, entry.client_order_id}
    listed_fills = account.fills(["BTCUSDT"], account.now_ms() - 5 * DAY_MS)
    booked = {fill.venue_fill_id for part in (report, closed) for fill in part.fills}
    assert {fill.venue_fill_id for fill in listed_fills} == booked
    assert {fill.client_order_id for fill in listed_fills} == ours
    moves = account.cash_moves(account.now_ms() - 5 * DAY_MS)
    paid = sum(move.amount for move in moves if move.kind is CashKind.FEE)
    assert paid == -sum(fill.fee for fill in listed_fills)


def test_futures_funding_is_a_move_of_cash(usdm: Desk) -> None:
    usdm.connection.venue.submit(usdm.order(Side.BUY, "0.02"))
    usdm.pass_by(DAY_MS)
    account = usdm.connection.account
    moves = account.cash_moves(account.now_ms() - 5 * DAY_MS)
    funding = [move for move in moves if move.kind is CashKind.FUNDING]
    assert len(funding) == 3
    assert {move.symbol for move in funding} == {"BTCUSDT"}
    assert len({move.venue_move_id for move in funding}) == 3


def test_futures_stops_are_cancelled_where_they_are(usdm: Desk) -> None:
    venue, account = usdm.connection.venue, usdm.connection.account
    venue.submit(usdm.order(Side.BUY, "0.02"))
    far = (usdm.price() * Decimal("0.5")).quantize(Decimal(1))
    stop = usdm.order(Side.SELL, "0.02", order_type=OrderType.STOP, stop_price=far, reduce_only=True)
    venue.submit(stop)
    assert venue.cancel(stop.client_order_id).state is OrderState.CANCELLED
    assert venue.cancel(stop.client_order_id).state is OrderState.CANCELLED
    account.protect("BTCUSDT", Side.SELL, Decimal("0.02"), far, "tm-guard-1")
    (listed,) = account.open_orders()
    assert (listed.client_order_id, listed.stop_price) == ("tm-guard-1", far)
    account.cancel_order(listed)
    account.cancel_order(listed)
    assert account.open_orders() == []
    account.reduce("BTCUSDT", Side.SELL, Decimal("0.02"), "tm-guard-2")
    assert account.positions() == []
    assert account.schedules()["BTCUSDT"]  # type: ignore[union-attr]  # a futures account has them


def test_the_count_down_cancels_entries_and_leaves_stops(usdm: Desk) -> None:
    venue, account = usdm.connection.venue, usdm.connection.account
    venue.submit(usdm.order(Side.BUY, "0.02"))
    far = (usdm.price() * Decimal("0.5")).quantize(Decimal(1))
    stop = usdm.order(Side.SELL, "0.02", order_type=OrderType.STOP, stop_price=far, reduce_only=True)
    venue.submit(stop)
    entry = usdm.order(Side.BUY, "0.02", order_type=OrderType.LIMIT, limit_price=far)
    venue.submit(entry)
    assert account.count_down(["BTCUSDT"], 5_000)
    usdm.pass_by(6_000)
    assert [listed.client_order_id for listed in account.open_orders()] == [stop.client_order_id]
    assert usdm.report(entry).state is OrderState.CANCELLED


def test_an_account_in_the_other_mode_is_refused() -> None:
    hedge = BinanceVenueSettings(position_mode="hedge")
    with pytest.raises(FixConfiguration, match="position_mode"), _opened(Market.USDM, binance=hedge):
        pass


def test_hedge_mode_keeps_both_positions_apart(usdm: Desk) -> None:
    usdm.connection.api.command("POST", "/fapi/v1/positionSide/dual", {"dualSidePosition": "true"}, weight=1)
    url = usdm.sandbox.base_url
    given = BinanceVenueSettings(base_url=url, futures_base_url=url, position_mode="hedge", leverage=5)
    hedge = open_binance(VenueSettings(kind="binance_usdm", binance=given), usdm.orders.get, signer=_signer())
    hedge.venue.submit(usdm.order(Side.BUY, "0.02"))
    hedge.venue.submit(usdm.order(Side.SELL, "0.01"))
    sides = {position.hedge_side: position.quantity for position in hedge.account.positions()}
    assert sides == {"long": Decimal("0.02"), "short": Decimal("-0.01")}
    hedge.venue.submit(usdm.order(Side.BUY, "0.01", reduce_only=True))
    hedge.account.reduce("BTCUSDT", Side.SELL, Decimal("0.02"), "tm-flat")
    assert hedge.account.positions() == []
    hedge.close()


_DISASTERS = TradingFaults(
    seed=3,
    timeout_before_fraction=0.08,
    timeout_after_fraction=0.08,
    drop_before_fraction=0.08,
    drop_after_fraction=0.08,
    server_error_before_fraction=0.08,
    server_error_after_fraction=0.08,
    rate_limit_fraction=0.05,
    retry_after_seconds=0,
)


@pytest.mark.parametrize("market", list(Market))
def test_every_outcome_is_told_or_unknown_and_a_lookup_tells_it(market: Market) -> None:
    with _opened(market, faults=_DISASTERS) as desk:
        outcomes = {"told": 0, "unknown": 0, "nothing": 0}
        expected = Decimal(0)
        for _ in range(25):
            order = desk.order(Side.BUY, "0.001")
            try:
                report = desk.connection.venue.submit(order)
                outcomes["told"] += 1
                assert report.state is OrderState.FILLED
            except UnknownOutcome:
                outcomes["unknown"] += 1
            except RetryLater:
                outcomes["nothing"] += 1
                assert desk.connection.venue.lookup(order.client_order_id) is None
            found = desk.connection.venue.lookup(order.client_order_id)
            expected += Decimal(0) if found is None else found.executed or Decimal(0)
        assert min(outcomes["told"], outcomes["unknown"]) >= 3
        account = desk.connection.account
        listed = account.fills(["BTCUSDT"], account.now_ms() - DAY_MS)
        assert sum(fill.quantity for fill in listed) == expected
        assert len({fill.venue_fill_id for fill in listed}) == len(listed)


def _hear(
    desk: Desk, act: Callable[[], None], enough: Callable[[list[StreamEvent]], bool]
) -> list[StreamEvent]:
    """What the stream tells from its first connection on, while something is done."""
    stop, told = threading.Event(), list[StreamEvent]()
    connected = threading.Event()

    def read() -> None:
        for event in desk.connection.stream().events(stop):
            told.append(event)
            connected.set()

    thread = threading.Thread(target=read, daemon=True)
    thread.start()
    try:
        assert connected.wait(20)
        act()
        deadline = time.monotonic() + 20
        while not enough(told) and time.monotonic() < deadline:
            time.sleep(0.01)
    finally:
        stop.set()
        thread.join(20)
    assert enough(told), told
    return told


@pytest.mark.parametrize("market", list(Market))
def test_the_stream_tells_the_fills_that_rest_tells(market: Market) -> None:
    faults = TradingFaults(seed=1, event_duplicate_fraction=0.4)
    with _opened(market, faults=faults) as desk:
        reports: list[OrderReport] = []

        def act() -> None:
            reports.extend(desk.connection.venue.submit(desk.order(Side.BUY, "0.002")) for _ in range(5))

        def filled(told: list[StreamEvent]) -> list[str]:
            return [
                event.fill.venue_fill_id for event in told if isinstance(event, OrderUpdate) and event.fill
            ]

        def all_there(told: list[StreamEvent]) -> bool:
            wanted = {fill.venue_fill_id for report in reports for fill in report.fills}
            return wanted <= set(filled(told))

        told = _hear(desk, act, all_there)
        assert isinstance(told[0], Resync)
        assert len(filled(told)) == len(set(filled(told)))
        clients = {
            event.fill.client_order_id for event in told if isinstance(event, OrderUpdate) and event.fill
        }
        assert clients == set(desk.orders)


@pytest.mark.parametrize("market", list(Market))
def test_a_stream_that_loses_events_calls_for_a_resync(market: Market) -> None:
    with _opened(market, faults=TradingFaults(seed=5, stream_drop_fraction=0.3)) as desk:

        def act() -> None:
            for _ in range(10):
                desk.connection.venue.submit(desk.order(Side.BUY, "0.002"))

        told = _hear(desk, act, lambda told: sum(isinstance(event, Resync) for event in told) >= 2)
        lost = [event.reason for event in told if isinstance(event, Resync)][1:]
        assert any("lost" in reason for reason in lost)


def _committed(ledger: Ledger, desk: Desk, number: int) -> Order:
    """An intent that the risk gate has signed, in the ledger."""
    order = replace(
        desk.order(Side.BUY, "0.001"),
        client_order_id=f"tm-{number:032d}",
        decision_id=f"d{number}",
        state=OrderState.INTENT,
        sending_at_ms=None,
    )
    verdict = Verdict(order.decision_id, VerdictKind.APPROVED, "within_limits", Decimal(1_000), ())
    made = decision(decision_id=order.decision_id, symbol=order.symbol)
    with ledger.transaction() as tx:
        signed = sign_intents([order], [verdict], _GATE_KEY)
        orders.commit_intents(tx, [made], [verdict], signed, order.created_at_ms)
    return order


@pytest.mark.slow
def test_the_sender_ends_every_order_once_whatever_the_venue_does(tmp_path: Path) -> None:
    """The real ledger and sender: what the ledger holds in the end is what the venue has done."""
    quick = BinanceVenueSettings(receive_window_ms=2_000, visibility_ms=0)
    ledger = open_ledger(f"duckdb:///{tmp_path}/ledger.duckdb")
    ledger.migrate()
    with _opened(Market.SPOT, faults=_DISASTERS, binance=quick) as desk:
        venue, account = desk.connection.venue, desk.connection.account
        with ledger.transaction() as tx:
            portfolio.deposit(tx, "start", Decimal(10_000), "USDT", account.now_ms(), venue=venue.name)
        wanted = [_committed(ledger, desk, number) for number in range(8)]
        desk.orders.update({order.client_order_id: order for order in wanted})
        for _ in range(60):
            with suppress(RetryLater):
                send(ledger, venue, "t", account.now_ms(), key=_GATE_KEY)
            settle(ledger, venue, account.now_ms())
            with ledger.read() as tx:
                states = {order.state for order in orders.for_tick(tx, "t")}
            if states == {OrderState.FILLED}:
                break
            desk.pass_by(venue.absence_proven_after_ms)
        assert states == {OrderState.FILLED}
        with ledger.read() as tx:
            booked = [fill for order in wanted for fill in fills.for_order(tx, order.client_order_id)]
        listed = account.fills(["BTCUSDT"], account.now_ms() - DAY_MS)
        assert {fill.venue_fill_id for fill in booked} == {fill.venue_fill_id for fill in listed}
        assert sum(fill.quantity for fill in listed) == Decimal("0.008")
    ledger.close()
