"""The guard's parts in one process: its key, the venue's grid, countdowns, and a disk that takes nothing."""

from __future__ import annotations

import shutil
import threading
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from guard_venue import Book, an_order

from apps.guard.accounts import guard_account, guard_signer
from apps.guard.countdowns import Countdowns
from apps.guard.evidence import Evidence
from apps.guard.grid import OnGrid
from apps.guard.hands import Hands
from apps.guard.loop import Guard
from apps.guard.response import Response
from apps.guard.rules import Rules
from apps.guard.watch import Watch
from apps.live.heart import Heart
from resources.clock import FixedClock, SystemClock
from resources.settings import Settings
from resources.venues.binance.settings import VenueSettings
from trading.errors import FixConfiguration, HaltTrading, RetryLater
from trading.guard.settings import GuardSettings
from trading.model.account import VenueOrder, VenuePosition
from trading.model.instrument import Instrument
from trading.model.order import OrderType, Side
from warehouse.flags import heartbeat, kill_flag
from warehouse.flags.heartbeat import Heartbeat
from warehouse.flags.journal import Journal

CANARY = "canary-0123456789abcdef"


class Direct:
    """A reach that speaks to the book itself, and fails where it is told to."""

    name = "direct"

    def __init__(self, book: Book, *, derivatives: bool = True, timers: bool = True) -> None:
        self.book = book
        self.derivatives = derivatives
        self.timers = timers
        self.fail: dict[str, Exception] = {}
        self.sent: list[tuple[Any, ...]] = []

    def open_orders(self) -> list[VenueOrder]:
        self._asked("open_orders")
        return list(self.book.orders.values())

    def positions(self) -> list[VenuePosition]:
        self._asked("positions")
        return list(self.book.positions.values())

    def cancel_order(self, order: VenueOrder) -> None:
        self._asked(order.client_order_id)
        self.book.apply("cancel", {"client_order_id": order.client_order_id})

    def reduce(self, symbol: str, side: Side, quantity: Decimal, client_order_id: str) -> None:
        self._asked("reduce")
        self.sent.append((symbol, side, quantity))
        self.book.apply("reduce", {"symbol": symbol, "quantity": quantity})

    def protect(
        self, symbol: str, side: Side, quantity: Decimal, stop_price: Decimal, client_order_id: str
    ) -> None:
        self._asked("protect")
        self.sent.append((symbol, side, quantity, stop_price))
        self.book.apply(
            "protect",
            {
                "symbol": symbol,
                "side": side,
                "quantity": str(quantity),
                "stop_price": str(stop_price),
                "client_order_id": client_order_id,
            },
        )

    def count_down(self, symbols: Any, milliseconds: int) -> bool:
        self._asked("count_down")
        self.book.apply("count_down", {"symbols": symbols, "milliseconds": milliseconds})
        return self.timers

    def _asked(self, what: str) -> None:
        if what in self.fail:
            raise self.fail[what]


class Ticking:
    """Seconds that a test moves on."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Fixture:
    """A guard in this process whose time is the test's."""

    def __init__(self, folder: Path, book: Book, grid: Rules | None = None, **settings: Any) -> None:
        self.folder = folder
        self.reach = Direct(book)
        self.clock = SystemClock()
        self.seconds = Ticking()
        self.settings = GuardSettings(**{"countdown_ms": 0, **settings})
        self.evidence = Evidence(Journal(folder / "guard.journal", 1), self.clock)
        hands = Hands(self.reach if grid is None else OnGrid(self.reach, grid), 2)
        countdowns = Countdowns(self.reach, self.settings.countdown_ms, self.seconds)
        self.guard = Guard(
            lambda flag: Response(flag, hands, countdowns, self.evidence, self.settings, self.clock),
            countdowns.renew,
            watch=Watch(folder, self.settings, self.clock, self.seconds),
            evidence=self.evidence,
            heartbeat=Heartbeat(folder, "guard"),
            poll_seconds=self.settings.poll_seconds,
            clock=self.clock,
            monotonic=self.seconds,
        )

    def halt(self) -> None:
        kill_flag.halt(self.folder, "test", "tester", self.clock.now_ms())

    def ticks(self, count: int = 6, step: float = 1.0) -> None:
        for _ in range(count):
            self.guard.tick()
            self.seconds.now += step


@pytest.fixture
def fixture(folder: Path, book: Book) -> Fixture:
    return Fixture(folder, book)


def test_one_order_that_cannot_be_cancelled_keeps_no_other_alive(fixture: Fixture, book: Book) -> None:
    book.add(an_order("a"), an_order("stubborn"), an_order("b"))
    fixture.reach.fail["stubborn"] = ValueError("a defect of the adapter")
    fixture.halt()
    fixture.ticks(2)
    assert set(book.orders) == {"stubborn"}
    fixture.reach.fail.clear()
    fixture.ticks(2)
    assert book.orders == {}


def test_entries_go_while_positions_cannot_be_read(fixture: Fixture, book: Book) -> None:
    book.add(an_order("a"))
    fixture.reach.fail["positions"] = RetryLater("not now")
    fixture.halt()
    fixture.ticks(2)
    assert book.orders == {}


def test_a_venue_that_asks_for_a_pause_gets_it(fixture: Fixture, book: Book) -> None:
    book.add(an_order("a"))
    fixture.reach.fail["open_orders"] = RetryLater("slow down", retry_after_seconds=5)
    fixture.halt()
    fixture.ticks(1)
    fixture.reach.fail.clear()
    fixture.ticks(4)
    assert book.entries == ["a"]
    fixture.ticks(2)
    assert book.entries == []


def test_a_stop_that_is_refused_again_and_again_is_a_position_that_is_closed(
    fixture: Fixture, book: Book
) -> None:
    book.add(VenuePosition("BTCUSDT", Decimal(2), Decimal(100), Decimal(100)))
    fixture.reach.fail["protect"] = HaltTrading("would trigger at once")
    fixture.halt()
    fixture.ticks(8)
    assert book.positions == {}
    assert fixture.reach.sent == [("BTCUSDT", Side.SELL, Decimal(2))]


def test_a_lost_answer_to_a_stop_is_no_refusal(fixture: Fixture, book: Book) -> None:
    book.add(VenuePosition("BTCUSDT", Decimal(2), Decimal(100), Decimal(100)))
    fixture.reach.fail["protect"] = RetryLater("no answer")
    fixture.halt()
    fixture.ticks(12)
    assert fixture.reach.sent == []
    fixture.reach.fail.clear()
    fixture.ticks(6)
    assert [order.quantity for order in book.stops] == [Decimal(2)]


def test_the_guard_acts_without_a_disk(
    fixture: Fixture, book: Book, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    book.add(an_order("a"))
    Heartbeat(fixture.folder, "live").beat(fixture.clock.now_ms())
    fixture.ticks(1)

    def full(*arguments: Any, **options: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    monkeypatch.setattr("warehouse.flags.files.tempfile.mkstemp", full)
    fixture.seconds.now += fixture.settings.heartbeat_timeout_seconds + 1
    fixture.ticks(2)
    assert book.orders == {}
    assert "No space left" in capsys.readouterr().err
    assert not kill_flag.read(fixture.folder).halted, "the disk took no flag, and the halt held all the same"


def test_re_arming_gives_a_dead_heart_its_time_again(fixture: Fixture, book: Book) -> None:
    heart = Heartbeat(fixture.folder, "live")
    heart.beat(fixture.clock.now_ms())
    fixture.ticks(1)
    fixture.seconds.now += 121
    fixture.ticks(1)
    flag = kill_flag.read(fixture.folder)
    assert flag.by == "guard"
    kill_flag.lift(fixture.folder, flag, "looked", "tester", fixture.clock.now_ms())
    fixture.ticks(1)
    fixture.seconds.now += 100
    fixture.ticks(1)
    assert not kill_flag.read(fixture.folder).halted
    fixture.seconds.now += 30
    fixture.ticks(1)
    assert kill_flag.read(fixture.folder).halted


def test_a_guard_that_starts_believes_the_age_of_a_beat(folder: Path, book: Book) -> None:
    clock = FixedClock(1_000_000)
    Heartbeat(folder, "live").beat(clock.now_ms() - 500_000)
    seconds = Ticking()
    flag = Watch(folder, GuardSettings(), clock, seconds).look()
    assert "silent for 500.0 s" in flag.reason


def settled(countdowns: Countdowns, seconds: Ticking, step: float = 100.0) -> str | None:
    """Let a renewal happen and end; returns what it said."""
    countdowns.renew()
    for _ in range(500):
        if countdowns._work is None or countdowns._work.done():
            break
        time.sleep(0.002)
    seconds.now += step
    return countdowns.renew()


def test_countdowns_stop_where_a_stop_appears_and_failures_are_told(book: Book) -> None:
    book.add(an_order("a"), an_order("b", symbol="ETHUSDT"))
    reach, seconds = Direct(book), Ticking()
    countdowns = Countdowns(reach, 30_000, seconds)
    assert settled(countdowns, seconds) == ""
    assert book.countdowns == {"BTCUSDT": 30_000, "ETHUSDT": 30_000}
    book.add(an_order("stop", Side.SELL, OrderType.STOP, reduce_only=True, stop_price="90"))
    settled(countdowns, seconds)
    assert book.countdowns["BTCUSDT"] == 0
    reach.fail["open_orders"] = RetryLater("away")
    assert "away" in (settled(countdowns, seconds) or "")
    reach.fail.clear()
    settled(countdowns, seconds)
    countdowns.stop({"ETHUSDT"})
    assert book.countdowns["ETHUSDT"] == 0


def test_a_venue_without_timers_is_not_asked_again(book: Book) -> None:
    book.add(an_order("a"))
    reach, seconds = Direct(book, timers=False), Ticking()
    countdowns = Countdowns(reach, 30_000, seconds)
    for _ in range(3):
        settled(countdowns, seconds)
    assert book.calls == ["count_down"]


INSTRUMENT = Instrument(
    "BTCUSDT", "BTC", "USDT", Decimal("0.5"), Decimal("0.1"), Decimal("0.1"), Decimal(0), Decimal(5)
)


def test_stops_and_quantities_go_to_the_venues_grid(book: Book) -> None:
    reach = Direct(book)
    grid = OnGrid(reach, Rules(lambda: {"BTCUSDT": INSTRUMENT}))
    grid.protect("BTCUSDT", Side.SELL, Decimal("0.25"), Decimal("95.1"), "k1")
    grid.protect("BTCUSDT", Side.BUY, Decimal("0.3"), Decimal("95.4"), "k2")
    grid.reduce("BTCUSDT", Side.SELL, Decimal("0.11"), "k3")
    assert reach.sent == [
        ("BTCUSDT", Side.SELL, Decimal("0.3"), Decimal("95.5")),
        ("BTCUSDT", Side.BUY, Decimal("0.3"), Decimal("95.0")),
        ("BTCUSDT", Side.SELL, Decimal("0.2")),
    ]
    with pytest.raises(FixConfiguration, match="XUSDT: the venue lists no such instrument"):
        grid.reduce("XUSDT", Side.SELL, Decimal(1), "k4")


def test_entries_go_while_the_venue_says_nothing_of_its_lots(
    folder: Path, book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("apps.guard.rules._PATIENCE_SECONDS", 0.01)
    answered = threading.Event()
    asked: list[int] = []

    def slow() -> dict[str, Instrument]:
        asked.append(1)
        if len(asked) == 1:
            raise RetryLater("slow down")
        answered.wait(10)
        return {"BTCUSDT": INSTRUMENT}

    fixture = Fixture(folder, book, grid=Rules(slow))
    book.add(an_order("a"), VenuePosition("BTCUSDT", Decimal(2), Decimal(100), Decimal(100)))
    fixture.halt()
    fixture.ticks(8)
    assert book.entries == []
    assert fixture.reach.sent == []
    assert len(asked) == 2, "one request at a time"
    answered.set()
    for _ in range(200):
        fixture.ticks(1)
        if book.stops:
            break
        time.sleep(0.01)
    assert [order.quantity for order in book.stops] == [Decimal(2)]


def test_the_guards_key_is_its_own_and_never_told() -> None:
    with pytest.raises(FixConfiguration, match="TIDEMILL_GUARD_KEY is not set"):
        guard_signer({"TIDEMILL_BINANCE_KEY": CANARY, "TIDEMILL_BINANCE_SECRET": CANARY})
    with pytest.raises(FixConfiguration, match="is the trading key") as same:
        guard_signer({"TIDEMILL_BINANCE_KEY": CANARY, "TIDEMILL_GUARD_KEY": CANARY})
    with pytest.raises(FixConfiguration, match="TIDEMILL_GUARD_SECRET") as bare:
        guard_signer({"TIDEMILL_GUARD_KEY": CANARY})
    assert "TIDEMILL_BINANCE" not in str(bare.value)
    signer = guard_signer({"TIDEMILL_GUARD_KEY": CANARY, "TIDEMILL_GUARD_SECRET": f"{CANARY}-secret"})
    assert CANARY not in f"{same.value} {bare.value} {signer!r} {signer}"
    assert signer.key.get_secret_value() == CANARY


def test_a_real_venue_is_not_guarded_without_a_key() -> None:
    with pytest.raises(FixConfiguration, match="TIDEMILL_GUARD_KEY"):
        guard_account(Settings(venue=VenueSettings(kind="binance_usdm")), {})


def test_a_venue_that_shows_no_effect_is_asked_ever_slower(fixture: Fixture, book: Book) -> None:
    book.add(an_order("a"))
    book.apply = lambda name, given: book.calls.append(name)  # type: ignore[method-assign] # it lags for ever
    fixture.halt()
    fixture.ticks(600, step=0.1)
    assert 10 < len(book.calls) < 25, "a minute at most every four seconds, and never given up"


def test_the_live_loops_heart_beats_ends_and_never_stops_trading(folder: Path) -> None:
    heart = Heart(folder)
    heart.wait()
    heart.wait()
    heart.traded(900_000)
    beat = heartbeat.read(folder, "live")
    assert beat is not None
    assert (beat.sequence, beat.bar_close_ms, beat.ended) == (2, 900_000, False)
    heart.end()
    ended = heartbeat.read(folder, "live")
    assert ended is not None
    assert ended.ended
    shutil.rmtree(folder)
    folder.write_text("no folder")
    heart.traded(1_800_000)
    heart.end()


def test_the_guards_own_heart_beats(fixture: Fixture) -> None:
    fixture.ticks(3)
    beat = heartbeat.read(fixture.folder, "guard")
    assert beat is not None
    assert beat.sequence == 3
