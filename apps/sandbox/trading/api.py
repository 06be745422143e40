"""Signed requests over HTTP: signatures, order limits and planned faults before what is asked for."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from apps.sandbox.answers import json_answer
from apps.sandbox.guard import Guard, Handler, by_symbol
from apps.sandbox.trading.endpoints import Endpoint
from apps.sandbox.trading.errors import PartlyRefused, too_many_orders
from apps.sandbox.trading.exchange import PaperExchange
from apps.sandbox.trading.faults import CutOff, Fault, RequestFaults, SkewedClock
from apps.sandbox.trading.settings import TradingSettings
from apps.sandbox.trading.signing import Signatures
from trading.model.series import Market


def monotonic_seconds() -> float:
    """Real seconds that never run backwards: order limits count real time, as weights do."""
    return time.monotonic()


class OrderCounts:
    """New orders per account and window of real time."""

    def __init__(self, limit: int, seconds: Callable[[], float] = monotonic_seconds) -> None:
        self._limit = limit
        self._seconds = seconds
        self._counts: Counter[tuple[str, int, int]] = Counter()

    def admit(self, account: str) -> None:
        """Count an order, or raise the answer that refuses it."""
        if self._limit and self.used(account, 10) >= self._limit:
            raise too_many_orders(self._limit)
        for length in (10, 60, 86_400):
            self._counts[self._key(account, length)] += 1

    def used(self, account: str, length_seconds: int) -> int:
        """Orders in the window of a length that is running."""
        return self._counts[self._key(account, length_seconds)]

    def _key(self, account: str, length: int) -> tuple[str, int, int]:
        return account, length, int(self._seconds() // length)


class TradingApi:
    """Every signed request of both markets."""

    def __init__(self, exchange: PaperExchange, clock: SkewedClock, settings: TradingSettings) -> None:
        self._exchange = exchange
        self._clock = clock
        self._signatures = Signatures(exchange.keys)
        self._faults = RequestFaults(settings.faults)
        self._counts = {market: OrderCounts(settings.orders_per_ten_seconds) for market in Market}

    def routes(self, guards: dict[Market, Guard]) -> list[Route]:
        """One route per path and method, behind the market's guard."""
        found = []
        for endpoint in self._exchange.endpoints:
            weight = endpoint.weight if isinstance(endpoint.weight, int) else by_symbol(*endpoint.weight)
            handler = guards[endpoint.market](self._handler(endpoint), weight)
            found.append(Route(endpoint.path, handler, methods=[endpoint.method]))
        return found

    def _handler(self, endpoint: Endpoint) -> Handler:
        async def handle(request: Request) -> Response:
            body = (await request.body()).decode()
            self._clock.count()
            signed = self._signatures.verify(
                request.headers.get("x-mbx-apikey"), request.url.query, body, self._clock.now_ms()
            )
            counts = self._counts[endpoint.market]
            fault = self._faults.next(endpoint.name, changes=endpoint.changes)
            if fault is not None and not fault.carried_out:
                return self._failed(fault)
            if endpoint.new_order:
                counts.admit(signed.account)
            response = self._answer(endpoint, signed.account, signed.parameters)
            if fault is not None:
                return self._failed(fault)
            if endpoint.new_order:
                long = ("1D", 86_400) if endpoint.market is Market.SPOT else ("1M", 60)
                for suffix, seconds in (("10S", 10), long):
                    response.headers[f"X-MBX-ORDER-COUNT-{suffix}"] = str(
                        counts.used(signed.account, seconds)
                    )
            return response

        return handle

    def _answer(self, endpoint: Endpoint, account: str, values: dict[str, str]) -> Response:
        try:
            return json_answer(self._exchange.perform(endpoint, account, values))
        except PartlyRefused as error:
            content: dict[str, Any] = {"code": error.code, "msg": error.message, "data": error.outcome}
            return json_answer(content, error.status)

    def _failed(self, fault: Fault) -> Response:
        answer = self._faults.answer(fault, self._clock.now_ms())
        if answer is None:
            return CutOff()
        raise answer
