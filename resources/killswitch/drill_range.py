"""Where the kill chain is drilled: a local futures exchange with open orders, and a real guard process before it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import ROUND_FLOOR, Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx
from pydantic import SecretStr

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import SandboxSettings
from apps.sandbox.trading.keys import paper_keys
from apps.sandbox.trading.settings import TradingSettings
from resources.clock import SystemClock
from resources.instruments.signed import Credentials
from resources.venues.binance.opening import BinanceConnection, open_binance
from resources.venues.binance.settings import BinanceVenueSettings, VenueSettings
from trading.errors import HaltTrading
from trading.guard.exposure import unprotected
from trading.model.order import Order, OrderState, OrderType, Side
from trading.model.series import Market
from trading.simulation.settings import MarketSettings
from warehouse.flags import heartbeat
from warehouse.flags.files import control_folder

_ACCOUNT = "drill"
_SYMBOLS = ("BTCUSDT", "ETHUSDT")
#: Value of one order (quote), and how far from the market entries rest and stops wait.
_NOTIONAL = Decimal(300)
_ENTRY_FRACTION = Decimal("0.8")
_START_SECONDS = 120.0
_LOOK_SECONDS = 0.01
#: The drill looks far more often than a trader would, and the exchange counts all that comes from one address.
_NO_LIMIT = 1_000_000_000
#: What a process needs of its surroundings; credentials of the real venue are none of it.
_KEPT_VARIABLES = ("PATH", "HOME", "LANG", "LC_ALL", "PYTHONPATH", "VIRTUAL_ENV", "TZ")


class DrillRange:
    """An exchange in this process, an account on it, and guards as processes of their own.

    Parameters
    ----------
    guard
        The guard's settings, as in the configuration.
    """

    def __init__(self, guard: Mapping[str, Any]) -> None:
        self._guard_settings = dict(guard)
        self._settings = SandboxSettings(
            market=MarketSettings(symbols=_SYMBOLS, late_listing_days=0),
            trading=TradingSettings(accounts=(_ACCOUNT,)),
        )
        self._sandbox = EmbeddedSandbox(self._settings)
        self._temporary = tempfile.TemporaryDirectory(prefix="tidemill-drill-")
        self._home = Path(self._temporary.name)
        self._orders: dict[str, Order] = {}
        self._connection: BinanceConnection | None = None
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def folder(self) -> Path:
        """Where flag, heartbeats and journal of the drill lie."""
        return control_folder(self._home)

    @property
    def connection(self) -> BinanceConnection:
        """The trading process's way to the exchange."""
        if self._connection is None:
            raise HaltTrading("the drill's exchange is not running; use the range as a context manager")
        return self._connection

    def __enter__(self) -> Self:
        self._sandbox.start()
        keys = paper_keys(self._settings.market.seed, _ACCOUNT)
        url = self._sandbox.base_url
        venue = BinanceVenueSettings(
            base_url=url, futures_base_url=url, futures_weight_limit=_NO_LIMIT, weight_limit=_NO_LIMIT
        )
        settings = VenueSettings(kind="binance_usdm", binance=venue)
        signer = Credentials(SecretStr(keys.api_key), SecretStr(keys.secret))
        self._connection = open_binance(settings, self._orders.get, signer=signer)
        configuration = {
            "venue": {
                "kind": settings.kind,
                "binance": {
                    "base_url": url,
                    "futures_base_url": url,
                    "weight_limit": _NO_LIMIT,
                    "futures_weight_limit": _NO_LIMIT,
                },
            },
            "guard": self._guard_settings,
        }
        (self._home / "config").mkdir()
        (self._home / "config" / "tidemill.yaml").write_text(json.dumps(configuration), encoding="utf-8")
        # The sandbox gives an account two keys: one trades, the other is the guard's.
        private_key = self._home / "guard.pem"
        private_key.touch(mode=0o600)
        private_key.write_text(keys.ed25519_private_key, encoding="ascii")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop_guard()
        if self._connection is not None:
            self._connection.close()
        self._sandbox.stop()
        self._temporary.cleanup()

    def start_guard(self) -> None:
        """Start the guard's process and wait until it watches."""
        keys = paper_keys(self._settings.market.seed, _ACCOUNT)
        before = heartbeat.read(self.folder, "guard")
        with (self._home / "guard.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "apps.guard"],
                cwd=Path(__file__).resolve().parents[2],
                env={
                    **{name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ},
                    "TIDEMILL_HOME": str(self._home),
                    "TIDEMILL_GUARD_KEY": keys.ed25519_api_key,
                    "TIDEMILL_GUARD_PRIVATE_KEY_FILE": str(self._home / "guard.pem"),
                },
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.wait("the guard watches", lambda: heartbeat.read(self.folder, "guard") != before, _START_SECONDS)

    def kill_guard(self) -> None:
        """Kill the guard's process without a chance to end in order."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None

    def stop_guard(self) -> None:
        """End the guard's process."""
        if self._process is not None:
            self._process.terminate()
            try:
                self._process.wait(10)
            except subprocess.TimeoutExpired:
                self.kill_guard()
            self._process = None

    def open_positions(self) -> None:
        """Buy both coins and give the first one a stop; the second stays without."""
        for symbol in _SYMBOLS:
            self._submit(symbol, OrderType.MARKET)
        held = {position.symbol: position for position in self.connection.account.positions()}
        first = held[_SYMBOLS[0]]
        price = (first.mark_price * _ENTRY_FRACTION).quantize(Decimal(1), rounding=ROUND_FLOOR)
        self.connection.account.protect(
            first.symbol, Side.SELL, first.quantity, price, f"stop-{len(self._orders)}"
        )

    def place_entries(self, count: int) -> None:
        """Let limit orders rest below the market, the last one a stop order above it."""
        for number in range(count - 1):
            self._submit(_SYMBOLS[number % 2], OrderType.LIMIT)
        self._submit(_SYMBOLS[0], OrderType.STOP)

    def entries(self) -> int:
        """Orders at work that may add exposure, as the exchange says."""
        return sum(not order.reduce_only for order in self.connection.account.open_orders())

    def stops(self) -> set[str]:
        """Client ids of the orders that only reduce."""
        return {order.client_order_id for order in self.connection.account.open_orders() if order.reduce_only}

    def unprotected(self) -> list[str]:
        """Symbols with a position that no stop covers whole."""
        account = self.connection.account
        orders = account.open_orders()
        return [position.symbol for position in account.positions() if unprotected(position, orders)]

    def wait(self, what: str, condition: Callable[[], bool], seconds: float) -> float:
        """Look until a condition holds; returns the moment (Unix seconds).

        Raises
        ------
        HaltTrading
            If it does not hold in time, or the guard's process has ended meanwhile.
        """
        deadline = time.monotonic() + seconds
        while not condition():
            ended = self._process is not None and self._process.poll() is not None
            if ended or time.monotonic() > deadline:
                raise HaltTrading(
                    f"drill: {'the guard has ended' if ended else f'{seconds:g} s have passed'} before {what}: "
                    f"{self._last_words()}"
                )
            time.sleep(_LOOK_SECONDS)
        return time.time()

    def _last_words(self) -> str:
        log = self._home / "guard.log"
        return log.read_text(errors="replace")[-500:] if log.exists() else "no log"

    def _submit(self, symbol: str, order_type: OrderType) -> None:
        account = self.connection.account
        mark = self._mark(symbol)
        below = (mark * _ENTRY_FRACTION).quantize(Decimal(1), rounding=ROUND_FLOOR)
        above = (mark / _ENTRY_FRACTION).quantize(Decimal(1), rounding=ROUND_FLOOR)
        number = len(self._orders)
        now_ms = account.now_ms()
        order = Order(
            client_order_id=f"drill-{number}",
            decision_id="drill",
            tick_id="drill",
            venue=account.name,
            desk="drill",
            strategy_id="",
            symbol=symbol,
            side=Side.BUY,
            quantity=(_NOTIONAL / mark).quantize(Decimal("0.001")),
            reference_price=mark,
            state=OrderState.SENDING,
            created_at_ms=now_ms,
            not_before_ms=now_ms,
            order_type=order_type,
            limit_price=below if order_type is OrderType.LIMIT else None,
            stop_price=above if order_type is OrderType.STOP else None,
            market=Market.USDM,
        )
        self._orders[order.client_order_id] = order
        report = self.connection.venue.submit(replace(order, sending_at_ms=now_ms))
        if report.state in (OrderState.REJECTED, OrderState.EXPIRED):
            raise HaltTrading(f"drill: the exchange refused {order.client_order_id}: {report.reason}")

    def _mark(self, symbol: str) -> Decimal:
        answer = httpx.get(
            f"{self._sandbox.base_url}/fapi/v1/premiumIndex", params={"symbol": symbol}, trust_env=False
        )
        return Decimal(answer.raise_for_status().json()["markPrice"])


def now_ms() -> int:
    """Milliseconds since the epoch, by this machine's clock."""
    return SystemClock().now_ms()
