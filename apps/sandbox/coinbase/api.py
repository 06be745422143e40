"""The second venue's public candles, in the protocol of Coinbase Advanced Trade."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox import candles
from apps.sandbox.answers import json_answer
from apps.sandbox.backing import SecondVenueBacking
from apps.sandbox.clock import SandboxClock
from trading.model.interval import Interval

_MOST_CANDLES = 350
_GRANULARITIES = {
    "ONE_MINUTE": Interval.M1,
    "FIFTEEN_MINUTE": Interval.M15,
    "ONE_HOUR": Interval.H1,
    "FOUR_HOUR": Interval.H4,
    "ONE_DAY": Interval.D1,
}
_FIELDS = ("low", "high", "open", "close", "volume")


class CoinbaseApi:
    """Candles of BTC-USD and ETH-USD under /coinbase; None for a sandbox without a second venue."""

    def __init__(self, backing: SecondVenueBacking | None, clock: SandboxClock) -> None:
        self._backing = backing
        self._clock = clock

    def routes(self) -> list[Route]:
        """Routes of the API."""
        path = "/coinbase/api/v3/brokerage/market/products/{product}/candles"
        return [Route(path, self._candles)]

    async def _candles(self, request: Request) -> Response:
        """Newest first; ``start`` and ``end`` are seconds, both inclusive, and span at most 350 candles."""
        query, product = request.query_params, request.path_params["product"]
        if self._backing is None or product not in self._backing.products:
            return _refusal(404, "NOT_FOUND", "valid product_id is required")
        interval = _GRANULARITIES.get(query.get("granularity", ""))
        if interval is None:
            return _refusal(400, "INVALID_ARGUMENT", "granularity is not supported")
        start, end = query.get("start", ""), query.get("end", "")
        if not (start.isascii() and start.isdigit() and end.isascii() and end.isdigit()):
            return _refusal(400, "INVALID_ARGUMENT", "start and end argument is required, in seconds")
        start_ms, end_ms = int(start) * 1000, int(end) * 1000
        if end_ms < start_ms:
            return _refusal(400, "INVALID_ARGUMENT", "start must be before end")
        if (end_ms - start_ms) // interval.milliseconds + 1 > _MOST_CANDLES:
            return _refusal(
                400, "INVALID_ARGUMENT", f"number of candles requested should be less than {_MOST_CANDLES}"
            )
        bars = candles.klines(
            self._backing,
            product,
            interval,
            now_ms=self._clock.now_ms(),
            start_ms=start_ms,
            end_ms=end_ms,
            limit=_MOST_CANDLES,
        )
        found = [
            {"start": str(int(row["open_time"].timestamp())), **{name: _text(row[name]) for name in _FIELDS}}
            for row in bars.iter_rows(named=True)
        ]
        return json_answer({"candles": found[::-1]})


def _text(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")


def _refusal(status: int, error: str, message: str) -> Response:
    return json_answer({"error": error, "error_details": message, "message": message}, status)
