"""The exchange as a web application that speaks Binance's spot REST protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox import archive, candles, parameters, render
from apps.sandbox.backing import Backing
from apps.sandbox.clock import SandboxClock
from apps.sandbox.errors import ApiError, illegal
from apps.sandbox.gate import UNLIMITED_WEIGHT, FaultPlan, WeightGate
from apps.sandbox.settings import FaultSettings
from trading.model.instrument import Instrument
from trading.model.interval import DAY_MS, MINUTE_MS, Interval

Handler = Callable[[Request], Awaitable[Response]]
Weight = Callable[[Request], int]


def create_app(
    backing: Backing,
    clock: SandboxClock,
    faults: FaultSettings | None = None,
    *,
    weight_limit: int = 0,
    archive_delay_minutes: int = 0,
) -> Starlette:
    """Build the exchange.

    Parameters
    ----------
    backing
        Where prices come from.
    clock
        The exchange's time; ``POST /sandbox/clock`` with ``{"now_ms": …}`` sets it.
    faults
        Which requests go wrong; None means none.
    weight_limit
        Request weight per real minute; 0 never refuses.
    """
    exchange = _Exchange(backing, clock, FaultPlan(faults or FaultSettings()), WeightGate(weight_limit))
    exchange.archive_delay_ms = archive_delay_minutes * MINUTE_MS
    api = exchange.guarded
    return Starlette(
        routes=[
            Route("/api/v3/ping", api(exchange.ping, lambda _: 1)),
            Route("/api/v3/time", api(exchange.time, lambda _: 1)),
            Route("/api/v3/exchangeInfo", api(exchange.exchange_info, lambda _: 20)),
            Route("/api/v3/klines", api(exchange.klines, lambda _: 2)),
            Route("/api/v3/ticker/24hr", api(exchange.day_ticker, _by_symbols(2, 80))),
            Route("/api/v3/ticker/price", api(exchange.price, _by_symbols(2, 4))),
            Route("/api/v3/ticker/bookTicker", api(exchange.book, _by_symbols(2, 4))),
            Route("/archive/data/spot/daily/klines/{symbol}/1m/{name}", exchange.archive_file),
            Route("/sandbox/clock", exchange.show_clock),
            Route("/sandbox/clock", exchange.set_clock, methods=["POST"]),
        ]
    )


def _by_symbols(one: int, many: int) -> Weight:
    return lambda request: one if "symbol" in request.query_params else many


class _Exchange:
    def __init__(self, backing: Backing, clock: SandboxClock, faults: FaultPlan, gate: WeightGate) -> None:
        self.backing = backing
        self.clock = clock
        self.faults = faults
        self.gate = gate
        self.archive_delay_ms = 0
        self.known: dict[str, Instrument] = {item.symbol: item for item in backing.instruments()}
        self._marks = {
            header: ",".join(columns)
            for header, columns in (
                ("X-Tidemill-Derived", backing.derived),
                ("X-Tidemill-Missing", backing.missing),
            )
            if columns
        }

    def guarded(self, handler: Handler, weight: Weight) -> Handler:
        """Count weight, plan faults, and answer errors in Binance's form."""

        async def guard(request: Request) -> Response:
            try:
                self.gate.admit(weight(request), self.clock.now_ms())
                hang_seconds = self.faults.next_request()
                if hang_seconds:
                    await asyncio.sleep(hang_seconds)
                response = await handler(request)
            except ApiError as error:
                response = _json({"code": error.code, "msg": error.message}, error.status)
                response.headers.update(error.headers)
            response.headers["X-MBX-USED-WEIGHT"] = str(self.gate.used)
            response.headers["X-MBX-USED-WEIGHT-1M"] = str(self.gate.used)
            return response

        return guard

    async def ping(self, request: Request) -> Response:
        return _json({})

    async def time(self, request: Request) -> Response:
        return _json({"serverTime": self.clock.now_ms()})

    async def exchange_info(self, request: Request) -> Response:
        wanted, _ = parameters.symbols(request.query_params, self.known)
        limit = self.gate.limit or UNLIMITED_WEIGHT
        return _json(render.exchange_info(wanted, self.clock.now_ms(), limit))

    async def klines(self, request: Request) -> Response:
        query = request.query_params
        instrument = parameters.symbol(query, self.known)
        interval = parameters.interval(query)
        bars = candles.klines(
            self.backing,
            instrument.symbol,
            interval,
            now_ms=self.clock.now_ms(),
            start_ms=parameters.integer(query, "startTime"),
            end_ms=parameters.integer(query, "endTime"),
            limit=parameters.limit(query),
        )
        body = render.klines_json(bars, interval.milliseconds)
        return Response(body, media_type="application/json", headers=self._marks)

    async def day_ticker(self, request: Request) -> Response:
        now_ms = self.clock.now_ms()

        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            minutes = self._latest(instrument.symbol, now_ms, 1440)
            return None if minutes.is_empty() else render.day_ticker(instrument, minutes, now_ms)

        return self._tickers(request, ticker)

    async def price(self, request: Request) -> Response:
        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            last = self._last_price(instrument.symbol)
            return None if last is None else render.price(instrument.symbol, last)

        return self._tickers(request, ticker)

    async def book(self, request: Request) -> Response:
        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            last = self._last_price(instrument.symbol)
            return None if last is None else render.book(instrument, last)

        return self._tickers(request, ticker)

    async def archive_file(self, request: Request) -> Response:
        name: str = request.path_params["name"]
        zip_name = name.removesuffix(".CHECKSUM")
        now_ms = self.clock.now_ms()
        content = archive.daily_zip(self.backing, zip_name, now_ms, self.archive_delay_ms)
        if content is None or not zip_name.startswith(request.path_params["symbol"] + "-"):
            return Response(
                "<Error><Code>NoSuchKey</Code></Error>", status_code=404, media_type="application/xml"
            )
        if name != zip_name:
            return Response(archive.checksum(zip_name, content), media_type="binary/octet-stream")
        return Response(self.faults.damage(content), media_type="application/zip", headers=self._marks)

    async def show_clock(self, request: Request) -> Response:
        return _json({"now_ms": self.clock.now_ms()})

    async def set_clock(self, request: Request) -> Response:
        try:
            now_ms = orjson.loads(await request.body())["now_ms"]
        except (orjson.JSONDecodeError, KeyError, TypeError):
            now_ms = None
        if not isinstance(now_ms, int) or now_ms < 0:
            error = illegal("now_ms")
            return _json({"code": error.code, "msg": error.message}, error.status)
        self.clock.set(now_ms)
        return _json({"now_ms": now_ms})

    def _tickers(self, request: Request, ticker: Callable[[Instrument], dict[str, Any] | None]) -> Response:
        wanted, single = parameters.symbols(request.query_params, self.known)
        found = [entry for entry in map(ticker, wanted) if entry is not None]
        if single:
            return _json(found[0]) if found else _json({"code": -1121, "msg": "Invalid symbol."}, 400)
        return _json(found)

    def _last_price(self, symbol: str) -> float | None:
        minutes = self._latest(symbol, self.clock.now_ms(), 1)
        return None if minutes.is_empty() else float(minutes["close"][-1])

    def _latest(self, symbol: str, now_ms: int, count: int) -> Any:
        # A day's silence at most is bridged: an older price would pass for a current one.
        return candles.klines(
            self.backing,
            symbol,
            Interval.M1,
            now_ms=now_ms,
            start_ms=now_ms - DAY_MS + 1,
            end_ms=None,
            limit=1440,
        ).tail(count)


def _json(content: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
