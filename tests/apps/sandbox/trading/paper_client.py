"""A signed client of the sandbox for tests, and worlds to trade in."""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlencode

import httpx
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from apps.sandbox.server import EmbeddedSandbox
from apps.sandbox.settings import ClockSettings, SandboxSettings
from apps.sandbox.trading.keys import PaperKeys, paper_keys
from apps.sandbox.trading.settings import TradingFaults, TradingSettings
from trading.simulation.settings import MarketSettings

MARKET = MarketSettings(
    symbols=("BTCUSDT", "ETHUSDT"),
    origin="2024-12-25",
    horizon_days=40,
    late_listing_days=0,
    venue_outage_probability=0.0,
    symbol_outage_probability=0.0,
)
NOW = "2025-01-03T12:34:30"
NOW_MS = int(datetime(2025, 1, 3, 12, 34, 30, tzinfo=UTC).timestamp() * 1000)
SETTINGS = SandboxSettings(market=MARKET, clock=ClockSettings(start=NOW, speed=0.0))
KEYS = paper_keys(MARKET.seed, "paper")


def with_faults(faults: TradingFaults) -> SandboxSettings:
    return replace(SETTINGS, trading=TradingSettings(faults=faults))


class PaperClient:
    """Signs with the account's key, over HMAC or Ed25519."""

    def __init__(self, sandbox: EmbeddedSandbox, keys: PaperKeys = KEYS, *, ed25519: bool = False) -> None:
        self.sandbox = sandbox
        self._keys = keys
        self._ed25519 = ed25519
        self.http = httpx.Client(base_url=sandbox.base_url, timeout=10.0)
        self.http.headers["X-MBX-APIKEY"] = keys.ed25519_api_key if ed25519 else keys.api_key

    def signature(self, payload: str) -> str:
        if not self._ed25519:
            return hmac.new(self._keys.secret.encode(), payload.encode(), hashlib.sha256).hexdigest()
        private = load_pem_private_key(self._keys.ed25519_private_key.encode(), None)
        return quote(base64.b64encode(private.sign(payload.encode())).decode())  # type: ignore[union-attr, call-arg]

    def send(self, method: str, path: str, /, **values: Any) -> httpx.Response:
        values.setdefault("timestamp", self.sandbox.clock.now_ms())
        payload = urlencode({name: value for name, value in values.items() if value is not None})
        signed = f"{payload}&signature={self.signature(payload)}"
        return self.http.request(method, f"{path}?{signed}")

    def get(self, path: str, /, **values: Any) -> Any:
        return self._good(self.send("GET", path, **values))

    def post(self, path: str, /, **values: Any) -> Any:
        return self._good(self.send("POST", path, **values))

    def delete(self, path: str, /, **values: Any) -> Any:
        return self._good(self.send("DELETE", path, **values))

    def refused(self, method: str, path: str, /, **values: Any) -> int:
        answer = self.send(method, path, **values)
        assert answer.status_code >= 400, answer.text
        return int(answer.json()["code"])

    def wait(self, minutes: int) -> None:
        self.sandbox.clock.set(self.sandbox.clock.now_ms() + minutes * 60_000)

    @staticmethod
    def _good(answer: httpx.Response) -> Any:
        assert answer.status_code == 200, answer.text
        return answer.json()

    def __enter__(self) -> PaperClient:
        return self

    def __exit__(self, *args: object) -> None:
        self.http.close()
