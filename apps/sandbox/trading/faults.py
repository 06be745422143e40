"""What goes wrong with signed requests, as the settings plan it."""

from __future__ import annotations

import hashlib
from collections import Counter
from enum import StrEnum

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from apps.sandbox.errors import ApiError, banned, too_many_requests
from apps.sandbox.trading.settings import TradingFaults
from trading.ports import Clock


class Draws:
    """Numbers from 0 up to 1 that follow from a seed, a purpose and how often it was drawn for."""

    def __init__(self, seed: int) -> None:
        self._seed = seed
        self._drawn: Counter[str] = Counter()

    def next(self, purpose: str) -> float:
        """The purpose's next number."""
        self._drawn[purpose] += 1
        text = f"{self._seed}/{purpose}/{self._drawn[purpose]}"
        return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=6).digest()) / 2**48


class Fault(StrEnum):
    """How a request fails."""

    RATE_LIMIT = "rate_limit"
    BAN = "ban"
    TIMEOUT_BEFORE = "timeout_before"
    DROP_BEFORE = "drop_before"
    SERVER_ERROR_BEFORE = "server_error_before"
    TIMEOUT_AFTER = "timeout_after"
    DROP_AFTER = "drop_after"
    SERVER_ERROR_AFTER = "server_error_after"

    @property
    def carried_out(self) -> bool:
        """Whether the request takes effect all the same."""
        return self.value.endswith("_after")


#: Request weight that a planned 429 says is used up.
_STATED_LIMIT = 6_000
_EVERY_REQUEST = (Fault.RATE_LIMIT, Fault.BAN)


class RequestFaults:
    """Draws each signed request's fate; each endpoint has its own row of draws."""

    def __init__(self, settings: TradingFaults) -> None:
        self.settings = settings
        self._draws = Draws(settings.seed)

    def next(self, endpoint: str, *, changes: bool) -> Fault | None:
        """How the next request to an endpoint fails; None lets it through."""
        at = self._draws.next(endpoint)
        for fault in Fault if changes else _EVERY_REQUEST:
            at -= float(getattr(self.settings, f"{fault.value}_fraction"))
            if at < 0:
                return fault
        return None

    def answer(self, fault: Fault, now_ms: int) -> ApiError | None:
        """What the client hears; None when its connection ends instead."""
        wait = self.settings.retry_after_seconds
        if fault is Fault.RATE_LIMIT:
            return too_many_requests(_STATED_LIMIT, wait)
        if fault is Fault.BAN:
            return banned(now_ms + wait * 1000, wait)
        if fault in (Fault.TIMEOUT_BEFORE, Fault.TIMEOUT_AFTER):
            return ApiError(
                408,
                -1007,
                "Timeout waiting for response from backend server. "
                "Send status unknown; execution status unknown.",
            )
        if fault in (Fault.SERVER_ERROR_BEFORE, Fault.SERVER_ERROR_AFTER):
            return ApiError(503, -1000, "An unknown error occurred while processing the request.")
        return None


class CutOff(Response):
    """An answer whose connection ends after the headers."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the headers, and nothing of what they promise."""
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"1024")]})


class SkewedClock:
    """The exchange's clock, jumping by ``clock_skew_ms`` once enough signed requests have come."""

    def __init__(self, clock: Clock, settings: TradingFaults) -> None:
        self._clock = clock
        self._settings = settings
        self._left = settings.clock_skew_after_requests

    def count(self) -> None:
        """A signed request came."""
        self._left = max(0, self._left - 1)

    def now_ms(self) -> int:
        """Milliseconds since the epoch, as the exchange says."""
        return self._clock.now_ms() + (0 if self._left else self._settings.clock_skew_ms)


class StaleClock:
    """The moment of which prices are shown: now, or some time ago where a fault is drawn."""

    def __init__(self, clock: Clock, settings: TradingFaults) -> None:
        self._clock = clock
        self._settings = settings
        self._draws = Draws(settings.seed)

    def now_ms(self) -> int:
        """Milliseconds since the epoch."""
        now_ms, fraction = self._clock.now_ms(), self._settings.stale_fraction
        stale = fraction > 0 and self._draws.next("stale") < fraction
        return now_ms - self._settings.stale_seconds * 1000 if stale else now_ms
