"""The spot market's REST API, in Binance's protocol."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import polars as pl
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox import candles, parameters, render
from apps.sandbox.answers import json_answer
from apps.sandbox.backing import Backing, Minutes
from apps.sandbox.gate import UNLIMITED_WEIGHT
from apps.sandbox.guard import Guard, by_symbol
from trading.model.instrument import Instrument
from trading.ports import Clock


class SpotApi:
    """Everything under /api/v3.

    Parameters
    ----------
    minutes
        The bars to show: the backing's own, or what planned faults make of them.
    weight_limit
        Weight per minute that /exchangeInfo states; 0 states one that nobody reaches.
    shown
        The moment of which prices are shown; None is ``clock``.
    """

    def __init__(
        self,
        backing: Backing,
        minutes: Minutes,
        clock: Clock,
        weight_limit: int,
        shown: Clock | None = None,
    ) -> None:
        self._minutes = minutes
        self._clock = clock
        self._shown = shown or clock
        self._weight_limit = weight_limit or UNLIMITED_WEIGHT
        self._listed = {item.symbol: item for item in backing.instruments()}
        self._marks = marks(backing)

    def routes(self, guard: Guard) -> list[Route]:
        """Routes of the API."""
        return [
            Route("/api/v3/ping", guard(self._ping, 1)),
            Route("/api/v3/time", guard(self._time, 1)),
            Route("/api/v3/exchangeInfo", guard(self._exchange_info, 20)),
            Route("/api/v3/klines", guard(self._klines, 2)),
            Route("/api/v3/ticker/24hr", guard(self._day_ticker, by_symbol(2, 80))),
            Route("/api/v3/ticker/price", guard(self._price, by_symbol(2, 4))),
            Route("/api/v3/ticker/bookTicker", guard(self._book, by_symbol(2, 4))),
        ]

    async def _ping(self, request: Request) -> Response:
        return json_answer({})

    async def _time(self, request: Request) -> Response:
        return json_answer({"serverTime": self._clock.now_ms()})

    async def _exchange_info(self, request: Request) -> Response:
        wanted, _ = parameters.symbols(request.query_params, self._listed)
        now_ms = self._clock.now_ms()
        shown = [_as_of(instrument, now_ms) for instrument in wanted]
        return json_answer(render.exchange_info(shown, now_ms, self._weight_limit))

    async def _klines(self, request: Request) -> Response:
        query = request.query_params
        instrument = parameters.symbol(query, self._listed)
        interval = parameters.interval(query)
        bars = candles.klines(
            self._minutes,
            instrument.symbol,
            interval,
            now_ms=self._shown.now_ms(),
            start_ms=parameters.integer(query, "startTime"),
            end_ms=parameters.integer(query, "endTime"),
            limit=parameters.limit(query),
        )
        body = render.klines_json(bars, interval.milliseconds)
        return Response(body, media_type="application/json", headers=self._marks)

    async def _day_ticker(self, request: Request) -> Response:
        now_ms = self._shown.now_ms()

        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            minutes = candles.last_day(self._minutes, instrument.symbol, now_ms)
            return None if minutes.is_empty() else render.day_ticker(instrument, minutes, now_ms)

        return self._tickers(request, ticker)

    async def _price(self, request: Request) -> Response:
        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            last = self._last_price(instrument.symbol)
            return None if last is None else render.price(instrument.symbol, last)

        return self._tickers(request, ticker)

    async def _book(self, request: Request) -> Response:
        def ticker(instrument: Instrument) -> dict[str, Any] | None:
            last = self._last_price(instrument.symbol)
            return None if last is None else render.book(instrument, last)

        return self._tickers(request, ticker)

    def _tickers(self, request: Request, ticker: Callable[[Instrument], dict[str, Any] | None]) -> Response:
        wanted, single = parameters.symbols(request.query_params, self._listed)
        found = [entry for entry in map(ticker, wanted) if entry is not None]
        if single:
            return (
                json_answer(found[0])
                if found
                else json_answer({"code": -1121, "msg": "Invalid symbol."}, 400)
            )
        return json_answer(found)

    def _last_price(self, symbol: str) -> float | None:
        minutes: pl.DataFrame = candles.last_day(self._minutes, symbol, self._shown.now_ms())
        return None if minutes.is_empty() else float(minutes["close"][-1])


def marks(backing: Backing) -> dict[str, str]:
    """Headers that tell which columns the backing derives or lacks."""
    named = {"X-Tidemill-Derived": backing.derived, "X-Tidemill-Missing": backing.missing}
    return {header: ",".join(columns) for header, columns in named.items() if columns}


def _as_of(instrument: Instrument, now_ms: int) -> Instrument:
    ended = instrument.delisted_at_ms is not None and instrument.delisted_at_ms <= now_ms
    return replace(instrument, status="BREAK") if ended else instrument
