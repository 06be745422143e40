"""The guard's spot account on the signed exchange: real balances, real locks, stops replaced and coins sold."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pytest

from apps.guard.accounts import GUARD_KEY, GUARD_SECRET, guard_account
from apps.guard.countdowns import Countdowns
from apps.guard.evidence import Evidence
from apps.guard.grid import OnGrid
from apps.guard.hands import Hands
from apps.guard.response import Response
from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.keys import paper_keys
from apps.sandbox.trading.settings import Deposit, TradingSettings
from resources.clock import SystemClock
from resources.settings import Settings
from resources.venues.binance.settings import BinanceVenueSettings, VenueSettings
from trading.guard.settings import GuardSettings
from trading.model.order import OrderType, Side
from trading.simulation.settings import MarketSettings
from warehouse.flags.journal import Journal
from warehouse.flags.kill_flag import KillFlag


@pytest.fixture
def sandbox() -> Iterator[EmbeddedSandbox]:
    deposits = (Deposit("USDT", Decimal(1_000)), Deposit("BTC", Decimal("0.10000057")))
    made = SandboxSettings(
        market=MarketSettings(
            symbols=("BTCUSDT", "ETHUSDT"), late_listing_days=0, venue_outage_probability=0
        ),
        clock=ClockSettings(start="2025-03-10T00:20:00", speed=0.0),
        trading=TradingSettings(spot_deposits=deposits, participation_fraction=Decimal(1)),
    )
    with EmbeddedSandbox(made) as running:
        yield running


def opened(sandbox: EmbeddedSandbox, guard: GuardSettings) -> OnGrid:
    keys = paper_keys(sandbox.settings.market.seed, "paper")
    url = sandbox.base_url
    where = BinanceVenueSettings(base_url=url, futures_base_url=url, receive_window_ms=60_000)
    settings = Settings(venue=VenueSettings(kind="binance_spot", binance=where), guard=guard)
    return guard_account(settings, {GUARD_KEY: keys.api_key, GUARD_SECRET: keys.secret})


def rounds(account: OnGrid, guard: GuardSettings, folder: Path, count: int) -> None:
    hands = Hands(account, 4)
    clock = SystemClock()
    evidence = Evidence(Journal(folder / "guard.journal", 1), clock)
    countdowns = Countdowns(account, 0, lambda: 0.0)
    response = Response(KillFlag(True, "test", "tester", 5), hands, countdowns, evidence, guard, clock)
    for _ in range(count):
        response.round()
    hands.close()


def test_coins_get_a_stop_and_are_then_sold_in_its_place(sandbox: EmbeddedSandbox, tmp_path: Path) -> None:
    keep = GuardSettings(spot_holdings="guard", spot_keep={"BTC": Decimal("0.04")})
    account = opened(sandbox, keep)
    rounds(account, keep, tmp_path / "keep", 3)
    (stop,) = account.open_orders()
    assert (stop.symbol, stop.side, stop.order_type) == ("BTCUSDT", Side.SELL, OrderType.STOP)
    assert stop.quantity == Decimal("0.06"), "whole lots, without the savings"
    (held,) = account.positions()
    assert stop.stop_price is not None
    assert abs(stop.stop_price / held.mark_price - Decimal("0.95")) < Decimal("0.0001")

    flatten = GuardSettings(
        policy="flatten", stages=(), spot_holdings="guard", spot_keep={"BTC": Decimal("0.04")}
    )
    account = opened(sandbox, flatten)
    rounds(account, flatten, tmp_path / "flatten", 4)
    assert account.positions() == []
    assert account.open_orders() == []
    left = opened(sandbox, GuardSettings())._inner.balances()  # type: ignore[attr-defined] # the spot account
    by_currency = {item.currency: item.free + item.locked for item in left}
    assert Decimal("0.04") <= by_currency["BTC"] < Decimal("0.0401")
    assert by_currency["USDT"] > 1_000


def test_coins_are_left_alone_unless_told_otherwise(sandbox: EmbeddedSandbox, tmp_path: Path) -> None:
    flatten = GuardSettings(policy="flatten", stages=())
    account = opened(sandbox, flatten)
    rounds(account, flatten, tmp_path, 2)
    assert account.positions() == []
    (coins,) = [item for item in account._inner.balances() if item.currency == "BTC"]  # type: ignore[attr-defined] # as above
    assert coins.free == Decimal("0.10000057")
