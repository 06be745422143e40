"""Ticks on a futures account, from the lake to the venue and back: the sandbox exchange, the real ledger."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import polars as pl
import pytest

from apps.cli.evidence import gather
from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.keys import paper_keys
from resources.execution.books import close_books
from resources.execution.protecting import protect_platform
from resources.execution.sender import send, settle
from resources.execution.signing import SIGNING_KEY_FILE, signing_key
from resources.execution.ticks import commit, take_snapshot
from resources.platform import Platform
from resources.reconciliation.reconcile import Reconciled
from resources.reconciliation.step import reconcile_platform
from resources.settings import Settings
from tests.trading_scenario import order
from trading.bars.resample import resample
from trading.errors import BadData, FixConfiguration
from trading.execution.approval import sign_intents
from trading.execution.planner import plan
from trading.factory.genes.genome import Genome, Rules, Timeframe
from trading.factory.genes.rules import Column, Slope
from trading.factory.genes.rules import Direction as Way
from trading.factory.lifecycle.states import Change, State, person
from trading.instruments.rows import build_rows
from trading.model.days import day_at, start_ms
from trading.model.decision import Action, Decision, Direction, Verdict
from trading.model.interval import DAY_MS, MINUTE_MS, Interval
from trading.model.order import OrderRole, OrderState, OrderType, Side
from trading.model.series import Market
from trading.model.snapshot import Snapshot
from trading.risk.gate import judge
from trading.simulation.settings import MarketSettings
from warehouse.datasets.futures import USDM_KLINES
from warehouse.datasets.instruments import INSTRUMENTS, UNIVERSE
from warehouse.datasets.market import BARS, KLINES
from warehouse.ledger import breaks, orders, portfolio, strategies
from warehouse.ledger.strategies import NewStrategy

STEP_MS = Interval.M15.milliseconds
OPENED_MS = int(datetime(2025, 1, 2, tzinfo=UTC).timestamp() * 1000)
DAY = day_at(OPENED_MS)
PAIRS = ("BTCUSDT", "ETHUSDT", "PEPEUSDT")
#: Followed, with bars, and without a contract.
ALONE = "ALONEUSDT"
MARKET = MarketSettings(
    seed=7,
    symbols=PAIRS,
    origin="2024-12-25",
    horizon_days=40,
    late_listing_days=0,
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
RISES, FALLS = (Slope(Column.of("close"), way, 1) for way in (Way.RISING, Way.FALLING))
#: Goes with every bar: long after one that rose, short after one that fell, and out when it turns.
FOLLOWER = Genome(
    timeframe=Timeframe.M15,
    long=Rules(RISES, FALLS),
    short=Rules(FALLS, RISES),
    stop_fraction=0.02,
    trailing_fraction=0.03,
    trailing_after_fraction=0.0,
    size_fraction=0.05,
    leverage=2,
)
FIRST, SECOND, THIRD = (OPENED_MS + number * STEP_MS for number in (2, 3, 4))


@dataclass
class Account:
    """A home whose venue is the sandbox's futures market."""

    platform: Platform
    sandbox: EmbeddedSandbox

    def tick(self, close_ms: int, moves: dict[str, int]) -> tuple[Snapshot, list[Decision], list[Verdict]]:
        """What the decision job does at a bar close; ``moves`` says which pairs rose (1) or fell (-1)."""
        now_ms = close_ms + 2_000
        self.sandbox.clock.set(now_ms)
        self.fill_lake(close_ms, moves)
        platform, venue = self.platform, self.platform.venue()
        key = signing_key(platform.settings.path(SIGNING_KEY_FILE))
        self.reconciled()
        protect_platform(platform)
        taken = take_snapshot(platform, close_ms, now_ms)
        decided = [decision for desk in platform.desks for decision in desk.decide(taken)]
        verdicts = judge(decided, taken, platform.settings.risk, taken.taken_at_ms)
        planned = sign_intents(plan(decided, verdicts, taken, venue.name, now_ms), verdicts, key)
        commit(platform, decided, verdicts, planned, now_ms)
        send(platform.ledger, venue, taken.tick_id, now_ms, key=key)
        settle(platform.ledger, venue, now_ms)
        send(platform.ledger, venue, taken.tick_id, now_ms, key=key)
        protect_platform(platform)
        close_books(platform, taken)
        return taken, decided, verdicts

    def reconciled(self) -> Reconciled:
        found = reconcile_platform(self.platform)
        with self.platform.ledger.read() as tx:
            assert [item.content for item in breaks.open_breaks(tx)] == []
        assert (found.blocking, found.opened, found.adopted) == (0, 0, 0)
        return found

    def fill_lake(self, close_ms: int, moves: dict[str, int]) -> None:
        """The pairs' bars up to a close, the last of them a tenth of a per cent up or down."""
        lake, opened = self.platform.lake, pl.col("open_time").dt.epoch("ms")
        rows = self.platform.market.klines(PAIRS, start_ms(DAY) - DAY_MS, close_ms)
        alone = rows.filter(pl.col("symbol") == PAIRS[1]).with_columns(symbol=pl.lit(ALONE))
        rows = pl.concat([rows, alone])
        before = rows.filter(opened == close_ms - STEP_MS - MINUTE_MS).select("symbol", last="close")
        turned = before.with_columns(
            last=pl.col("last") * (1 + pl.col("symbol").replace_strict(moves, default=0) * 0.001)
        )
        prices = [
            pl.when(opened >= close_ms - STEP_MS).then("last").otherwise(name).alias(name)
            for name in ("open", "high", "low", "close")
        ]
        rows = rows.join(turned, on="symbol").with_columns(prices).select(list(KLINES.schema))
        for (day,), part in rows.group_by(pl.col("open_time").dt.date()):
            lake.write(KLINES, day, part.sort("symbol", "open_time"))
            made = resample(part.sort("symbol", "open_time"), Interval.M15, closed_before_ms=close_ms)
            lake.write(BARS, day, made, interval=Interval.M15)

    def contract_close(self, symbol: str, close_ms: int) -> float:
        """The close of a contract's last minute before a moment, asked of the exchange itself."""
        asked = {"symbol": symbol, "interval": "1m", "startTime": close_ms - MINUTE_MS, "limit": 1}
        (row,) = httpx.get(f"{self.sandbox.base_url}/fapi/v1/klines", params=asked).json()
        return float(row[4])

    def price(self, symbol: str) -> Decimal:
        return Decimal(str(self.contract_close(symbol, FIRST)))

    def held(self) -> dict[str, Decimal]:
        with self.platform.ledger.read() as tx:
            return {item.symbol: item.quantity for item in portfolio.positions(tx)}

    def at_the_venue(self) -> dict[str, Decimal]:
        venue = self.platform.settings.venue
        shown = self.platform.paper_venue() if venue.kind == "paper" else self.platform.binance.account
        return {item.symbol: item.quantity for item in shown.positions()}


def universe() -> pl.DataFrame:
    symbols = sorted((*PAIRS, ALONE))
    rows = {
        "symbol": symbols,
        "base": [symbol.removesuffix("USDT") for symbol in symbols],
        "quote": ["USDT"] * len(symbols),
        "followed": [True] * len(symbols),
        "reason": ["configured"] * len(symbols),
    }
    empty = {name: [None] * len(symbols) for name in UNIVERSE.schema if name not in rows}
    return pl.DataFrame(rows | empty).select(list(UNIVERSE.schema)).cast(dict(UNIVERSE.schema))


def make_live(platform: Platform, genome: Genome) -> None:
    name, at_ms = genome.strategy_id, OPENED_MS
    path = (State.BACKTESTED, State.PAPER, State.LIVE_CANDIDATE, State.LIVE)
    with platform.ledger.transaction() as tx:
        strategies.register(tx, [NewStrategy(name, genome.json, "fresh")], "factory", at_ms)
        strategies.advance(tx, [Change(name, state, "a test") for state in path], person("tester"), at_ms)


@pytest.fixture
def account(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    keys = paper_keys(MARKET.seed, "paper")
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.setenv("TIDEMILL_BINANCE_KEY", keys.api_key)
    monkeypatch.setenv("TIDEMILL_BINANCE_SECRET", keys.secret)
    monkeypatch.delenv("TIDEMILL_LEDGER_URL", raising=False)
    clock = ClockSettings(start="2025-01-02T00:20:00", speed=0.0)
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=clock)) as sandbox:
        opened = opened_at(sandbox)
        yield opened
        opened.platform.binance.close()
        opened.platform.ledger.close()


@pytest.fixture
def on_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Account]:
    monkeypatch.setenv("TIDEMILL_HOME", str(tmp_path))
    monkeypatch.delenv("TIDEMILL_LEDGER_URL", raising=False)
    clock = ClockSettings(start="2025-01-02T00:20:00", speed=0.0)
    with EmbeddedSandbox(SandboxSettings(market=MARKET, clock=clock)) as sandbox:
        opened = opened_at(sandbox, venue={"kind": "paper", "market": "usdm"})
        yield opened
        opened.platform.ledger.close()


def opened_at(sandbox: EmbeddedSandbox, **changes: Any) -> Account:
    platform = Platform(configured(sandbox.base_url, **changes))
    platform.lake.write(UNIVERSE, DAY, universe())
    listed = platform.listed_instruments()
    platform.lake.write(INSTRUMENTS, DAY, build_rows(DAY, listed, [], stated_at_ms=OPENED_MS))
    make_live(platform, FOLLOWER)
    return Account(platform, sandbox)


def configured(url: str, **changes: Any) -> Settings:
    content: dict[str, Any] = {
        "market_data": {"source": "sandbox", "futures": True, "sandbox": {"base_url": url}},
        "venue": {
            "kind": "binance_usdm",
            "binance": {"base_url": url, "futures_base_url": url, "backoff_seconds": 0.01},
        },
        "desks": [{"use": "genome", "settings": {"slot_fraction": 0.1}}],
        "risk": {"max_spread_bps": 1000},
    }
    return Settings.model_validate(content | changes)


def test_a_long_and_a_short_come_and_go_and_every_book_agrees(account: Account) -> None:
    account.reconciled()
    taken, decided, verdicts = account.tick(FIRST, {"BTCUSDT": 1, "PEPEUSDT": -1, ALONE: 1})
    assert (taken.market, taken.leverage) == (Market.USDM, 1)
    assert {item.market for item in taken.instruments.values()} == {Market.USDM}
    assert set(taken.symbols) == {"BTCUSDT", "ETHUSDT", "1000PEPEUSDT", ALONE}
    seen = {item.symbol: (item.direction, item.reason_code) for item in decided}
    assert seen == {
        "BTCUSDT": (Direction.LONG, "entry_signal"),
        "1000PEPEUSDT": (Direction.SHORT, "entry_signal"),
        ALONE: (Direction.LONG, "no_contract"),
    }
    assert {item.reason_code for item in verdicts} == {"within_limits"}
    for item in decided:
        if item.symbol != ALONE:
            assert item.reference_price == account.contract_close(item.symbol, FIRST)
            assert item.quote_amount == pytest.approx(Decimal(1_000), rel=Decimal("0.001"))
    held = account.held()
    assert held["BTCUSDT"] > 0 > held["1000PEPEUSDT"]
    assert held == account.at_the_venue()
    protected_at_the_venue(account, decided, held)
    account.reconciled()
    assert take_snapshot(account.platform, FIRST, FIRST + 3_000) == taken
    explained_by_the_pair(account, taken)

    later, decided, _ = account.tick(SECOND, {"BTCUSDT": -1, "PEPEUSDT": 1})
    (told,) = later.strategies
    assert {item.symbol for item in told.best_closes} == set(held)
    closed = {item.symbol: item.direction for item in decided if item.action is Action.EXIT}
    assert closed == {"BTCUSDT": Direction.LONG, "1000PEPEUSDT": Direction.SHORT}
    turned = {item.reason_code for item in decided if item.action is Action.ENTER}
    assert turned == {"already_held"}
    assert account.held() == account.at_the_venue() == {}
    assert account.platform.binance.account.open_orders() == []
    with account.platform.ledger.read() as tx:
        made = [item for each in (taken, later) for item in orders.for_tick(tx, each.tick_id)]
    states = [(item.role, item.state) for item in made]
    assert (
        sorted(states)
        == [(OrderRole.SINGLE, OrderState.FILLED)] * 4 + [(OrderRole.STOP, OrderState.CANCELLED)] * 2
    )
    assert account.reconciled().matched > 0

    _, decided, _ = account.tick(THIRD, {"BTCUSDT": -1})
    assert [(item.action, item.direction) for item in decided] == [(Action.ENTER, Direction.SHORT)]
    assert list(account.held()) == ["BTCUSDT"]
    assert account.held()["BTCUSDT"] < 0, "once it is flat it goes the other way"
    assert account.held() == account.at_the_venue()
    account.reconciled()


def protected_at_the_venue(account: Account, decided: list[Decision], held: dict[str, Decimal]) -> None:
    """A stop rests behind each position: on its own side, of its size, at the decision's price."""
    found = {item.symbol: item for item in account.platform.binance.account.open_orders()}
    assert set(found) == set(held)
    for decision in decided:
        if decision.symbol in held:
            stop, long = found[decision.symbol], decision.direction is Direction.LONG
            assert (stop.side, stop.order_type) == (Side.SELL if long else Side.BUY, OrderType.STOP)
            assert stop.quantity == abs(held[decision.symbol])
            assert float(stop.stop_price or 0) == pytest.approx(decision.stop_price, rel=1e-3)
            assert float(stop.stop_price or 0) == pytest.approx(
                decision.reference_price * (0.97 if long else 1.03), rel=1e-3
            )


def explained_by_the_pair(account: Account, taken: Snapshot) -> None:
    """What stood behind a decision on a contract is found under its pair."""
    seen = taken.symbols["1000PEPEUSDT"]
    assert seen.spot_symbol == "PEPEUSDT"
    assert seen.close != seen.spot_close
    assert seen.close == pytest.approx(seen.spot_close, rel=0.02)
    assert any(name.startswith(f"{USDM_KLINES.name}/source=sandbox/") for name in taken.sources)
    platform = account.platform
    found = gather(platform.lake, platform.models.promoted_folder, taken, "1000PEPEUSDT")
    (bar,) = found.bars
    assert bar.as_read
    assert bar.close * 1000 == pytest.approx(seen.spot_close)
    assert found.view == seen


def test_without_futures_in_the_lake_nothing_is_decided(account: Account) -> None:
    url = account.sandbox.base_url
    spot_data = {"source": "sandbox", "futures": False, "sandbox": {"base_url": url}}
    platform = Platform(configured(url, market_data=spot_data))
    account.fill_lake(FIRST, {})
    with pytest.raises(FixConfiguration, match="market_data.futures is false"):
        take_snapshot(platform, FIRST, FIRST + 2_000)
    platform.ledger.close()


def test_a_held_contract_keeps_its_pair_in_the_universe_and_its_filters(account: Account) -> None:
    account.tick(FIRST, {"PEPEUSDT": -1})
    assert account.platform.held() == ["PEPEUSDT"]
    gone = universe().filter(pl.col("symbol") != "PEPEUSDT")
    account.platform.lake.write(UNIVERSE, DAY, gone)
    assert "1000PEPEUSDT" in account.platform.instruments()
    taken, *_ = account.tick(SECOND, {})
    assert "1000PEPEUSDT" in taken.instruments


def test_paper_trades_futures_too(on_paper: Account) -> None:
    """The same ticks against the paper venue, which fills a minute after the order."""
    paper = on_paper.platform.paper_venue()
    assert paper.derivatives
    on_paper.tick(FIRST, {"BTCUSDT": 1, "PEPEUSDT": -1})
    assert on_paper.held() == {}
    on_paper.sandbox.clock.set(FIRST + 62_000)
    assert on_paper.reconciled().new_fills == 2
    held = on_paper.held()
    assert held["BTCUSDT"] > 0 > held["1000PEPEUSDT"]
    assert held == on_paper.at_the_venue()
    with on_paper.platform.ledger.read() as tx:
        paid = tx.query("select sum(fee) as fees from fills")[0]["fees"]
    (wallet,) = paper.balances()
    assert wallet.free == Decimal(10_000) - Decimal(paid), "a wallet has not paid for its positions"
    on_paper.tick(SECOND, {"BTCUSDT": -1, "PEPEUSDT": 1})
    on_paper.sandbox.clock.set(SECOND + 62_000)
    on_paper.reconciled()
    assert on_paper.held() == on_paper.at_the_venue() == {}
    with on_paper.platform.ledger.read() as tx:
        cash = portfolio.cash(tx)
    assert paper.balances()[0].free == cash != Decimal(10_000)


def test_the_paper_account_reduces_what_it_holds_and_no_more(on_paper: Account) -> None:
    on_paper.tick(FIRST, {"PEPEUSDT": -1})
    on_paper.sandbox.clock.set(FIRST + 62_000)
    on_paper.reconciled()
    paper, short = on_paper.platform.paper_venue(), -on_paper.held()["1000PEPEUSDT"]
    for side, quantity in ((Side.SELL, short), (Side.BUY, short + 1)):
        with pytest.raises(BadData, match="reduces nothing"):
            paper.reduce("1000PEPEUSDT", side, quantity, "tm-wrong")
    paper.reduce("1000PEPEUSDT", Side.BUY, short, "tm-flat")
    on_paper.sandbox.clock.set(FIRST + 4 * 62_000)
    assert paper.lookup("tm-flat") is not None
    assert on_paper.at_the_venue() == {}
    spot = order(client_order_id="tm-spot", symbol="BTCUSDT", reference_price=on_paper.price("BTCUSDT"))
    refused = paper.submit(spot)
    assert (refused.state, "spot market" in refused.reason) == (OrderState.REJECTED, True)
