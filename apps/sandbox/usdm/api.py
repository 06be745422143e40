"""The USDT-margined futures' REST API, in Binance's protocol."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox import candles, parameters, render
from apps.sandbox.answers import json_answer
from apps.sandbox.backing import FuturesBacking
from apps.sandbox.errors import invalid_interval, invalid_symbol, missing, out_of_reach
from apps.sandbox.gate import UNLIMITED_WEIGHT
from apps.sandbox.guard import Guard, Handler, by_symbol
from apps.sandbox.usdm import history
from apps.sandbox.usdm import render as shapes
from trading.model.interval import DAY_MS, MINUTE_MS
from trading.model.series import Series
from trading.ports import Clock
from trading.simulation.contracts import USUAL_HOURS, Contract
from trading.simulation.funding import HOUR_MS, next_settlement
from trading.simulation.funding import funding_rate as rate_of

_USUAL_BARS, _MOST_BARS = 500, 1_500
_PERIOD_MINUTES = {
    "5m": 5,
    "15m": 15,
    "30m": 30,
    "1h": 60,
    "2h": 120,
    "4h": 240,
    "6h": 360,
    "12h": 720,
    "1d": 1440,
}
#: How far back /openInterestHist goes.
_OPEN_INTEREST_DAYS = 30


class FuturesApi:
    """Everything public under /fapi/v1, and /futures/data/openInterestHist.

    Parameters
    ----------
    shown
        The moment of which traded prices are shown; None is ``clock``.
    """

    def __init__(
        self, backing: FuturesBacking, clock: Clock, weight_limit: int, shown: Clock | None = None
    ) -> None:
        self._bars = backing.bars
        self._market = backing.market
        self._clock = clock
        self._shown = shown or clock
        self._weight_limit = weight_limit or UNLIMITED_WEIGHT

    def routes(self, guard: Guard) -> list[Route]:
        """Routes of the API."""
        return [
            Route("/fapi/v1/ping", guard(self._ping, 1)),
            Route("/fapi/v1/time", guard(self._time, 1)),
            Route("/fapi/v1/exchangeInfo", guard(self._exchange_info, 1)),
            Route("/fapi/v1/klines", guard(self._klines(Series.USDM), _bars_weight)),
            Route("/fapi/v1/markPriceKlines", guard(self._klines(Series.MARK), _bars_weight)),
            Route("/fapi/v1/indexPriceKlines", guard(self._klines(Series.INDEX, "pair"), _bars_weight)),
            Route("/fapi/v1/premiumIndexKlines", guard(self._klines(Series.PREMIUM), _bars_weight)),
            Route("/fapi/v1/fundingRate", guard(self._funding_rate, 1)),
            Route("/fapi/v1/fundingInfo", guard(self._funding_info, 1)),
            Route("/fapi/v1/premiumIndex", guard(self._premium_index, by_symbol(1, 10))),
            Route("/fapi/v1/ticker/24hr", guard(self._day_ticker, by_symbol(1, 40))),
            Route("/fapi/v1/ticker/bookTicker", guard(self._book, by_symbol(2, 5))),
            Route("/fapi/v1/openInterest", guard(self._open_interest, 1)),
            Route("/futures/data/openInterestHist", guard(self._open_interest_history, 0)),
        ]

    async def _ping(self, request: Request) -> Response:
        return json_answer({})

    async def _time(self, request: Request) -> Response:
        return json_answer({"serverTime": self._clock.now_ms()})

    async def _exchange_info(self, request: Request) -> Response:
        now_ms = self._clock.now_ms()
        return json_answer(shapes.exchange_info(list(self._listed().values()), now_ms, self._weight_limit))

    def _klines(self, series: Series, name: str = "symbol") -> Handler:
        async def klines(request: Request) -> Response:
            query = request.query_params
            contract = self._contract(request, name)
            interval = parameters.interval(query)
            bars = candles.klines(
                self._bars[series],
                contract.symbol,
                interval,
                now_ms=self._shown.now_ms(),
                start_ms=parameters.integer(query, "startTime"),
                end_ms=parameters.integer(query, "endTime"),
                limit=parameters.limit(query, _USUAL_BARS, _MOST_BARS),
            )
            body = render.klines_json if series.traded else shapes.computed_json
            return Response(body(bars, interval.milliseconds), media_type="application/json")

        return klines

    async def _funding_rate(self, request: Request) -> Response:
        query = request.query_params
        wanted = [self._contract(request)] if "symbol" in query else list(self._listed().values())
        return json_answer(
            history.funding_rates(
                self._market,
                wanted,
                now_ms=self._clock.now_ms(),
                start_ms=parameters.integer(query, "startTime"),
                end_ms=parameters.integer(query, "endTime"),
                limit=parameters.limit(query, 100, 1000),
            )
        )

    async def _funding_info(self, request: Request) -> Response:
        now_ms = self._clock.now_ms()
        adjusted = [
            shapes.funding_info(contract.symbol, contract.interval_hours(now_ms))
            for contract in self._listed().values()
            if contract.interval_hours(now_ms) != USUAL_HOURS
        ]
        return json_answer(adjusted)

    async def _premium_index(self, request: Request) -> Response:
        return self._each(request, self._premium)

    async def _day_ticker(self, request: Request) -> Response:
        now_ms = self._shown.now_ms()

        def ticker(contract: Contract) -> dict[str, Any] | None:
            minutes = candles.last_day(self._bars[Series.USDM], contract.symbol, now_ms)
            return None if minutes.is_empty() else shapes.day_ticker(contract, minutes, now_ms)

        return self._each(request, ticker)

    async def _book(self, request: Request) -> Response:
        def ticker(contract: Contract) -> dict[str, Any] | None:
            last = self._last(Series.USDM, contract.symbol)
            return None if last is None else shapes.book(contract, last, self._clock.now_ms())

        return self._each(request, ticker)

    async def _open_interest(self, request: Request) -> Response:
        now_ms, symbol = self._clock.now_ms(), self._contract(request).symbol
        rows = history.positions(self._market, symbol, now_ms - DAY_MS, now_ms)
        if rows.is_empty():
            raise invalid_symbol()
        return json_answer(shapes.open_interest(symbol, float(rows["open_interest"][-1]), now_ms))

    async def _open_interest_history(self, request: Request) -> Response:
        query, now_ms = request.query_params, self._clock.now_ms()
        symbol = self._contract(request).symbol
        period = query.get("period")
        if not period:
            raise missing("period")
        if period not in _PERIOD_MINUTES:
            raise invalid_interval()
        oldest = now_ms - _OPEN_INTEREST_DAYS * DAY_MS
        start_ms, end_ms = parameters.integer(query, "startTime"), parameters.integer(query, "endTime")
        if start_ms is not None and start_ms < oldest:
            raise out_of_reach("startTime")
        limit = parameters.limit(query, 30, 500)
        last = now_ms if end_ms is None else min(end_ms, now_ms)
        step_ms = _PERIOD_MINUTES[period] * MINUTE_MS
        # The newest rows of the window are served, so no older ones need to be computed.
        first = max(oldest if start_ms is None else start_ms, last - limit * step_ms)
        rows = history.positions(self._market, symbol, first, last, step_ms).tail(limit)
        return json_answer(shapes.open_interest_history(symbol, rows))

    def _premium(self, contract: Contract) -> dict[str, Any] | None:
        now_ms = self._clock.now_ms()
        mark, index = self._last(Series.MARK, contract.symbol), self._last(Series.INDEX, contract.symbol)
        if mark is None or index is None:
            return None
        hours, next_ms = contract.interval_hours(now_ms), next_settlement(contract, now_ms)
        minute = now_ms // MINUTE_MS * MINUTE_MS
        paid_for = self._market.premiums(
            contract.symbol, min(next_ms - hours * HOUR_MS, minute - MINUTE_MS), minute
        )
        rate = rate_of(paid_for, hours) if paid_for.size else 0.0
        return shapes.premium_index(
            contract.symbol, now_ms, mark=mark, index=index, rate=rate, next_ms=next_ms
        )

    def _listed(self) -> dict[str, Contract]:
        now_ms = self._clock.now_ms()
        found = self._market.contracts.items()
        return {symbol: contract for symbol, contract in found if contract.listed_at_ms <= now_ms}

    def _contract(self, request: Request, name: str = "symbol") -> Contract:
        text = request.query_params.get(name)
        if not text:
            raise missing(name)
        contract = self._listed().get(text)
        if contract is None:
            raise invalid_symbol()
        return contract

    def _each(self, request: Request, entry: Callable[[Contract], dict[str, Any] | None]) -> Response:
        if "symbol" not in request.query_params:
            found = map(entry, self._listed().values())
            return json_answer([item for item in found if item is not None])
        single = entry(self._contract(request))
        if single is None:
            raise invalid_symbol()
        return json_answer(single)

    def _last(self, series: Series, symbol: str) -> float | None:
        minutes = candles.last_day(self._bars[series], symbol, self._shown.now_ms())
        return None if minutes.is_empty() else float(minutes["close"][-1])


def _bars_weight(request: Request) -> int:
    limit = parameters.limit(request.query_params, _USUAL_BARS, _MOST_BARS)
    return 1 if limit < 100 else 2 if limit < 500 else 5 if limit <= 1_000 else 10
